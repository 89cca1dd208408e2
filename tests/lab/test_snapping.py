"""Parts chosen together: equal to trying every set of parts, whatever the circuit, and honest where it is not."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

import circuits as cc
from circuits.cli import main
from circuits.errors import DataError, OptionError, ShapeError, UnknownName
from circuits.lab import Drawer, Part, Snapped, series_values, snap
from circuits.lab.parts.blocks import groups_of

DATA = Path(__file__).parents[2] / "examples" / "data"
DRAWER = str(DATA / "drawer.csv")
F = cc.log_grid(40, 10.0, 1e5)
RESISTORS = ["low.R", "band.R_low", "band.R_high", "high.R"]


def organ() -> cc.ColorOrgan:
    return cc.ColorOrgan(198.944, (39.789, 159.155), 31.831)


def rlc() -> cc.Circuit:
    text = "rlc\nV1 in 0 AC 1\nRs in a 130\nL1 a out 21m\nC1 out 0 0.4u\nRp out 0 1.7k\n"
    return cc.read_netlist(text, learn=["Rs", "L1", "C1", "Rp"])


def shop(unit_values: dict[str, Sequence[float]], count: int | None = None) -> Drawer:
    return Drawer("box", tuple(Part(unit, v, count=count) for unit, values in unit_values.items() for v in values))


# trying everything, without any of the package's search


def ways(drawer: Drawer, unit: str, pairs: bool) -> list[tuple[float, tuple[int, ...]]]:
    """Every value for a place and the parts that it takes, by plain loops."""
    own = [(i, p.value) for i, p in enumerate(drawer.parts) if p.unit == unit]
    found = [(value, (i,)) for i, value in own]
    if pairs:
        for (i, a), (j, b) in itertools.combinations_with_replacement(own, 2):
            found += [(a + b, (i, j)), (a * b / (a + b), (i, j))]
    return found


def tried(circuit: cc.Circuit, names: Sequence[str], drawer: Drawer, target: torch.Tensor, pairs: bool, quantity: str):
    """The least root mean square error of all sets of parts that the drawer has."""
    places = [ways(drawer, circuit.units()[name], pairs) for name in names]
    rows = []
    for combination in itertools.product(*places):
        used = Counter(part for _, parts in combination for part in parts)
        if all(drawer.parts[i].count is None or n <= drawer.parts[i].count for i, n in used.items()):  # type: ignore
            rows.append([value for value, _ in combination])
    values = torch.tensor(rows, dtype=torch.float64)
    with torch.no_grad():
        stand_in = dict(zip(names, values.unbind(-1), strict=True))
        response = torch.func.functional_call(circuit, stand_in, (F,), {}) if quantity == "magnitude" else None
        if response is None:
            magnitude = torch.func.functional_call(circuit, stand_in, (F,), {})
            response = 20 * magnitude.log10()
    error = (response - target).square().flatten(1).mean(1).sqrt()
    best = int(error.argmin())
    return float(error[best]), dict(zip(names, rows[best], strict=True))


def chosen(snapped: Snapped) -> dict[str, float]:
    return {swap.name: swap.choice.value for swap in snapped.swaps}


def affordable(snapped: Snapped, drawer: Drawer) -> bool:
    counts = {part: part.count for part in drawer.parts}
    return all(counts[part] is None or n <= counts[part] for part, n in snapped.shopping.items())  # type: ignore


def agree(snapped: Snapped, best: float) -> None:
    assert snapped.proven
    assert snapped.rms == pytest.approx(best, rel=1e-8, abs=1e-11)


@pytest.mark.parametrize("quantity", ["magnitude", "decibels"])
@pytest.mark.parametrize("exhaustive", [None, 0], ids=["tried", "boxes"])
def test_the_organ_in_e12_is_the_best_of_all(quantity: str, exhaustive: int | None):
    values = series_values("E12", 10.0, 820.0)
    circuit, target = organ(), organ().predict(F, quantity).detach()
    snapped = snap(circuit, shop({"Ω": values}), F, quantity=quantity, exhaustive=exhaustive)
    # an output depends on its own resistors only, so each can be tried alone: in NumPy, by the formulas
    f, total, best = F.numpy(), 0.0, {}
    x = {R: 2 * math.pi * f * 1e-6 * R for R in values}
    low, high = (
        {R: g(x[R]) for R in values} for g in (lambda u: (1 + u * u) ** -0.5, lambda u: u * (1 + u * u) ** -0.5)
    )
    band = {(a, b): low[a] * high[b] for a in values for b in values}
    for names, table, row in ((("low.R",), low, 0), (("band.R_low", "band.R_high"), band, 1), (("high.R",), high, 2)):
        wanted = target[row].numpy()
        shown = (lambda m: 20 * np.log10(m)) if quantity == "decibels" else (lambda m: m)
        costs = {key: float(((shown(m) - wanted) ** 2).sum()) for key, m in table.items()}
        winner = min(costs, key=costs.__getitem__)
        total += costs[winner]
        best |= dict(zip(names, winner if isinstance(winner, tuple) else (winner,), strict=True))
    assert chosen(snapped) == best
    agree(snapped, math.sqrt(total / (3 * len(f))))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("pairs", [False, True])
def test_a_small_drawer_with_counts_across_all_filters(seed: int, pairs: bool):
    draw = torch.Generator().manual_seed(seed)
    parts = 4 if pairs else 7
    values = (20 + 300 * torch.rand(parts, generator=draw, dtype=torch.float64)).tolist()
    counts = torch.randint(1, 3, (parts,), generator=draw).tolist()
    drawer = Drawer("box", tuple(Part("Ω", v, count=n) for v, n in zip(values, counts, strict=True)))
    circuit = organ()
    best, parts_used = tried(circuit, RESISTORS, drawer, circuit(F).detach(), pairs, "magnitude")
    for exhaustive in (None, 0):
        snapped = snap(circuit, drawer, F, pairs=pairs, exhaustive=exhaustive)
        agree(snapped, best)
        assert affordable(snapped, drawer)
    assert len(parts_used) == 4


def test_counts_matter_across_filters():
    drawer = Drawer("box", (Part("Ω", 100.0, count=2), Part("Ω", 300.0, count=9)))
    circuit = cc.ColorOrgan(100.0, (100.0, 100.0), 100.0)
    snapped = snap(circuit, drawer, F)
    assert sorted(chosen(snapped).values()) == [100.0, 100.0, 300.0, 300.0]
    agree(snapped, tried(circuit, RESISTORS, drawer, circuit(F).detach(), False, "magnitude")[0])
    assert snapped.rounded is None  # four of 100 Ω are not there


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("quantity", ["magnitude", "decibels"])
def test_a_netlist_of_resistors_coil_and_capacitor(seed: int, quantity: str):
    """All parts act on one output; the target is one that no set of parts reaches, nor any values at all."""
    draw = torch.Generator().manual_seed(seed)
    circuit = rlc()
    drawer = shop(
        {
            "Ω": series_values("E6", 47.0, 4700.0),
            "H": series_values("E3", 4.7e-3, 0.1),
            "F": series_values("E6", 47e-9, 2.2e-6),
        }
    )
    target = circuit.predict(F, quantity).detach()
    target = target + (3.0 if quantity == "decibels" else 0.2) * torch.randn(
        target.shape, generator=draw, dtype=target.dtype
    )
    best, _ = tried(circuit, ["Rs", "L1", "C1", "Rp"], drawer, target, False, quantity)
    snapped = snap(circuit, drawer, F, target=target, quantity=quantity, exhaustive=0)
    agree(snapped, best)


@pytest.mark.parametrize("seed", range(3))
def test_parts_of_a_loaded_filter_with_pairs(seed: int):
    draw = torch.Generator().manual_seed(seed)
    R = (50 * 20 ** torch.rand(2, generator=draw, dtype=torch.float64)).tolist()
    circuit = cc.LoadedBandPass(R[0], R[1])
    drawer = shop({"Ω": [33.0, 56.0, 120.0, 270.0, 680.0, 1000.0]}, count=2)
    best, _ = tried(circuit, ["R_low", "R_high"], drawer, circuit(F).detach(), True, "magnitude")
    agree(snap(circuit, drawer, F, pairs=True, exhaustive=0), best)


def test_resistor_and_capacitor_chosen_together_beat_rounding():
    circuit = cc.LowPass(R=1180.0, C=1.24e-7)
    drawer = shop({"Ω": series_values("E12", 100.0, 1e4), "F": series_values("E6", 1e-8, 1e-6)})
    snapped = snap(circuit, drawer, F, parts=["R", "C"], exhaustive=0)
    best, _ = tried(circuit, ["R", "C"], drawer, circuit(F).detach(), False, "magnitude")
    agree(snapped, best)
    assert snapped.rounded is not None
    assert snapped.rms < 0.3 * snapped.rounded


def test_what_is_trimmed_makes_up_for_what_is_chosen():
    circuit = cc.LowPass(R=198.944, C=1e-6)
    snapped = snap(circuit, shop({"F": [4.7e-7, 2.2e-6]}), F, parts=["C"], free=["R"])
    assert snapped.rms < 1e-7
    R, C = snapped.circuit.get_parameter("R").item(), snapped.circuit.get_parameter("C").item()
    assert pytest.approx(198.944e-6, rel=1e-6) == R * C
    assert snapped.trimmed["R"] == (pytest.approx(198.944), pytest.approx(R))


@pytest.mark.parametrize("exhaustive", [None, 0])
def test_trimming_is_done_for_every_set_of_parts(exhaustive: int | None):
    """Against a fine grid of the trimmer: the best two resistors are those that suit the best trimmer."""
    circuit, drawer = cc.LoadedBandPass(123.0, 456.0), shop({"Ω": [68.0, 180.0, 390.0], "F": [4.7e-7, 1e-6, 3.3e-6]})
    target = circuit(F).detach()
    snapped = snap(circuit, drawer, F, parts=["R_low", "C_low"], free=["R_high"], exhaustive=exhaustive)
    grid = torch.logspace(1, 4.5, 4000, dtype=torch.float64)
    best = math.inf
    for R, C in itertools.product([68.0, 180.0, 390.0], [4.7e-7, 1e-6, 3.3e-6]):
        with torch.no_grad():
            alike = {"R_low": torch.full_like(grid, R), "C_low": torch.full_like(grid, C), "R_high": grid}
            error = (torch.func.functional_call(circuit, alike, (F,), {}) - target).square().mean(-1).sqrt()
        best = min(best, float(error.min()))
    assert snapped.proven
    assert best * (1 - 1e-4) < snapped.rms <= best


def test_exact_parts_are_found_and_the_circuit_is_left_alone():
    circuit = cc.ColorOrgan(220.0, (47.0, 150.0), 33.0)
    snapped = snap(circuit, "E12", F)
    assert chosen(snapped) == {"low.R": 220.0, "band.R_low": 47.0, "band.R_high": 150.0, "high.R": 33.0}
    assert snapped.rms < 1e-12
    other = snap(circuit, shop({"Ω": [10.0]}), F)
    assert other.circuit.get_parameter("low.R").item() == 10.0
    assert circuit.low.R.item() == 220.0
    assert circuit.low.R.requires_grad
    assert not circuit.low.C.requires_grad


def test_one_parameter_under_two_names_takes_two_parts():
    R = torch.nn.Parameter(torch.tensor(100.0, dtype=torch.float64))
    circuit = cc.ColorOrgan(low=cc.LowPass(R=R), band=(100.0, 100.0), high=cc.HighPass(R=R))
    drawer = Drawer("box", (Part("Ω", 100.0, count=1), Part("Ω", 120.0, count=2), Part("Ω", 90.0, count=2)))
    snapped = snap(circuit, drawer, F)
    values = {swap.name: (swap.choice.value, swap.copies) for swap in snapped.swaps}
    assert values["low.R"][1] == 2
    assert values["low.R"][0] != 100.0
    assert affordable(snapped, drawer)
    assert sum(snapped.shopping.values()) == 4


def test_an_organ_falls_apart_by_output_and_a_loaded_one_does_not():
    groups = groups_of(organ(), F, RESISTORS)
    assert [group.names for group in groups] == [("low.R",), ("band.R_low", "band.R_high"), ("high.R",)]
    loaded = cc.read_netlist(str(DATA.parent / "netlists" / "organ.cir"), ["V(low)", "V(band)", "V(high)"])
    assert [group.names for group in groups_of(loaded, F, ["R1", "R2", "R3", "R4"])] == [("R1", "R2", "R3", "R4")]


def test_a_part_without_effect_is_left():
    text = "divider\nV1 in 0 AC 1\nR1 in out 1k\nC1 out 0 1u\nR9 in 0 5k\n"
    snapped = snap(cc.read_netlist(text, "V(out)", learn="R*"), "E12", F)
    assert snapped.without == ("R9",)
    assert chosen(snapped) == {"R1": 1000.0}
    assert "without effect" in str(snapped)


def test_missing_points_are_not_asked_for():
    circuit = organ()
    target = circuit(F).detach().clone()
    target[0] = torch.nan
    target[0, 20] = 0.5
    snapped = snap(circuit, "E24", F, target=target, parts=["low.R"])
    best = min(series_values("E24", 1.0, 1e7), key=lambda R: abs(cc.LowPass(R)(F)[20].item() - 0.5))
    assert chosen(snapped) == {"low.R": best}


def test_measurements_bring_their_own_frequencies_and_outputs():
    circuit = organ()
    bench = cc.simulate(cc.ColorOrgan(330.0, (56.0, 120.0), 27.0), F).as_quantity("decibels")
    bench = bench.select(["high", "band", "low"])
    snapped = snap(circuit, "E12", target=bench, quantity="decibels")
    assert chosen(snapped) == {"low.R": 330.0, "band.R_low": 56.0, "band.R_high": 120.0, "high.R": 27.0}


def test_a_complex_response_is_compared_in_the_plane():
    circuit = rlc()
    drawer = shop({"Ω": [47.0, 100.0, 220.0, 1000.0, 2200.0], "H": [0.01, 0.022, 0.047], "F": [2.2e-7, 3.3e-7, 4.7e-7]})
    snapped = snap(circuit, drawer, F, quantity="response", exhaustive=0)
    target, best = circuit.response(F).detach(), math.inf
    names = ["Rs", "L1", "C1", "Rp"]
    for values in itertools.product(*([p.value for p in drawer.parts if p.unit == circuit.units()[n]] for n in names)):
        board = cc.read_netlist(
            "rlc\nV1 in 0 AC 1\nRs in a {}\nL1 a out {}\nC1 out 0 {}\nRp out 0 {}\n".format(
                *(values[names.index(n)] for n in names)
            )
        )
        best = min(best, (board.response(F).detach() - target).abs().square().mean().sqrt().item())
        if best == 0:
            break
    agree(snapped, best)


def test_a_search_cut_short_says_so():
    snapped = snap(rlc(), "E24", F, target=torch.full_like(F, 0.3), most_boxes=1, exhaustive=0)
    assert not snapped.proven
    assert "cut short" in str(snapped)
    assert snapped.to_dict()["proven"] is False


def test_what_it_costs_and_what_is_written(tmp_path: Path):
    snapped = snap(organ(), DRAWER, F, pairs=True)
    assert snapped.price == pytest.approx(sum(part.price * n for part, n in snapped.shopping.items() if part.price))
    snapped.save(tmp_path / "swaps.json")
    saved = json.loads((tmp_path / "swaps.json").read_text("utf-8"))
    assert [swap["component"] for swap in saved["swaps"]] == RESISTORS
    assert saved["rms_error"] == snapped.rms
    worst, where, output = snapped.worst
    row = snapped.circuit.outputs.index(output)
    error = (snapped.circuit(F) - organ()(F))[row].abs().detach()
    assert worst == pytest.approx(error.max().item())
    assert where == pytest.approx(F[error.argmax()].item())


BAD = {
    "two boards": (lambda: snap(cc.LowPass(R=[1.0, 2.0]), "E12", F), ShapeError, "one"),
    "no frequencies": (lambda: snap(organ(), "E12"), OptionError, "no frequencies"),
    "no such part": (lambda: snap(organ(), "E12", F, parts=["R9"]), UnknownName, "no component 'R9'"),
    "no such trimmer": (lambda: snap(organ(), "E12", F, free=["R9"]), UnknownName, "no component 'R9'"),
    "chosen and free": (lambda: snap(organ(), "E12", F, parts=["low.R"], free=["low.R"]), OptionError, "both"),
    "a corner": (lambda: snap(cc.Bode(100.0), "E12", F), OptionError, "nothing to choose"),
    "LEDs": (lambda: snap(organ(), "E12", target=cc.simulate(organ(), F, "led")), DataError, "LEDs"),
    "phase": (lambda: snap(organ(), "E12", F, quantity="phase"), UnknownName, "magnitude, decibels, response"),
    "a short target": (lambda: snap(organ(), "E12", F, target=torch.ones(3)), ShapeError, "target of"),
    "no coil": (lambda: snap(rlc(), shop({"Ω": [1.0], "F": [1e-6]}), F), OptionError, "any inductor"),
    "too few": (lambda: snap(organ(), shop({"Ω": [10.0, 22.0]}, count=1), F), OptionError, "not enough parts"),
}


@pytest.mark.parametrize(("act", "error", "words"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused(act, error: type[Exception], words: str):
    with pytest.raises(error, match=words):
        act()


# the command line


def run(*words: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = main(list(words))
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_fit_ends_with_the_swap_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    swaps = tmp_path / "swaps.json"
    words = ("fit", str(DATA / "organ_leds.csv"), "--stock", DRAWER, "--pairs", "--swaps", str(swaps))
    status, out, err = run(*words, capsys=capsys)
    assert (status, err) == (0, "")
    assert "swap list, from" in out
    assert "error of the response in magnitude" in out
    assert [swap["component"] for swap in json.loads(swaps.read_text("utf-8"))["swaps"]] == RESISTORS


def test_a_low_pass_in_e12_with_a_trimmer(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bench = tmp_path / "bench.csv"
    cc.simulate(cc.LowPass(R=220.0), F, "decibels").to_csv(bench)
    status, out, _ = run("fit", str(bench), "--circuit", "low-pass", "--stock", "E12", capsys=capsys)
    assert status == 0
    assert "220 Ω" in out.split("swap list")[1]
    assert "dB rms" in out
    words = ("--free", "C", "--fix", "R=220", "--stock", "E12")
    status, out, _ = run("fit", str(bench), "--circuit", "low-pass", *words, capsys=capsys)
    assert "1 µF" in out.split("swap list")[1]


def test_a_held_capacitor_is_swapped_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    bench = tmp_path / "bench.csv"
    cc.simulate(cc.LowPass(R=250.0), F, "decibels").to_csv(bench)
    words = ("--stock", "E6", "--swap", "C", "--swaps", str(tmp_path / "s.json"))
    assert run("fit", str(bench), "--circuit", "low-pass", *words, capsys=capsys)[0] == 0
    swaps = json.loads((tmp_path / "s.json").read_text("utf-8"))["swaps"]
    assert [swap["component"] for swap in swaps] == ["R", "C"]
    products = {a * b * 1e-6 for a in series_values("E6", 1.0, 9.9) for b in series_values("E6", 10.0, 99.0)}
    best = min(abs(math.log(tau * 10.0**k / 250e-6)) for tau in products for k in (0, 1, 2))
    assert abs(math.log(swaps[0]["value"] * swaps[1]["value"] / 250e-6)) == pytest.approx(best)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pairs",), "--pairs goes with --stock"),
        (("--trim", "R"), "--trim goes with --stock"),
        (("--swap", "C"), "--swap goes with --stock"),
        (("--swaps", "s.json"), "--swaps goes with --stock"),
        (("--stock", "E13"), "no series 'E13'"),
        (("--stock", "nowhere.csv"), "cannot read nowhere.csv"),
        (("--stock", "E12", "--swaps", "no/folder/s.json"), "make it first"),
        (("--stock", "E12", "--trim", "R9"), "no component 'R9'"),
    ],
)
def test_what_the_command_line_refuses(words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]):
    status, _, err = run("fit", str(DATA / "low_pass_magnitude.csv"), "--circuit", "low-pass", *words, capsys=capsys)
    assert status == 2
    assert said in err
