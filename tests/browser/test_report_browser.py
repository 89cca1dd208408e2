"""A report opened from its file in a real browser: the slider turns the pictures, and nothing is fetched."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import circuits as cc
from circuits.views.page import write_report

PATIENCE = 20_000
SHOWN = "document.getElementById('replay-picture').dataset.step"
PIXELS = "document.getElementById('replay-picture').toDataURL('image/png')"


@dataclass
class Opened:
    """A report in a page of the browser, with everything that the browser said and fetched."""

    page: Any
    reel: dict[str, Any]
    said: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)

    def wait_for(self, index: int) -> None:
        # a selector, since the page lets no text be evaluated as code, not even by the browser's driver
        self.page.locator(f"canvas[data-step='{self.reel['steps'][index]}']").wait_for(timeout=PATIENCE)

    def pixels(self) -> np.ndarray:
        return pixels(self.page.evaluate(PIXELS).partition(",")[2])

    def expected(self, index: int) -> np.ndarray:
        still, overlay = (image(self.reel["still"]), image(self.reel["overlays"][index]))
        return np.asarray(Image.alpha_composite(still, overlay).convert("RGB"))


def image(content: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(content))).convert("RGBA")


def pixels(content: str) -> np.ndarray:
    return np.asarray(image(content).convert("RGB"))


@pytest.fixture(scope="module")
def report_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(40, 10.0, 1e5), "magnitude", 0.02)
    fit = cc.fit(cc.LowPass(R=500.0), data, method=cc.GradientDescent(lr=1.0), stop=cc.Stop(steps=12))
    path = tmp_path_factory.mktemp("report") / "report.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("circuits.views.page.player.DOTS_PER_INCH", 60.0)  # quicker, and as good for what is asked here
        write_report(fit, path)
    return path


@pytest.fixture
def report(report_file: Path, browser: Any) -> Iterator[Opened]:
    content = re.search(r'<script id="reel" type="application/json">(.*?)</script>', report_file.read_text("utf-8"))
    assert content is not None
    page = browser.new_page()
    opened = Opened(page, json.loads(content[1]))
    page.on("console", lambda message: opened.said.append(message.text))
    page.on("pageerror", lambda error: opened.said.append(str(error)))
    page.on("request", lambda request: opened.fetched.append(request.url))
    browser.set_offline(True)
    try:
        yield opened
    finally:
        browser.set_offline(False)
        page.close()


def test_the_slider_turns_the_pictures_by_keyboard(report: Opened, report_file: Path):
    page, last = report.page, len(report.reel["steps"]) - 1
    page.goto(report_file.as_uri())
    report.wait_for(0)
    assert (report.pixels() == report.expected(0)).all()
    page.locator("#replay-slider").focus()
    for key, index in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", last), ("Home", 0)):
        page.keyboard.press(key)
        report.wait_for(index)
        assert (report.pixels() == report.expected(index)).all()
        assert page.locator("#replay-caption").inner_text() == report.reel["captions"][index]
        assert page.locator("#replay-slider").get_attribute("aria-valuetext") == report.reel["captions"][index]
    page.locator("h1").click()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("ArrowRight")  # the arrows serve the slider from anywhere on the page
    report.wait_for(1)
    assert report.said == []
    assert [url for url in report.fetched if not url.startswith("data:")] == [report_file.as_uri()]


def test_play_goes_to_the_end_and_pause_stays(report: Opened, report_file: Path):
    page, last = report.page, len(report.reel["steps"]) - 1
    page.goto(report_file.as_uri())
    report.wait_for(0)
    button = page.get_by_role("button", name="Play")
    button.click()
    page.locator(f"canvas:not([data-step='{report.reel['steps'][0]}'])").wait_for(timeout=PATIENCE)
    page.locator("#replay-slider").press(" ")
    assert page.locator("#replay-play").inner_text() == "Play"
    index = int(page.locator("#replay-slider").input_value())
    report.wait_for(index)
    page.wait_for_timeout(1000)  # twice the longest time between two pictures
    assert page.evaluate(SHOWN) == str(report.reel["steps"][index]) and index < last
    button.click()
    assert page.locator("#replay-play").inner_text() == "Pause"
    report.wait_for(last)
    page.get_by_role("button", name="Play").wait_for(timeout=PATIENCE)
    button.click()  # and from the beginning again; any one picture may be gone before a busy machine looks
    page.locator(f"canvas:not([data-step='{report.reel['steps'][last]}'])").wait_for(timeout=PATIENCE)
    assert report.said == []


def test_everything_on_the_page_is_loaded_and_nothing_sticks_out(report: Opened, report_file: Path):
    page = report.page
    page.goto(report_file.as_uri())
    report.wait_for(0)
    broken = "[...document.images].filter((one) => !one.complete || one.naturalWidth === 0).map((one) => one.alt)"
    assert page.evaluate(broken) == []
    size = page.viewport_size
    try:
        for width in (1400, 700, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
    finally:
        page.set_viewport_size(size)
    page.emulate_media(media="print")
    assert not page.locator("#replay-controls").is_visible()
    assert page.locator("#replay-picture").is_visible()


def test_the_page_forbids_itself_the_network(report: Opened, report_file: Path):
    page = report.page
    page.goto(report_file.as_uri())
    report.wait_for(0)
    page.evaluate(
        "document.addEventListener('securitypolicyviolation', (e) => { document.body.className = e.blockedURI; })"
    )
    page.evaluate("fetch('http://127.0.0.1:9/x').catch(() => null)")
    page.locator("body[class='http://127.0.0.1:9/x']").wait_for(timeout=PATIENCE)


def test_without_scripts_the_first_and_the_last_picture_are_shown(report: Opened, report_file: Path):
    page = report.page
    session = page.context.new_cdp_session(page)
    session.send("Emulation.setScriptExecutionDisabled", {"value": True})
    page.goto(report_file.as_uri())
    pictures = page.locator("noscript img")
    assert pictures.count() == 4
    assert all(pictures.nth(i).is_visible() for i in range(4))
    captions = page.locator("noscript figcaption").all_inner_texts()
    assert captions == [report.reel["captions"][0], report.reel["captions"][-1]]
    assert not page.locator("#replay-controls").is_visible() and not page.locator("canvas").is_visible()
