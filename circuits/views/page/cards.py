"""What a notebook shows of a fit, a circuit or measurements: tables, the schematic and a small plot."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.views.page import account
from circuits.views.page.markup import Markup, data_uri, element, joined, svg_width
from circuits.views.page.response_svg import WIDTH as PLOT_WIDTH
from circuits.views.page.response_svg import small_plot
from circuits.views.scene import scene_of

SCHEMATIC_SCALE = 0.66
"""Size of a schematic in a card: its writing is then as large as that of the tables."""

Pictures = tuple[Markup | None, Markup | None]


def fit_html(fit: Fit | SavedFit) -> str:
    """A fit as HTML for a notebook: values with errors, corners, what the data say, schematic and a small plot.

    The figures are those of `print(fit)`; a batch is summed up over its boards. Nothing is fetched from anywhere, all
    text is escaped, and where the display fails it is the printed text.

    >>> import circuits as cc
    >>> fit = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> "held fixed: C = 1 µF" in fit_html(fit)
    True
    """
    return _or_text(fit, lambda: _fit_card(fit))


def circuit_html(circuit: Circuit, *, board: int = 0) -> str:
    """A circuit as HTML for a notebook: components, corners, schematic and a small plot.

    Args:
        circuit: any circuit.
        board: the board of a batch that is drawn, counted in rows.

    >>> from circuits.filters import LowPass
    >>> "198.9 Ω" in circuit_html(LowPass(R=198.944))
    True
    """
    return _or_text(circuit, lambda: _circuit_card(circuit, board))


def measurements_html(data: Measurements) -> str:
    """Measurements as HTML for a notebook: what they are, how they were understood, and a small plot.

    >>> "2, 100 Hz to 1 kHz" in measurements_html(Measurements([100.0, 1000.0], "magnitude", [0.99, 0.62]))
    True
    """
    return _or_text(data, lambda: _measurements_card(data))


def _fit_card(fit: Fit | SavedFit) -> Markup:
    said = joined([account.fit_tables(fit), account.verdict_list(fit)])
    words = account.how(fit) + ("; drawn is board 0" if fit.batch_shape else "")
    return _card(fit.model_name, words, said, _pictures(fit, fit.circuit, 0), is_sound=account.is_sound(fit))


def _circuit_card(circuit: Circuit, board: int) -> Markup:
    corners = circuit.cutoffs()
    said = joined([account.component_table(circuit), account.corner_table(corners) if corners else None])
    boards = circuit.batch_shape.numel() if circuit.batch_shape else 0
    subtitle = f"{boards} boards; drawn is board {board}" if boards else ""
    return _card(circuit.title, subtitle, said, _pictures(circuit, circuit, board))


def _measurements_card(data: Measurements) -> Markup:
    return _card("Measurements", data.describe(), account.measurement_table(data), _pictures(data, None, 0))


def _card(name: str, subtitle: str, said: Markup, drawn: Pictures, *, is_sound: bool = True) -> Markup:
    """Text on the left, the plot on the right, a wide schematic below them."""
    plot, schematic = drawn
    is_wide = schematic is not None and "ohmgrad-wide" in schematic
    right = joined([plot, None if is_wide else schematic])
    columns = [element("div", None, said), element("div", None, right) if right else None]
    return element(
        "div",
        {"class": f"ohmgrad-card{'' if is_sound else ' ohmgrad-doubt'}"},
        element("style", None, _card_style()),
        element("div", {"class": "ohmgrad-name"}, name),
        element("div", {"class": "ohmgrad-how"}, subtitle) if subtitle else None,
        element("div", {"class": "ohmgrad-columns"}, *columns),
        schematic if is_wide else None,
    )


@cache
def _card_style() -> Markup:
    return Markup(Path(__file__).with_name("card.css").read_text("utf-8"))


def _pictures(thing: Any, circuit: Any, board: int) -> Pictures:
    """The small plot and the schematic, each None where it cannot be drawn."""
    plot = _or_nothing(lambda: small_plot(scene_of(thing, board)))
    schematic = None
    if isinstance(circuit, Circuit):
        schematic = _or_nothing(lambda: _schematic(circuit, board))
    return plot, schematic


def _schematic(circuit: Circuit, board: int) -> Markup:
    """The schematic as an image: what an SVG brings along stays inside it."""
    from circuits.views.schematics import draw_schematic  # the drawing library is loaded only to draw

    picture = draw_schematic(circuit, board=board).svg
    words = f"Schematic of {circuit.title} with the values of its components"
    width = round(SCHEMATIC_SCALE * svg_width(picture))
    look = {"alt": words, "width": width or None, "class": "ohmgrad-wide" if width > PLOT_WIDTH else None}
    return element("img", {"src": data_uri(picture.encode(), "image/svg+xml"), **look})


def _or_nothing(draw: Callable[[], Markup]) -> Markup | None:
    try:
        return draw()
    except Exception:  # a notebook shows what there is; the view itself says what is wrong
        return None


def _or_text(thing: object, show: Callable[[], Markup]) -> str:
    """The HTML, or where that fails the text that would have been printed."""
    for write in (show, lambda: _preformatted(str(thing)), lambda: _preformatted(repr(thing))):
        try:
            return str(write())
        except Exception:  # a display never ends a cell with an error
            continue
    return _preformatted(type(thing).__name__)


def _preformatted(text: str) -> str:
    return f"<pre>{escape(text)}</pre>"
