"""`NetlistCircuit`: a netlist as a circuit like any other, and `read_netlist`, which makes one of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from circuits.circuit import Circuit, point_is_a_board
from circuits.component import Component, Placed, Value, make_parameters
from circuits.errors import OptionError, UnknownName
from circuits.netlist.answering import Answering
from circuits.netlist.choosing import Asked, called, choose_outputs
from circuits.netlist.components import components_of
from circuits.netlist.elements import Netlist
from circuits.netlist.expressions import evaluate
from circuits.netlist.naming import Index, paths_of
from circuits.netlist.plain import to_plain
from circuits.netlist.readings import SLOPED, as_quantity, in_order, readings_of
from circuits.netlist.showing import bending, frequencies_of, placed, titled
from circuits.netlist.solver.system import initial_values

Names = str | Iterable[str]
SWEPT = (1.0, 1e6)
"""Hertz between which the solution is planned where the netlist has no `.ac`."""


class Subcircuit(Circuit):
    """The components of one subcircuit of a netlist, or of one element that has several, under their own names."""

    def transfer(self, f: Tensor) -> Tensor:
        """There is none: what it does depends on what surrounds it.

        Raises:
            OptionError: always.
        """
        raise OptionError("a subcircuit has no response of its own; ask the whole circuit for one of its nodes")


class NetlistCircuit(Answering):
    r"""A linear circuit given by its netlist.

    Every free parameter of the netlist is a component, an `nn.Parameter` in its SI unit under its name: `circuit.R3`,
    `circuit.X1.R2`, `circuit.T1.z0`. A name that a circuit needs for itself gets an underscore (`circuit.half_` for a
    part called `half`), and one that is no Python name is reached as `circuit["R+"]`. Nothing is learned but
    what `learn`, or `@learn` in the netlist, says.

    Args:
        netlist: flattened, as `read_netlist` gives it.
        output: what to measure: `"V(out)/V(in)"`, `"V(a,b)"`, `"I(R1)"`, `"Z(in)"`; a list of several, or a mapping
            from name to each. Left out, it is V(out) over the voltage of the one AC source.
        learn: names or globs of what a fit shall move, such as `["R*", "X1.C?"]`.
        values: component values by name in place of the netlist's; one with a shape makes a batch of boards.
        batch: shape of the boards, if not that of the values.
        dtype, device: as in torch; float64 by default.

    Raises:
        NetlistError: a circuit that has no single solution.
        OptionError: an output or a name to learn that cannot be followed. UnknownName: a name that is not there.
        ComponentError, ShapeError: values that no part can have, shapes that do not broadcast.

    >>> from circuits.netlist import read_netlist
    >>> circuit = read_netlist("divider\nV1 in 0 AC 1\nR1 in out 1k\nR2 out 0 3k", learn="R2")
    >>> circuit.response(50.0).item()
    (0.75+0j)
    >>> circuit["r2"].item(), circuit.R1.requires_grad, circuit.R2.requires_grad
    (3000.0, False, True)
    """

    def __init__(
        self,
        netlist: Netlist,
        output: Asked = None,
        learn: Names = (),
        *,
        values: Mapping[str, Value] | None = None,
        batch: int | Sequence[int] = (),
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ):
        super().__init__()
        learn = [learn] if isinstance(learn, str) else list(learn)
        self.netlist = netlist
        self._chosen = choose_outputs(netlist, output)
        self.outputs = tuple(self._chosen) if "" not in self._chosen else ()
        kinds, start = components_of(netlist), initial_values(netlist)
        self._index = Index(netlist, paths_of(kinds, {*dir(self), "_index", "_slots", "_readings"}))
        given = {name: start[name] for name in kinds}
        given |= {self._index.free(name): value for name, value in (values or {}).items()}
        self._grow(kinds, make_parameters(kinds, given, batch, 0, dtype, device))
        self._readings = readings_of(netlist, list(self._chosen.values()))
        swept = (netlist.sweep.low, netlist.sweep.high) if netlist.sweep and netlist.sweep.low > 0 else SWEPT
        for reading in self._readings:
            reading.prepare(self._free(), *swept)
        self.learn(*learn, *(name for name in kinds if netlist.parameters[name].learn))

    def _grow(self, kinds: Mapping[str, Component], parameters: Mapping[str, torch.nn.Parameter]) -> None:
        """Hang every component in its place, in the modules of its subcircuits."""
        self._slots: list[tuple[str, Circuit, str]] = []
        self.components = {}
        parts: dict[Circuit, dict[str, Component]] = {}
        for name, path in self._index.paths.items():
            *owners, leaf = path.split(".")
            module: Circuit = self
            for owner in owners:
                if owner not in module._modules:
                    module.add_module(owner, Subcircuit())
                module = module.get_submodule(owner)  # type: ignore[assignment]
            parts.setdefault(module, {})[leaf] = kinds[name]
            module.register_parameter(leaf, parameters[name])
            self._slots.append((name, module, leaf))
        for module, components in parts.items():
            module.components = components

    # what it is made of

    @property
    def title(self) -> str:
        """The first line of the netlist, or as much of it as fits into a heading."""
        return titled(self.netlist.title) or type(self).__name__

    @property
    def response_unit(self) -> str:
        """Ω where all outputs are impedances."""
        return "Ω" if all(output.is_impedance for output in self._chosen.values()) else ""

    def span(self) -> tuple[float, float]:
        """The frequencies of the netlist's `.ac`, or else those between which the response bends."""
        sweep = self.netlist.sweep
        return (sweep.low, sweep.high) if sweep is not None and sweep.low > 0 else bending(self)

    def sweep(self) -> Tensor | None:
        """The frequencies in hertz of the netlist's `.ac` line, those above zero; None where there is none."""
        return None if self.netlist.sweep is None else frequencies_of(self.netlist.sweep)

    def wiring(self, board: int = 0) -> tuple[Placed, ...]:
        """Every element between its nodes, with its components and its values on a board."""
        return placed(self.netlist, self._index.paths, self.values(), self.batch_shape, board)

    @property
    def output_names(self) -> tuple[str, ...]:
        """What the outputs are called; a single one too, which has no name in a prediction."""
        return self.outputs or tuple(called(list(self._chosen.values())))

    @property
    def tolerances(self) -> dict[str, float]:
        """Relative tolerance of every component for which the netlist says one, by dotted name: 0.05 for 5 %."""
        return {name: kind.tolerance for name, kind in self.kinds().items() if kind.tolerance is not None}

    def __getitem__(self, name: str) -> Tensor:
        """A component, a `.param` or the value of an element by name, in upper or lower case, with its graph.

        Raises:
            UnknownName: no such name; the message lists those there are.
        """
        value = evaluate(self._index.expression(name), self.values())
        return value if isinstance(value, Tensor) else self._like(value)

    def component_name(self, name: str) -> str:
        """The dotted name of a component that is named as in the netlist, in upper or lower case.

        Raises:
            UnknownName: no such component. OptionError: a value that follows from others.
        """
        return self._index.paths[self._index.free(name)]

    def values(self) -> dict[str, Tensor]:
        """Every parameter of the netlist by its name there, with its graph: the free ones and those that follow."""
        values: dict[str, Any] = {name: owner._parameters[leaf] for name, owner, leaf in self._slots}
        for name, parameter in self.netlist.parameters.items():
            if name not in values:
                value = evaluate(parameter.value, values)
                values[name] = value if isinstance(value, Tensor) else self._like(value)
        return values

    def learn(self, *names: str) -> NetlistCircuit:
        r"""Let a fit move the components of these names or globs; returns the circuit itself.

        Raises:
            UnknownName: nothing of that name. OptionError: a value that follows from others, which the message names.

        >>> from circuits.netlist import read_netlist
        >>> circuit = read_netlist("* divider\nV1 in 0 AC 1\nR1 in out 1k\nR2 out 0 3k").learn("R*").hold("R2")
        >>> [name for name, component in circuit.named_parameters() if component.requires_grad]
        ['R1']
        """
        batch = self.batch_shape
        for owner, leaf in self._named(names):
            parameter = owner._parameters[leaf].requires_grad_(True)
            if parameter.shape != batch:  # every board is fitted on its own
                parameter.data = parameter.data.expand(batch).clone()
        return self

    def hold(self, *names: str) -> NetlistCircuit:
        """Hold the components of these names or globs in a fit; returns the circuit itself.

        Raises:
            UnknownName, OptionError: as for `learn`.
        """
        for owner, leaf in self._named(names):
            owner._parameters[leaf].requires_grad_(False)
        return self

    def _named(self, names: Iterable[str]) -> list[tuple[Circuit, str]]:
        places = {name: (owner, leaf) for name, owner, leaf in self._slots}
        return [places[name] for pattern in names for name in self._index.matching(pattern)]

    def _like(self, value: float) -> Tensor:
        own = next(self.parameters(), torch.empty((), dtype=torch.float64))
        return torch.tensor(value, dtype=own.dtype, device=own.device)

    # what it does

    def transfer(self, f: Tensor) -> Tensor:
        """Complex response of the outputs."""
        at = f.reshape(1) if f.ndim == 0 else f
        values = self._free()
        found: dict[int, Tensor] = {}
        for reading in self._readings:
            found.update(reading.response(values, at))
        rows = in_order(found)
        H = torch.stack(torch.broadcast_tensors(*rows), -2) if self.outputs else rows[0]
        H = H.squeeze(-1) if f.ndim == 0 else H
        return H if f.dtype == torch.float64 else H.to(f.dtype.to_complex())

    def _free(self) -> dict[str, Tensor]:
        """The components by their names in the netlist."""
        return {name: owner._parameters[leaf] for name, owner, leaf in self._slots}

    def has_slopes(self, quantity: str) -> bool:
        """Whether `linearize` has its derivatives from one more solve: all quantities but the group delay."""
        return quantity in SLOPED

    def _linearize(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """By the adjoint solve of each output, see `System.jacobian`."""
        if not self.has_slopes(quantity):
            return point_is_a_board(self, f, quantity, names)
        for name in names:
            if name not in self._index.name_of:
                raise UnknownName("component", name, self.units())
        values, wanted = self._free(), [self._index.name_of[name] for name in names]
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for reading in self._readings:
            found.update(reading.jacobian(values, f, wanted))
        parts = [as_quantity(H, slopes, quantity) for H, slopes in in_order(found)]
        if not self.outputs:
            return self._narrowed(*parts[0], f)
        predictions, slopes = (torch.broadcast_tensors(*side) for side in zip(*parts, strict=True))
        return self._narrowed(torch.stack(predictions, -2), torch.stack(slopes, -2), f)

    @staticmethod
    def _narrowed(prediction: Tensor, slopes: Tensor, f: Tensor) -> tuple[Tensor, Tensor]:
        """In the precision of the circuit: the equations are solved in double."""
        if f.dtype == torch.float64:
            return prediction, slopes
        dtype = f.dtype.to_complex() if prediction.is_complex() else f.dtype
        return prediction.to(dtype), slopes.to(dtype)

    def recipe(self) -> dict[str, Any]:
        """The netlist, the outputs and the names of the components, for `circuits.catalogue.make_again`."""
        outputs = {name: str(output) for name, output in self._chosen.items()}
        names = {path: name for name, path in self._index.paths.items()}
        return {"kind": "netlist", "netlist": to_plain(self.netlist), "outputs": outputs, "names": names}

    def extra_repr(self) -> str:
        """Title, outputs and components."""
        asked = ", ".join(str(output) for output in self._chosen.values())
        return ", ".join(filter(None, [repr(self.title), asked, super().extra_repr()]))
