"""The replay inside a page: its pictures, the slider that turns them, and what is left of it without JavaScript."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path

from circuits.errors import OptionError
from circuits.fitting.result import Fit
from circuits.views.page.markup import Markup, data_uri, element, joined
from circuits.views.page.reel import Reel, evenly, record

DOTS_PER_INCH = 150.0
_ABOUT = (
    "Four panels for one step of the fit: the response over the data, the loss with the path walked, the contribution "
    "of each data point to the gradient, and values and gradients by step"
)


def replay_body(fit: Fit, board: int) -> Markup:
    """Slider, button and picture, with at most a hundred steps of the fit.

    Raises:
        OptionError: a fit without history.
    """
    from circuits.views.playback import Film, Stage  # the panels are loaded only where there is a replay

    if fit.history is None:
        raise OptionError("this fit kept no history, so there are no steps to replay; fit again with history=True")
    film = Film(fit, board=board)
    stage = Stage(film, dpi=DOTS_PER_INCH)
    reel = record(stage.picture, evenly(film.keys))
    captions = [film.caption(step) for step in reel.steps]
    words = f"The walk of the fit in {len(reel.steps)} pictures: move the slider, use the arrow keys, or press Play."
    return joined([element("p", None, words), _moving(reel), _still(reel, captions), _content(reel, captions)])


def _moving(reel: Reel) -> Markup:
    """What the script brings to life; without it this stays hidden."""
    width, height = reel.size
    look = {"id": "replay-picture", "width": width, "height": height, "role": "img", "aria-label": _ABOUT}
    slider = {"id": "replay-slider", "type": "range", "min": 0, "max": len(reel.steps) - 1, "value": 0, "step": 1}
    button = {"id": "replay-play", "type": "button", "aria-pressed": "false"}
    controls = [element("button", button, "Play"), element("input", {**slider, "aria-label": "Step of the fit"})]
    return joined(
        [
            element("div", {"id": "replay-controls", "hidden": ""}, *controls),
            element("output", {"id": "replay-caption", "for": "replay-slider"}),
            element("figure", {"id": "replay-figure", "hidden": ""}, element("canvas", look)),
        ]
    )


def _still(reel: Reel, captions: list[str]) -> Markup:
    """The first and the last picture for a browser that runs no scripts."""
    width, height = reel.size
    figures = []
    for index in (0, len(reel.steps) - 1):
        place = {"width": width, "height": height}
        under = element("img", {"src": data_uri(reel.still, "image/webp"), "alt": "", **place})
        over = {"src": data_uri(reel.overlays[index], "image/webp"), "alt": f"{_ABOUT}; {captions[index]}", **place}
        layers = element("div", {"class": "layers"}, under, element("img", over))
        figures.append(element("figure", None, layers, element("figcaption", None, captions[index])))
    return element("noscript", None, *figures)


def _content(reel: Reel, captions: list[str]) -> Markup:
    """The pictures as data beside the script that shows them."""
    content = {
        "steps": reel.steps,
        "captions": captions,
        "still": base64.b64encode(reel.still).decode(),
        "overlays": [base64.b64encode(overlay).decode() for overlay in reel.overlays],
    }
    text = json.dumps(content, ensure_ascii=False).replace("<", "\\u003c")  # no text of it can end the element
    return Markup(f'<script id="reel" type="application/json">{text}</script>')


@cache
def script() -> Markup:
    """The script of the replay."""
    return Markup(Path(__file__).with_name("player.js").read_text("utf-8"))
