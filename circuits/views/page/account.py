"""What a page says of a fit, a circuit or measurements: the figures of the printed table as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.data import Measurements
from circuits.fitting import table as printed
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit
from circuits.notation import format as engineering
from circuits.views.page.markup import Markup, element, joined, listing, table

MOST_NAMED = 12
"""Parameters between which correlations are tabulated: more columns nobody reads."""


def fit_tables(fit: Fit | SavedFit, most: int = printed.MOST_ROWS, kind: str | None = None) -> Markup:
    """Values and corner frequencies of a single board, or how they spread over a batch; `kind` is their class."""
    if fit.batch_shape:
        return _batch_tables(fit)
    rows, corners = printed.value_rows(fit), printed.corner_rows(fit)
    values = [table(printed.value_head(fit), rows[:most]), _more(len(rows), most)]
    return element(
        "div",
        {"class": kind},
        element("div", None, *values),
        element("div", None, table(printed.CORNER_HEAD, corners)) if corners else None,
    )


def _batch_tables(fit: Fit | SavedFit) -> Markup:
    """How the values spread over the boards, and the first boards one by one."""
    boards, names = fit.batch_shape.numel(), list(fit.values)
    first = table(["board", *names], printed.board_rows(fit))
    return joined([table(printed.SPREAD_HEAD, printed.spread_rows(fit)), first, _more(boards, printed.MOST_ROWS)])


def _more(count: int, most: int) -> Markup | None:
    return element("p", None, f"… and {count - most} more") if count > most else None


def verdict_list(fit: Fit | SavedFit) -> Markup:
    """Whether the data are explained, what they determine, why the fit stopped, and its notes."""
    return listing(printed.batch_verdict(fit) if fit.batch_shape else printed.verdict(fit))


def how(fit: Fit | SavedFit) -> str:
    """By which loss, on how many boards, and what was held: the printed title without the name.

    >>> import circuits as cc
    >>> how(cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5))))
    'by Magnitude(); held fixed: C = 1 µF'
    """
    words = printed.title(fit).removeprefix(fit.model_name).strip()
    return f"{fit.batch_shape.numel()} boards, {words}" if fit.batch_shape else words


def is_sound(fit: Fit | SavedFit) -> bool:
    """Whether every board arrived and explains its data."""
    return all(bool(torch.as_tensor(fact).all()) for fact in (fit.converged, fit.explains))


def doubts(fit: Fit | SavedFit) -> str:
    """What to know before believing the values of a single board; nothing where all is well."""
    said = [] if fit.converged else ["the fit did not converge"]
    said += [] if fit.explains else ["it does not explain these data"]
    said += [] if fit.identifiability.complete else ["these data do not determine every component"]
    words = "; ".join(said)
    return f"{words[:1].upper()}{words[1:]}." if said else ""


def component_table(circuit: Circuit) -> Markup:
    """Every component with its value, or its spread over the boards, and whether a fit would move it."""
    units = circuit.units()
    rows = []
    for name, parameter in circuit.named_parameters(remove_duplicate=False):
        role = "learnable" if parameter.requires_grad else "held fixed"
        rows.append([name, _spread(parameter.detach(), units.get(name, "")), role])
    return table(["component", "value", "in a fit"], rows)


def corner_table(corners: Mapping[str, Tensor]) -> Markup:
    """Corner frequencies of a circuit without their errors."""
    return table(["corner", "frequency"], [[name, _spread(f.detach(), "Hz")] for name, f in corners.items()])


def _spread(values: Tensor, unit: str) -> str:
    """`200 Ω`, or `1 Ω … 82 kΩ` over the boards."""
    low, high = float(values.min()), float(values.max())
    return engineering(low, unit) if low == high else f"{engineering(low, unit)} … {engineering(high, unit)}"


def measurement_table(data: Measurements) -> Markup:
    """Quantity, frequencies, outputs, σ, what is missing and what else is known, a row each."""
    low, high = (engineering(float(end), "Hz") for end in (data.f.min(), data.f.max()))
    missing = int(data.values.isnan().sum())
    facts = {
        "quantity": "LEDs, lit or dark" if data.quantity == "led" else data.quantity,
        "frequencies": f"{len(data)}, {low}" + ("" if low == high else f" to {high}"),
        "outputs": ", ".join(data.outputs),
        "boards": "×".join(str(size) for size in data.batch_shape),
        "lit": _lit(data),
        "missing values": str(missing) if missing else "",
        "σ of each value": "given" if data.sigma is not None else "" if data.quantity == "led" else "not given",
        "understood as": data.understood,
        **{str(key): _meta(value) for key, value in data.meta.items()},
    }
    return fact_table([[name, fact] for name, fact in facts.items() if fact])


def fact_table(rows: Sequence[Sequence[str]]) -> Markup:
    """Names and what is known under each."""
    return table([], rows, "ohmgrad-facts")


def _meta(value: object) -> str:
    return ", ".join(str(part) for part in value) if isinstance(value, (list, tuple)) else str(value)


def _lit(data: Measurements) -> str:
    """How many of the LEDs that were seen were lit."""
    if data.quantity != "led":
        return ""
    return f"{int((data.values == 1).sum())} of {int((~data.values.isnan()).sum())} LEDs"


def correlation_table(fit: Fit | SavedFit) -> Markup | None:
    """Correlation between the values of a single board, pairs that are hard to tell apart in bold."""
    names: Sequence[str] = fit.names
    if not 1 < len(names) <= MOST_NAMED:
        return None
    rows = []
    for i, name in enumerate(names):
        numbers = [float(fit.correlation[i, j]) for j in range(len(names))]
        rows.append([name, *("1" if i == j else _correlation(c) for j, c in enumerate(numbers))])
    return table(["", *names], rows)


def _correlation(number: float) -> str:
    if number != number:
        return "–"
    return element("b", None, f"{number:.3f}") if abs(number) > 0.99 else f"{number:.3f}".replace("-", "−")
