"""`Circuit`: named components, batches of boards, and the views of one complex response."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn

from circuits.component import Component, Placed, Value, broadcast_shape, broadcast_shapes, make_parameters
from circuits.errors import FrequencyError, UnknownName

_SPELLED_OUT = ContextVar("spelled out", default=False)

QUANTITIES = ("response", "magnitude", "decibels", "phase", "group_delay", "led")
Slopes = Mapping[str, Tensor]


class Circuit(nn.Module):
    """A circuit whose components are `nn.Parameter`s in SI units.

    Components have the shape of a batch of boards, `(*batch)`, frequency is `(n,)` or `(*batch, n)` in hertz,
    and what comes out is `(*batch, n)`, or `(*batch, k, n)` from a circuit with k named `outputs`. A
    frequency of no dimension gives one value a board.

    A new circuit names its `components` and either its `formulas`, functions of (f, *components) by quantity,
    or its `transfer` function; every view that has no formula follows from the complex response.

    >>> from circuits.component import OHM
    >>> class Divider(Circuit):
    ...     components = {"R": OHM, "R_load": OHM}
    ...
    ...     def transfer(self, f):
    ...         return torch.complex(self.R_load / (self.R + self.R_load) + 0 * f, 0 * f)
    >>> Divider({"R": 1000.0, "R_load": "3k"})(50.0).item()
    0.75
    """

    components: Mapping[str, Component] = {}
    formulas: Mapping[str, Callable[..., Tensor]] = {}
    outputs: tuple[str, ...] = ()
    _parameters: dict[str, Any]  # in any module some may be None; here none is

    def __init__(
        self,
        values: Mapping[str, Value] | None = None,
        *,
        components: Mapping[str, Component] | None = None,
        batch: int | Sequence[int] = (),
        seed: int | torch.Generator = 0,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        if components is not None:  # a circuit that knows its components only once it is made
            self.components = components
        made = make_parameters(self.components, values or {}, batch, seed, dtype, device)
        for name, parameter in made.items():
            self.register_parameter(name, parameter)

    # what it is made of

    @property
    def title(self) -> str:
        """What tables and pictures call it."""
        return type(self).__name__

    @property
    def response_unit(self) -> str:
        """The unit of the response; a ratio, as here, has none."""
        return ""

    def kinds(self) -> dict[str, Component]:
        """What every component is, by dotted name."""
        kinds = dict(self.components)
        for child, circuit in self._children():
            kinds.update({f"{child}.{name}": kind for name, kind in circuit.kinds().items()})
        return kinds

    def units(self) -> dict[str, str]:
        """Unit of every component by dotted name, such as `{"band.R_low": "Ω"}`."""
        return {name: kind.unit for name, kind in self.kinds().items()}

    @property
    def batch_shape(self) -> torch.Size:
        """The shape that all components broadcast to: `()` is a single board."""
        return broadcast_shape({name: p.shape for name, p in self.named_parameters(remove_duplicate=False)})

    def cutoffs(self) -> dict[str, Tensor]:
        """Corner frequencies in hertz by dotted name, `(*batch)`, with their graph."""
        return {f"{child}.{name}": f for child, c in self._children() for name, f in c.cutoffs().items()}

    def recipe(self) -> dict[str, Any] | None:
        """What a file has to hold beside the components to make it again, for a circuit that is no class alone."""
        return None

    def span(self) -> tuple[float, float] | None:
        """Lowest and highest frequency in hertz between which there is something to see, where it knows; else None."""
        return None

    def sweep(self) -> Tensor | None:
        """The frequencies in hertz that it is meant to be measured at, where it says so; else None."""
        return None

    def wiring(self, board: int = 0) -> tuple[Placed, ...]:
        """Which parts lie between which nodes, for a circuit that is drawn from a list; empty for the others."""
        return ()

    def _children(self) -> list[tuple[str, Circuit]]:
        return [(name, module) for name, module in self.named_children() if isinstance(module, Circuit)]

    # the views: f is checked, then the quantity predicted

    def forward(self, f: Any) -> Tensor:
        """Magnitude |H(f)|, which is what lights an LED."""
        return self.magnitude(f)

    def response(self, f: Any) -> Tensor:
        """Complex response H(f), of which all else is a view.

        Args:
            f: frequency in hertz, `(n,)`, `(*batch, n)` or a number.

        Raises:
            FrequencyError: a frequency that is not positive and finite.
            ShapeError: the shape of f does not broadcast with the batch.
        """
        return self.predict(self._checked(f), "response")

    def magnitude(self, f: Any) -> Tensor:
        """Magnitude |H(f)|, a ratio of amplitudes."""
        return self.predict(self._checked(f), "magnitude")

    def decibels(self, f: Any) -> Tensor:
        """Level 20 log₁₀|H(f)| in decibels."""
        return self.predict(self._checked(f), "decibels")

    def phase(self, f: Any) -> Tensor:
        """Phase of H(f) in degrees."""
        return self.predict(self._checked(f), "phase")

    def group_delay(self, f: Any) -> Tensor:
        """Group delay −dφ/dω in seconds."""
        return self.predict(self._checked(f), "group_delay")

    def predict(self, f: Any, quantity: str) -> Tensor:
        """One of `QUANTITIES` by name, without any check of f; `led` is the magnitude that lights it.

        Raises:
            UnknownName: no such quantity.
        """
        return self._evaluate(self._frequency(f), "magnitude" if quantity == "led" else quantity)

    # what a new circuit may replace

    def transfer(self, f: Tensor) -> Tensor:
        """Complex response at frequencies ready to use; the one method that a new circuit must write."""
        if "response" not in self.formulas:
            raise NotImplementedError(f"{type(self).__name__} needs a `transfer` method, or formulas['response']")
        return self.formulas["response"](f, *self._boards(f))

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        """One quantity, by its own formula or from the response."""
        if quantity in self.formulas:
            return self.formulas[quantity](f, *self._boards(f))
        if quantity not in QUANTITIES:
            raise UnknownName("quantity", quantity, QUANTITIES)
        return self.transfer(f) if quantity == "response" else _VIEWS[quantity](self, f)

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has a closed form for this quantity, and so costs hardly more than a prediction."""
        return False

    def _slopes(self, f: Tensor, quantity: str) -> tuple[Tensor, Slopes]:
        """Prediction, and its derivative by the logarithm of each component, for what `has_slopes`."""
        raise NotImplementedError(f"{type(self).__name__} has no closed form for {quantity}")

    def linearize(self, f: Any, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Prediction and its exact Jacobian with respect to the named components, both without a graph.

        By a closed form where the circuit has one. Otherwise a point is a board: since components broadcast
        over boards, giving every data point a board of its own makes one ordinary backward pass an output
        (two for complex ones) yield every derivative at once.

        Args:
            f: frequency in hertz, `(n,)` or `(*batch, n)`, unchecked.
            quantity: one of `QUANTITIES`.
            names: p dotted component names. A Parameter that serves under two names has a derivative under
                each.

        Returns:
            The prediction `(*batch, [k,] n)` and the Jacobian `(*batch, p, [k,] n)`, per SI unit of each
            component.

        Raises:
            UnknownName: no such component or quantity.
        """
        f = self._frequency(f)
        if f.ndim == 0:
            prediction, jacobian = self.linearize(f.reshape(1), quantity, names)
            return prediction.squeeze(-1), jacobian.squeeze(-1)
        with torch.no_grad():
            return self._linearize(f, quantity, names)

    def _linearize(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        rows = self._rows(f, quantity, names)
        if rows is None:
            return point_is_a_board(self, f, quantity, names)
        return rows[0], _stacked(rows[1], rows[0])

    def _rows(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, list[Tensor]] | None:
        """Prediction and the rows of its Jacobian, where a closed form is known."""
        if not self.has_slopes(quantity):
            return None
        prediction, slopes = self._slopes(f, quantity)
        own = self._parameters
        for name in names:
            if name not in own:
                raise UnknownName("component", name, self.units())
        return prediction, [slopes[name] / _column(own[name]) for name in names]

    # frequencies and components, made ready

    def _boards(self, f: Tensor) -> list[Tensor]:
        """The components, with a trailing dimension for the frequencies."""
        own = self._parameters
        return [_column(own[name]) if f.ndim else own[name] for name in self.components]

    def _frequency(self, f: Any) -> Tensor:
        """The frequency as a tensor of the circuit's dtype, on its device."""
        own = next(iter(self._parameters.values()), None)
        own = next(self.parameters()) if own is None else own
        if isinstance(f, Tensor) and f.dtype is own.dtype and f.device == own.device:
            return f
        try:
            if not isinstance(f, Tensor):
                return torch.tensor(f, dtype=own.dtype, device=own.device)
            if not f.is_complex():
                return f.to(dtype=own.dtype, device=own.device)
        except (TypeError, ValueError, RuntimeError):
            pass
        raise FrequencyError(f"{reprlib.repr(f)} is no frequency; expected real hertz: a number, list, array or tensor")

    def _checked(self, f: Any) -> Tensor:
        """The same, positive, finite and of a shape that fits."""
        f = self._frequency(f)
        if torch.compiler.is_compiling():
            return f
        if f.ndim > 1:
            broadcast_shape({"f without its last dimension": f.shape[:-1], "the components": self.batch_shape})
        try:
            low, high = f.aminmax() if f.numel() else (1.0, 1.0)
            if low > 0 and high < math.inf:  # neither is true of NaN
                return f
        except RuntimeError:  # under vmap, or on a meta tensor, there is no value to look at
            return f
        wrong = f[~((f > 0) & (f < math.inf))][0].item()
        raise FrequencyError(f"frequency {wrong:g} Hz; expected positive, finite hertz: leave that point out")

    def _repr_html_(self) -> str | None:
        """Components, schematic and a small plot for a notebook."""
        from circuits.views.page import circuit_html  # looked up only when somebody is there to see it

        return circuit_html(self)

    def extra_repr(self) -> str:
        """Components in engineering notation."""
        from circuits.notation import format  # imported where a person reads: predicting needs no notation

        return ", ".join(
            f"{name}={_shown(self._parameters[name], component.unit, format)}"
            for name, component in self.components.items()
        )


@contextmanager
def spelled_out() -> Iterator[None]:
    """Let circuits that compute by a program of their own do so by torch's operations, for who wants to follow them."""
    before = _SPELLED_OUT.set(True)
    try:
        yield
    finally:
        _SPELLED_OUT.reset(before)


def is_spelled_out() -> bool:
    """Whether every operation is to be one of torch's.

    >>> with spelled_out():
    ...     is_spelled_out()
    True
    """
    return _SPELLED_OUT.get()


def point_is_a_board(circuit: Circuit, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """`Circuit.linearize` by autograd: a board for each point, and one backward pass for each output.

    >>> from circuits.filters import LowPass
    >>> f = torch.tensor([159.155, 1591.55], dtype=torch.float64)
    >>> point_is_a_board(LowPass(R=1000.0), f, "magnitude", ["R"])[1]
    tensor([[-3.5355e-04, -9.8518e-05]], dtype=torch.float64)
    """
    parameters = dict(circuit.named_parameters(remove_duplicate=False))
    for name in names:
        if name not in parameters:
            raise UnknownName("component", name, circuit.units())
    columns = {name: _column(p.detach()) for name, p in parameters.items()}
    points = broadcast_shapes(f.shape, *(column.shape for column in columns.values()))
    leaves = {name: columns[name].expand(points).clone().requires_grad_() for name in names}
    with torch.enable_grad(), _holding(circuit, columns | leaves):
        prediction = circuit.predict(f.detach().unsqueeze(-1), quantity).squeeze(-1)
        if prediction.ndim == len(points):
            return prediction.detach(), _gradients(prediction, list(leaves.values()))
        rows = [_gradients(output, list(leaves.values())) for output in prediction.unbind(-1)]
    return prediction.detach().movedim(-1, -2), torch.stack(rows, -2)


def _gradients(prediction: Tensor, leaves: Sequence[Tensor]) -> Tensor:
    """Derivative of each point by its own components, `(*batch, p, n)`."""
    if prediction.is_complex():
        return torch.complex(_gradients(prediction.real, leaves), _gradients(prediction.imag, leaves))
    rows = [None] * len(leaves)
    if leaves and prediction.requires_grad:
        rows = torch.autograd.grad(prediction.sum(), leaves, retain_graph=True, allow_unused=True)
    rows = [torch.zeros_like(leaf) if row is None else row for row, leaf in zip(rows, leaves, strict=True)]
    return _stacked(rows, prediction.detach())


def _stacked(rows: Sequence[Tensor], prediction: Tensor) -> Tensor:
    """Rows `(*batch, n)` of a Jacobian, `(*batch, p, n)`, possibly none."""
    return torch.stack(tuple(rows), -2) if rows else prediction.unsqueeze(-2).narrow(-2, 0, 0)


@contextmanager
def _holding(circuit: Circuit, tensors: Mapping[str, Tensor]) -> Iterator[None]:
    """The circuit with plain tensors in the place of its parameters, for a while."""
    slots = []
    for name in tensors:
        path, _, leaf = name.rpartition(".")
        slots.append((circuit.get_submodule(path)._parameters, leaf, name))
    before = [held[leaf] for held, leaf, _ in slots]
    try:
        for held, leaf, name in slots:
            held[leaf] = tensors[name]
        yield
    finally:
        for (held, leaf, _), parameter in zip(slots, before, strict=True):
            held[leaf] = parameter


def _column(component: Tensor) -> Tensor:
    """A component with a trailing dimension for the frequencies; a single value needs none."""
    return component.unsqueeze(-1) if component.ndim else component


def _group_delay(circuit: Circuit, f: Tensor) -> Tensor:
    """Group delay −Im(H′/H)/2π, by one backward pass an output: its weight j/H* picks the imaginary part."""
    points = broadcast_shapes(f.shape, (*circuit.batch_shape, 1)[: None if f.ndim else -1])
    response, pull, *_ = torch.func.vjp(circuit.transfer, f.expand(points))
    weights = 1j / response.conj()
    if response.ndim == len(points):
        return pull(weights)[0] / (-2 * math.pi)
    dimension = -2 if f.ndim else -1
    chosen = torch.eye(response.shape[dimension], dtype=f.dtype, device=f.device)
    chosen = chosen.unsqueeze(-1) if f.ndim else chosen
    return torch.stack([pull(weights * row)[0] for row in chosen], dimension) / (-2 * math.pi)


_VIEWS: Mapping[str, Callable[[Circuit, Tensor], Tensor]] = {
    "magnitude": lambda circuit, f: circuit.transfer(f).abs(),
    "decibels": lambda circuit, f: 20 * torch.log10(circuit.transfer(f).abs()),
    "phase": lambda circuit, f: torch.rad2deg(circuit.transfer(f).angle()),
    "group_delay": _group_delay,
}


def _shown(component: Tensor, unit: str, write: Callable[..., str]) -> str:
    """A component as engineers write it: `4.7 kΩ`, `1 µF fixed`, `1 Ω … 82 kΩ (1000 boards)`."""
    values = component.detach()
    text = write(values.item(), unit) if values.numel() == 1 else f"{tuple(values.shape)}"
    if values.numel() > 1:
        text = f"{write(values.min().item(), unit)} … {write(values.max().item(), unit)} {text}"
    return text if component.requires_grad else f"{text} fixed"
