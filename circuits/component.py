"""What a component is: its unit, the range it is drawn from, whether it learns, and how its value is read."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from circuits.errors import ComponentError, NotationError, ShapeError, UnknownName

Value: TypeAlias = "float | str | Sequence | Tensor | None"


@dataclass(frozen=True)
class Component:
    """A kind of component.

    `unit` is its SI unit, `low` to `high` the range in which a value left out is drawn (uniformly in its
    logarithm), and `learn` says whether it moves in a fit unless told otherwise. A fit moves what is `positive` as a
    logarithm and anything else, such as the gain of an amplifier that may invert, as it is, within `bounds`, where
    either end may be None. `tolerance` is how far a part is from its value, relative, where that is known.

    >>> FARAD
    Component(unit='F', low=1e-09, high=0.0001, learn=False)
    """

    unit: str
    low: float
    high: float
    learn: bool = True
    positive: bool = field(default=True, repr=False)
    bounds: tuple[float | None, float | None] = field(default=(None, None), repr=False)
    tolerance: float | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Placed:
    """A part in its place: the letter of its kind as SPICE has it, its name, its nodes, and what belongs to it.

    `components` are the dotted names of the circuit's components in it, by role; `value` is what there is to say of a
    part whose value is no component of its own.

    >>> Placed("R", "R1", ("in", "out"), {"": "R1"})
    Placed(letter='R', name='R1', nodes=('in', 'out'), components={'': 'R1'}, value='')
    """

    letter: str
    name: str
    nodes: tuple[str, ...]
    components: Mapping[str, str]
    value: str = ""


OHM = Component("Ω", 1.0, 100e3)
FARAD = Component("F", 1e-9, 100e-6, learn=False)
HERTZ = Component("Hz", 1.0, 1e6)
RATIO = Component("", 0.1, 10.0)


def make_parameters(
    components: Mapping[str, Component],
    values: Mapping[str, Value],
    batch: int | Sequence[int] = (),
    seed: int | torch.Generator = 0,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> dict[str, nn.Parameter]:
    """One parameter a component, in SI units.

    A value is a number, a text such as `"4.7k"`, a list, an array or a tensor (copied); an `nn.Parameter` is
    kept as the object that it is, so that circuits can share it. None, or no value, is drawn log-uniformly.
    Where `batch` is given, every component but a Parameter takes that shape. The dtype is that of the tensors
    given, or float64.

    Raises:
        ComponentError: a value that is not finite, or not positive where it has to be, or no number at all.
        ShapeError: shapes that do not broadcast.
        UnknownName: a value for a component that is not there.

    >>> make_parameters({"R": OHM}, {"R": 470.0})["R"].item()
    470.0
    """
    for name in values:
        if name not in components:
            raise UnknownName("component", name, components)
    given = {name: _read(name, values.get(name), kind.unit) for name, kind in components.items()}
    tensors = [value for value in values.values() if isinstance(value, Tensor)]
    dtype = dtype or _dtype(tensors)
    device = torch.device(device or (tensors[0].device if tensors else "cpu"))
    batch = (batch,) if isinstance(batch, int) else tuple(batch)
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator().manual_seed(seed)
    made = {}
    for name, kind in components.items():
        value = given[name]
        value = _draw(kind, batch, generator) if value is None else value
        made[name] = _parameter(name, value, kind, batch, dtype, device)
    broadcast_shape({name: parameter.shape for name, parameter in made.items()})
    return made


def broadcast_shapes(*shapes: Sequence[int]) -> torch.Size:
    """The shape that all these shapes broadcast to: what `torch.broadcast_shapes` returns, which loads sympy to say it.

    Raises:
        ShapeError: there is none.

    >>> broadcast_shapes((3, 1), (), (4,))
    torch.Size([3, 4])
    """
    common = [1] * max(map(len, shapes), default=0)
    for shape in shapes:
        for place, size in enumerate(reversed(shape), 1):
            if common[-place] == 1:
                common[-place] = size
            elif size not in (1, common[-place]):
                listed = ", ".join(str(tuple(one)) for one in shapes)
                raise ShapeError(f"shapes do not broadcast: {listed}; expected equal sizes, or ones, from the last on")
    return torch.Size(common)


def broadcast_shape(shapes: Mapping[str, Sequence[int]]) -> torch.Size:
    """The shape that all the named shapes broadcast to.

    Raises:
        ShapeError: there is none; the message shows every shape that is not a single value's.

    >>> broadcast_shape({"R": (3, 1), "C": (4,)})
    torch.Size([3, 4])
    """
    try:
        return broadcast_shapes(*shapes.values())
    except ShapeError:
        listed = ", ".join(f"{name} {tuple(shape)}" for name, shape in shapes.items() if len(shape))
        raise ShapeError(
            f"shapes do not broadcast: {listed}; give every component one value, or all of them one shape"
        ) from None


def _read(name: str, value: Value, unit: str) -> Tensor | None:
    """The value as a tensor, of whatever dtype it came in."""
    if value is None or isinstance(value, Tensor):
        if value is not None and value.is_complex():
            raise ComponentError(
                f"{name} is complex; expected a positive value{_in(unit)}, and reactance follows from f"
            )
        return value
    try:
        return torch.tensor(_numbers(value, unit), dtype=torch.float64)
    except NotationError as error:
        raise ComponentError(f"{name}: {error}") from error
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise ComponentError(
            f"{name}={reprlib.repr(value)} is not a value; expected a number, a text such as '4.7k', a list, "
            "an array or a tensor"
        ) from error


def _numbers(value: Any, unit: str) -> Any:
    """The value with every text in it read as engineers write it."""
    if isinstance(value, str):
        from circuits import notation  # only where a text is met: importing a filter needs no grammar

        return notation.parse(value, unit or None)
    if isinstance(value, (list, tuple)):
        return [_numbers(item, unit) for item in value]
    return value


def _dtype(tensors: Sequence[Tensor]) -> torch.dtype:
    """float64, unless the caller's own tensors agree on something else."""
    dtypes = [tensor.dtype for tensor in tensors if tensor.is_floating_point()]
    return reduce(torch.promote_types, dtypes) if dtypes else torch.float64


def _draw(kind: Component, batch: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Uniform in the logarithm; in float64 always, so that a seed means the same values in every dtype."""
    u = torch.rand(batch, generator=generator, dtype=torch.float64, device=generator.device)
    return torch.exp(math.log(kind.low) + u * math.log(kind.high / kind.low))


def _parameter(
    name: str,
    value: Tensor,
    kind: Component,
    batch: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
) -> nn.Parameter:
    """The checked value as a parameter of this shape, dtype and device; a Parameter stays itself."""
    check_value(name, value, kind)
    if isinstance(value, nn.Parameter):
        if value.dtype != dtype or value.device.type != device.type:
            raise ComponentError(
                f"{name} is a {value.dtype} Parameter on {value.device} in a circuit of {dtype} on {device}; "
                "a Parameter is shared as it is: make them agree, or give its value (a tensor is copied)"
            )
        return value
    value = value.detach().to(dtype=dtype, device=device)
    check_value(name, value, kind, f" that {dtype} can hold")
    if batch:
        value = _expand(name, value, batch)
    return nn.Parameter(value.clone(memory_format=torch.contiguous_format), requires_grad=kind.learn)


def _expand(name: str, value: Tensor, batch: tuple[int, ...]) -> Tensor:
    try:
        return value.expand(batch)
    except RuntimeError:
        raise ShapeError(
            f"{name} has shape {tuple(value.shape)}, which does not broadcast to batch={batch}; "
            "give one value, or one for each board"
        ) from None


def check_value(name: str, value: Tensor, kind: Component, more: str = "") -> None:
    """Refuse a value that the component cannot have.

    Raises:
        ComponentError: one that is not finite, or not positive where it has to be.

    >>> check_value("R", torch.tensor(-1.0), OHM)
    Traceback (most recent call last):
    circuits.errors.ComponentError: R = -1 Ω; expected a positive, finite value in Ω
    """
    fine = torch.isfinite(value)
    wrong = value[~(fine & (value > 0) if kind.positive else fine)]
    if wrong.numel():
        given = f"{wrong[0].item():g}{_in(kind.unit, ' ')}"
        expected = "positive, finite" if kind.positive else "finite"
        raise ComponentError(f"{name} = {given}; expected a {expected} value{_in(kind.unit)}{more}")


def _in(unit: str, before: str = " in ") -> str:
    return f"{before}{unit}" if unit else ""
