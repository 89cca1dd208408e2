"""The parts of a report, each made by one function; a part that cannot be drawn is a sentence that says why."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.errors import OhmgradError
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.notation import format as engineering
from circuits.views.page import account
from circuits.views.page.markup import Markup, data_uri, element, joined, svg_width
from circuits.views.page.palette import Palette, webp
from circuits.views.page.player import replay_body
from circuits.views.response import plot_response, rendered
from losses import LossError

MOST_ROWS = 100
"""Values that a report tabulates."""

MOST_SURFACES = 3
"""Pictures of the loss over two components each."""

SCHEMATIC_SCALE = 0.8
"""Size of a schematic: its writing is then as large as that of the page."""

PAGE_WIDTH = 900
"""Pixels between the margins of the page."""

NOT_DRAWN = (OhmgradError, LossError, ImportError)
"""What keeps a part of a report from being drawn without being a fault of the report."""


@dataclass(frozen=True)
class Subject:
    """What a report is about: a fit, one board of it, that board's own account, and notes beside it."""

    fit: Fit | SavedFit
    board: int
    own: Fit | SavedFit
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def circuit(self) -> Circuit | None:
        """The fitted circuit; None for another module, or one that could not be read back."""
        return self.fit.circuit if isinstance(self.fit.circuit, Circuit) else None


@dataclass(frozen=True)
class Section:
    """A part of the page under a heading, with the name by which links find it."""

    name: str
    title: str
    body: Markup


def parts_of(subject: Subject) -> Iterator[Section]:
    """Every part that this fit has, in the order of the page."""
    yield Section("result", "Result", _result(subject))
    for i, (title, text) in enumerate(subject.notes, 1):
        yield Section(f"note-{i}", title, element("pre", None, text))
    if subject.circuit is not None:
        yield Section("schematic", "Circuit", _attempt(_schematic, subject))
        yield Section("response", "Response", _attempt(_response, subject))
    if isinstance(subject.fit, Fit):
        yield Section("replay", "Replay", _attempt(_replay, subject))
        yield Section("loss", "Loss", _attempt(_surfaces, subject))
        yield Section("pull", "Contributions of the data", _attempt(_pulls, subject))
    yield Section("history", "History", _attempt(_history, subject))
    yield Section("known", "What the data determine", _known(subject))
    if subject.circuit is not None:
        yield Section("graph", "Computation graph", _attempt(_graph, subject))
    yield Section("data", "Data and method", _data(subject))


def _attempt(draw: Callable[[Subject], Markup], subject: Subject) -> Markup:
    try:
        return draw(subject)
    except NOT_DRAWN as error:
        return _paragraph(_sentence(f"not shown: {error}"))


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."


def _paragraph(words: str, kind: str | None = None) -> Markup:
    return element("p", {"class": kind}, words)


def _result(subject: Subject) -> Markup:
    """The printed table and verdict."""
    return joined([account.fit_tables(subject.own, MOST_ROWS, "columns"), account.verdict_list(subject.own)])


def _schematic(subject: Subject) -> Markup:
    from circuits.views.schematics import draw_schematic  # the drawing library is loaded only to draw

    drawn = draw_schematic(_circuit(subject), board=subject.board).svg
    words = "What the fit could move stands on a filled ground, what was held fixed in a dashed box."
    about = f"Schematic of {subject.fit.model_name} with the fitted values"
    return _figure(_vector(drawn, about, round(SCHEMATIC_SCALE * svg_width(drawn)) or None), words)


def _response(subject: Subject) -> Markup:
    figure = plot_response(subject.fit, board=subject.board)
    about = "measured points, the fitted curve and the corner frequencies"
    if not isinstance(subject.fit, Fit):
        about = "of the fitted values, with the corner frequencies; a saved fit does not hold what was measured"
    return _figure(_raster(figure, f"Response over frequency: {about}"), None)


def _replay(subject: Subject) -> Markup:
    return replay_body(_whole(subject), subject.board)


def _surfaces(subject: Subject) -> Markup:
    """The loss over pairs of components that belong together."""
    from circuits.views.loss_surface import plot_loss_surface

    drawn = []
    for names in pairs(subject.own.names)[:MOST_SURFACES]:
        figure = plot_loss_surface(_whole(subject), names, board=subject.board)
        drawn.append(
            _figure(_raster(figure, f"Loss over {' and '.join(names)}, with the path that the fit walked"), None)
        )
    rest = len(pairs(subject.own.names)) - len(drawn)
    return joined([*drawn, _paragraph(f"… and {rest} more pairs") if rest > 0 else None])


def pairs(names: Sequence[str]) -> list[tuple[str, ...]]:
    """Names two by two, those of one part of a circuit together; an odd one stands alone.

    >>> pairs(["low.R", "band.R_low", "band.R_high", "high.R"])
    [('band.R_low', 'band.R_high'), ('low.R', 'high.R')]
    """
    parts: dict[str, list[str]] = {}
    for name in names:
        parts.setdefault(name.rpartition(".")[0], []).append(name)
    found, single = [], []
    for own in parts.values():
        found += [tuple(own[i : i + 2]) for i in range(0, len(own) - 1, 2)]
        single += own[-1:] if len(own) % 2 else []
    return found + [tuple(single[i : i + 2]) for i in range(0, len(single), 2)]


def _pulls(subject: Subject) -> Markup:
    """The tug of war at the first step and at the last."""
    from circuits.views.contributions import plot_contributions

    fit, drawn = _whole(subject), []
    steps = {"Where the fit began": 0, "Where it ended": -1} if fit.history is not None else {"Where it ended": -1}
    for title, step in steps.items():
        figure = plot_contributions(fit, step, board=subject.board)
        words = f"{title}: the derivative of the loss by each component through every data point"
        drawn += [element("h3", None, title), _figure(_raster(figure, words), None)]
    words = "How every data point pulls at every component: the gradient is their sum, and at a minimum they balance."
    return joined([_paragraph(words), *drawn])


def _history(subject: Subject) -> Markup:
    from circuits.views.history import plot_history

    return _figure(_raster(plot_history(subject.fit, board=subject.board), "Loss, values and gradients by step"), None)


def _known(subject: Subject) -> Markup:
    """Identifiability, pairs that are hard to tell apart, and the correlations."""
    own = subject.own
    parts = [_paragraph(_sentence(str(own.identifiability)))]
    if own.strong_correlations:
        parts.append(_paragraph(f"Nearly the same to these data: {', '.join(own.strong_correlations)}."))
    correlations = account.correlation_table(own)
    if correlations is not None:
        parts += [element("h3", None, "Correlation of the values"), element("div", {"class": "wide"}, correlations)]
    return joined([*parts, _convergence(subject)])


def _convergence(subject: Subject) -> Markup | None:
    """What gradient descent would meet here."""
    if not isinstance(subject.fit, Fit):
        return None
    try:
        words = str(subject.fit.convergence(subject.board))
    except NOT_DRAWN:
        return None
    return joined([element("h3", None, "Gradient descent near where the fit ended"), _paragraph(_sentence(words))])


def _graph(subject: Subject) -> Markup:
    from circuits.views.graphs import draw_graph

    circuit = _circuit(subject)
    corners = [float(np.asarray(f.detach()).reshape(-1)[0]) for f in circuit.cutoffs().values()]
    f = math.exp(sum(math.log(corner) for corner in corners) / len(corners)) if corners else 1000.0
    f = float(f"{f:.2g}")
    drawn = draw_graph(circuit, f).render("svg").decode()
    words = (
        f"What autograd records when the circuit is evaluated at {engineering(f, 'Hz')}: from the components at the top"
    )
    about = "Computation graph of the circuit, from its components to its output"
    image = _vector(drawn, about, _readable_width(drawn))
    return _figure(
        element("div", {"class": "wide", "tabindex": 0}, image), f"{words} through every operation to the output."
    )


def _readable_width(svg: str) -> int | None:
    """A wide drawing is made smaller until it fits the page, though never to less than 0.7 of its size."""
    natural = svg_width(svg)
    return round(max(PAGE_WIDTH, 0.7 * natural)) if natural > PAGE_WIDTH else None


def _data(subject: Subject) -> Markup:
    """What was measured, and how the fit went about it."""
    fit = subject.fit
    rows = [["loss", fit.loss_name], ["steps", str(subject.own.steps)], ["time", f"{fit.seconds:.3g} s"]]
    parts = []
    if isinstance(fit, Fit):
        rows.insert(1, ["method", repr(fit.method)])
        starts = [[n, engineering(float(v), fit.units.get(n, ""))] for n, v in _starts(subject)]
        rows += [["began at", ", ".join(f"{name} = {value}" for name, value in starts[:MOST_ROWS])]]
        parts.append(_measured(fit.data))
    else:
        parts.append(
            _paragraph(
                "This page was made from a saved fit, which does not hold what was measured: a replay, the "
                "loss around the result and the contributions of the data need the fit itself."
            )
        )
    return joined([*parts, account.fact_table(rows)])


def _starts(subject: Subject) -> list[tuple[str, float]]:
    """The values that this board started from, by name."""
    fit = _whole(subject)
    row = fit.problem.coordinates.values(fit.start)[subject.board]
    return list(zip(fit.names, row.tolist(), strict=True))


def _measured(data: object) -> Markup:
    if isinstance(data, Measurements):
        return account.measurement_table(data)
    return _paragraph("The fit was given its inputs and targets as tensors.")


# pictures


def _figure(picture: Markup, words: str | None) -> Markup:
    return element("figure", None, picture, element("figcaption", None, words) if words else None)


def _raster(figure: Figure, words: str) -> Markup:
    """A matplotlib figure as an image inside the page, at half its pixels: sharp on screens of twice the density."""
    pixels = np.asarray(Image.open(io.BytesIO(rendered(figure, "png"))).convert("RGB"))
    palette = Palette.of([pixels])
    height, width = pixels.shape[:2]
    source = data_uri(webp(palette.indices(pixels), palette), "image/webp")
    return element("img", {"src": source, "alt": words, "width": width // 2, "height": height // 2})


def _vector(svg: str, words: str, width: int | None = None) -> Markup:
    """An SVG as an image of its own: its styles and names stay inside it, and nothing in it can run."""
    return element("img", {"src": data_uri(svg.encode(), "image/svg+xml"), "alt": words, "width": width})


def _circuit(subject: Subject) -> Circuit:
    if subject.circuit is None:
        raise OhmgradError(f"{subject.fit.model_name} is no circuit")
    return subject.circuit


def _whole(subject: Subject) -> Fit:
    if not isinstance(subject.fit, Fit):
        raise OhmgradError("a saved fit does not hold what was measured")
    return subject.fit
