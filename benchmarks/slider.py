"""From the move of a slider to the new picture, in JupyterLab and without it: `python benchmarks/slider.py`.

The replay of a fit of 10 steps and of one of 100,000, and the explorer of a color organ against 3000 LEDs. In the
browser the clock runs there, from the key press to the picture being loaded; keys take turns between the notebooks, so
that all of them see the same machine, and ratios are taken between medians. `--no-browser` leaves the first table out.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from reporting import at_most, shown

from circuits.views import Explorer
from circuits.views.playback.film import Film
from circuits.views.playback.stage import Stage

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
FEW, MANY = 10, 100_000
TARGET = 80.0
SETUP = """
import circuits as cc
data = cc.simulate(cc.LowPass(R=198.944), cc.tones(1000))
def walked(steps):
    how = dict(method=cc.GradientDescent(lr=200.0), coordinates="linear", stop=cc.Stop(steps=steps))
    return cc.fit(cc.LowPass(R=1000.0), data, progress=False, **how)
organ = cc.ColorOrgan(300.0, (60.0, 160.0), 40.0)
leds = cc.simulate(cc.ColorOrgan(198.944, (39.789, 159.155), 31.831), cc.tones(1000), "led")
"""
CELLS = {
    f"replay of {FEW} steps": f"cc.replay(walked({FEW}))",
    f"replay of {MANY:,} steps": f"cc.replay(walked({MANY}))",
    "replay of the color organ from LEDs": "cc.replay(cc.fit(organ, leds))",
    "explore the color organ with 3000 LEDs": "cc.explore(organ, leds)",
}


def in_the_browser(presses: int) -> dict[str, list[float]]:
    """Milliseconds from each key press to its picture, by notebook."""
    from browser.jupyter import CHROMIUM, open_notebook, press, running_browser, running_server

    if not CHROMIUM:
        sys.exit("chromium is not installed; on Debian: apt-get install chromium, or give --no-browser")
    times: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        running_server(Path(folder)) as server,
        running_browser(Path(profile)) as browser,
    ):
        pages = {
            name: open_notebook(server, browser, f"n{i}", SETUP + cell, patience=400)
            for i, (name, cell) in enumerate(CELLS.items())
        }
        turn = ["ArrowRight"] * 8 + ["ArrowLeft"] * 8  # the shortest replay has ten steps
        for _ in range(max(presses // len(turn), 1)):
            for page in pages.values():
                page.bring_to_front()
                page.locator(".widget-slider .noUi-handle").first.focus()
                for key in turn:
                    press(page, key)
        for name, page in pages.items():
            times[name] = page.evaluate("window.times")
    return times


def without_a_browser(presses: int) -> dict[str, tuple[float, list[float]]]:
    """Milliseconds of the processor to make each, and for each picture."""
    scope: dict = {}
    exec(SETUP, scope)
    found = {}
    for steps in (FEW, MANY):
        fit = scope["walked"](steps)
        fit.history  # noqa: B018, the packing of the history is the fit's, not the replay's
        made, stage = clocked(lambda fit=fit: Stage(Film(fit)))
        keys = stage.film.keys
        shown = [int(keys[round(i * (len(keys) - 1) / max(presses - 1, 1))]) for i in range(presses)]
        stage.png(0)
        found[f"replay of {steps:,} steps"] = (made, [clocked(lambda s=s, stage=stage: stage.png(s))[0] for s in shown])
    made, bench = clocked(lambda: Explorer(scope["organ"], scope["leds"]))
    slider = bench.knobs["low.R"].slider
    moves = [300.0 * 1.02 ** (i % 40) for i in range(1, presses + 1)]
    found[list(CELLS)[-1]] = (made, [clocked(lambda v=v: setattr(slider, "value", v))[0] for v in moves])
    bench.close()
    return found


def clocked(work: Callable) -> tuple[float, object]:
    began = time.process_time()
    done = work()
    return 1e3 * (time.process_time() - began), done


def table(rows: dict[str, list[float]], unit: str) -> None:
    for name, times in rows.items():
        ordered = sorted(times)
        worst = ordered[int(0.9 * (len(ordered) - 1))]
        print(f"  {name:42s} median {statistics.median(times):6.1f} {unit}   90 % {worst:6.1f}   of {len(times)}")
    few, many = (statistics.median(times) for times in list(rows.values())[:2])
    print(f"  {MANY:,} steps take {many / few:.2f} times as long as {FEW}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-browser", action="store_true")
    parser.add_argument("--presses", type=int, default=64, help="moves of each slider (default 64)")
    parser.add_argument("--quick", action="store_true", help="a smoke run: a few moves, short replays")
    asked = parser.parse_args()
    if asked.quick:
        global MANY
        MANY, asked.presses = 200, 4
    torch.set_num_threads(1)
    found = without_a_browser(asked.presses)
    print("without a browser, milliseconds of the processor:")
    table({name: times for name, (_, times) in found.items()}, "ms")
    few, many = (statistics.median(times) for _, times in list(found.values())[:2])
    shown("a picture of the longest replay over one of the shortest", many / few)
    for name, (_, moved) in found.items():
        shown(f"a picture, without a browser: {name}", statistics.median(moved), "ms")
    for name, (made, _) in found.items():
        print(f"  {name:42s} made in {made:.0f} ms")
    if asked.no_browser:
        return 0
    times = in_the_browser(asked.presses)
    print("in JupyterLab, from the key press to the picture loaded:")
    table(times, "ms")
    worst = max(statistics.median(one) for one in times.values())
    at_most("from the key press to the picture, slowest median", worst, TARGET, "ms")
    return 0 if worst <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
