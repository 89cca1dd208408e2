"""Sliders moved by keyboard in JupyterLab: the picture in the page is the picture of the state they stand for."""

from __future__ import annotations

import io
import math
import statistics
import time
from typing import Any

import numpy as np
import pytest
from PIL import Image

import circuits as cc
from browser.jupyter import BYTES, hold, press
from circuits.notation import parse
from circuits.views import Explorer, Replay

FIT = """
import warnings
warnings.simplefilter("error")
import circuits as cc
data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))
"""
REPLAY = FIT + "shown = cc.replay(cc.fit(cc.LowPass(R=500.0), data))\nshown"
EXPLORE = FIT + "shown = cc.explore(cc.LowPass(R=500.0), data)\nshown"


def picture_in(page: Any) -> np.ndarray:
    """What the browser was given to show, decoded."""
    return decoded(bytes(page.evaluate(BYTES)))


def decoded(png: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(png)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def differ(a: np.ndarray, b: np.ndarray) -> float:
    """Share of pixels that differ visibly."""
    return float((np.abs(a - b).max(-1) > 24).mean())


def wait_for_picture(page: Any, picture: np.ndarray) -> None:
    """Wait for a picture that comes some time after its cause."""
    end = time.monotonic() + 20
    while differ(picture_in(page), picture) > 1e-3:
        assert time.monotonic() < end, "the picture did not come"
        time.sleep(0.1)


def low_pass() -> tuple[cc.LowPass, cc.Measurements]:
    return cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))


def say_median(capsys: pytest.CaptureFixture[str], name: str, times: list[float]) -> None:
    with capsys.disabled():
        print(f"\n{name}: {statistics.median(times):.0f} ms from key to picture (median of {len(times)})")


def test_replay_follows_the_keyboard(run_notebook: Any, capsys: pytest.CaptureFixture[str]):
    expected = Replay(cc.fit(*low_pass()))
    try:
        pictures = [expected.stage.picture(step)[..., :3].astype(int) for step in range(expected.film.last + 1)]
        page = run_notebook("replay", REPLAY)
        assert differ(picture_in(page), pictures[0]) == 0.0
        hold(page, page.locator(".widget-slider .noUi-handle"))
        for step in (1, 2, 3):
            press(page, "ArrowRight")
            found = [differ(picture_in(page), picture) for picture in pictures]
            assert found.index(min(found)) == step and found[step] < 1e-3
            assert min(found[:step] + found[step + 1 :]) > 1e-3
            assert page.locator(".widget-html-content code").inner_text() == expected.film.caption(step)
        for key in ["ArrowLeft", "ArrowRight"] * 10:
            press(page, key)
        say_median(capsys, "replay", page.evaluate("window.times"))
        exact = page.locator(".widget-text input").last
        exact.fill("5")
        press(page, "Enter")
        assert differ(picture_in(page), pictures[5]) < 1e-3
    finally:
        expected.close()


def test_replay_plays_to_the_end(run_notebook: Any):
    expected = Replay(cc.fit(*low_pass()))
    try:
        last = expected.stage.picture(expected.film.last)[..., :3].astype(int)
        page = run_notebook("play", REPLAY)
        page.locator(".widget-play button").first.click()
        wait_for_picture(page, last)
    finally:
        expected.close()


def test_explore_follows_keyboard_text_and_fit(run_notebook: Any, capsys: pytest.CaptureFixture[str]):
    board, data = low_pass()
    expected = Explorer(board, data)
    try:

        def at(R: float) -> np.ndarray:
            expected.knobs["R"].move_to(R)
            board.R.data.fill_(R)
            return expected.scope.picture()[..., :3].astype(int)

        page = run_notebook("explore", EXPLORE)
        assert differ(picture_in(page), at(500.0)) == 0.0
        text = page.locator(".widget-text input").first
        hold(page, page.locator(".widget-slider .noUi-handle").first)
        for _ in range(5):
            press(page, "ArrowRight")
        R = parse(text.input_value(), "Ω")
        assert math.log10(R / 500.0) == pytest.approx(0.025, rel=1e-2)
        assert differ(picture_in(page), at(R)) < 1e-3 < differ(at(R), at(500.0))
        for key in ["ArrowLeft", "ArrowRight"] * 10:
            press(page, key)
        say_median(capsys, "explore", page.evaluate("window.times"))

        text.fill("4k7")
        press(page, "Enter")
        assert differ(picture_in(page), at(4700.0)) < 1e-3 < differ(at(4700.0), at(R))
        assert text.input_value() == "4.7 kΩ"

        text.fill("4kk7")
        page.keyboard.press("Enter")
        page.get_by_text("cannot read '4kk7' as a value").wait_for(timeout=20_000)
        assert differ(picture_in(page), at(4700.0)) < 1e-3
        border = page.locator(".widget-text").first.evaluate("e => getComputedStyle(e).borderTopColor")
        assert border == "rgb(213, 94, 0)"

        page.get_by_role("button", name="fit from here").click()
        page.get_by_text("stopped after").wait_for(timeout=20_000)
        wait_for_picture(page, at(200.0))
        assert text.input_value() == "200 Ω"
    finally:
        expected.close()
