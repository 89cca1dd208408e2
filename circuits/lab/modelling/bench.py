"""`Bench`: a circuit as an instrument sees it, with the gain, the delay and the loading that come with measuring it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from circuits.catalogue import CATALOGUE, make, make_again
from circuits.circuit import Circuit
from circuits.component import RATIO, Component, Placed, Value, make_parameters
from circuits.errors import OptionError, UnknownName
from circuits.lab.modelling.measured import outputs_of

if TYPE_CHECKING:
    from circuits.lab.modelling.loading import Probe

DELAY = Component("s", -1e-6, 1e-6, positive=False)
"""A delay: of cables and channels some nanoseconds to a microsecond, of either sign."""

_DB_PER_NEPER = 20 / math.log(10)


class Bench(Circuit):
    r"""A circuit with what the bench adds to it: H(f) becomes g · e^{−j2πfτ} · H(f), loaded by source and probe.

    The components keep their names and stay the very same Parameters, so that what is fitted here is known to the
    circuit too; the nuisances stand beside them as `gain` and `delay` (with an underscore behind, where the circuit
    has a component of that name), and `R_source`, `R_probe` and `C_probe`, which are held.

    Args:
        circuit: any circuit; with `source` or `probe` one that has a netlist.
        gain: whether there is an unknown overall gain g, positive, starting at 1; or the names of outputs that have
            one each, `gain_low` and so on.
        delay: whether there is an unknown delay τ in seconds, of either sign, starting at 0.
        source: resistance in ohms of the generator, where the voltage of reference is what the generator is set to.
        probe: (ohms, farads) in parallel to ground at every measured node, such as `("10M", "12p")`.

    Raises:
        OptionError: loading of a circuit that has no netlist, or whose source or output is no voltage.
        ComponentError: loading that no part can have. UnknownName: a gain for an output that is not there.

    >>> from circuits.filters import LowPass
    >>> bench = Bench(LowPass(R=1000.0, C=1e-6), delay=True)
    >>> [name for name, part in bench.named_parameters() if part.requires_grad]
    ['R', 'gain', 'delay']
    >>> with torch.no_grad():
    ...     _ = bench.gain.fill_(2.0)
    >>> round(bench.magnitude(159.155).item(), 4)
    1.4142
    """

    def __init__(
        self,
        circuit: Circuit,
        gain: bool | Sequence[str] = True,
        delay: bool = False,
        source: Value = None,
        probe: Probe = None,
    ):
        super().__init__()
        if source is not None or probe is not None:
            from circuits.lab.modelling.loading import (
                loaded,  # the solver is loaded only where there is something to solve
            )

            circuit = loaded(circuit, source, probe)
        self.inner: Circuit
        self.__dict__["inner"] = circuit  # no submodule: its components stand in this circuit under their own names
        self.outputs = circuit.outputs
        for name, child in circuit.named_children():
            self.add_module(name, child)
        for name, parameter in circuit._parameters.items():
            self.register_parameter(name, parameter)
        self._gains = self._claim(_gain_names(gain, circuit.outputs))
        self._late = tuple(self._claim({"": "delay"} if delay else {}).values())
        kinds = dict.fromkeys(self._gains.values(), RATIO) | dict.fromkeys(self._late, DELAY)
        self.components = {**circuit.components, **kinds}
        self._add(kinds)

    def _claim(self, wanted: Mapping[str, str]) -> dict[str, str]:
        """Names that the circuit does not have already, by output."""
        taken = {*self._parameters, *self._modules, *dir(type(self))}
        return {output: _free(name, taken) for output, name in wanted.items()}

    def _add(self, kinds: Mapping[str, Component]) -> None:
        own = next(self.inner.parameters(), torch.empty((), dtype=torch.float64))
        start: dict[str, Value] = {name: 1.0 if kind is RATIO else 0.0 for name, kind in kinds.items()}
        batch = tuple(self.inner.batch_shape)
        for name, parameter in make_parameters(kinds, start, batch, dtype=own.dtype, device=own.device).items():
            self.register_parameter(name, parameter)

    # what it is made of

    @property
    def nuisances(self) -> tuple[str, ...]:
        """Names of the gains and of the delay."""
        return (*self._gains.values(), *self._late)

    @property
    def title(self) -> str:
        """What the circuit is called."""
        return self.inner.title

    def cutoffs(self) -> dict[str, Tensor]:
        """Corner frequencies of the circuit in hertz."""
        with self._shown():
            return self.inner.cutoffs()

    def span(self) -> tuple[float, float] | None:
        """As the circuit says."""
        return self.inner.span()

    def sweep(self) -> Tensor | None:
        """As the circuit says."""
        return self.inner.sweep()

    def wiring(self, board: int = 0) -> tuple[Placed, ...]:
        """As the circuit says, with what loads it."""
        with self._shown():
            return self.inner.wiring(board)

    def recipe(self) -> dict[str, Any] | None:
        """How to make it again, where the circuit is one of the catalogue or of a netlist; else None."""
        own = self.inner.recipe()
        kind = next((name for name, known in CATALOGUE.items() if type(self.inner) is known), None)
        if own is None and kind is None:
            return None
        gain = "" in self._gains or list(self._gains)
        bench = {"gain": gain, "delay": bool(self._late), "nuisances": list(self.nuisances)}
        outputs = outputs_of(self.inner)
        names = (own or {}).get("names", {})
        return {"kind": "bench", "circuit": kind, "recipe": own, **bench, "outputs": outputs, "names": names}

    @contextmanager
    def _shown(self) -> Iterator[None]:
        """The circuit computing with the components that stand here, which a fit replaces by its own tensors."""
        own, inner = self._parameters, self.inner._parameters
        before = {name: tensor for name, tensor in inner.items() if own[name] is not tensor}
        try:
            for name in before:
                inner[name] = own[name]
            yield
        finally:
            inner.update(before)

    # what it does

    def transfer(self, f: Tensor) -> Tensor:
        """Complex response g · e^{−j2πfτ} · H(f)."""
        return self._evaluate(f, "response")

    def _evaluate(self, f: Tensor, quantity: str) -> Tensor:
        with self._shown():
            return self._seen(self.inner.predict(f, quantity), f, quantity)

    def _seen(self, view: Tensor, f: Tensor, quantity: str) -> Tensor:
        """One view of the circuit's response as the instrument shows it."""
        gain, delay = self._gain(f), self._delay(f)
        if gain is not None:
            view = view + 20 * torch.log10(gain) if quantity == "decibels" else view
            view = view * gain if quantity in ("response", "magnitude", "led") else view
        if delay is None:
            return view
        if quantity == "response":
            turn = -2 * math.pi * self._hertz(f) * delay
            return view * torch.complex(torch.cos(turn), torch.sin(turn))
        if quantity == "phase":
            return _short_way(view - 360 * self._hertz(f) * delay)
        return view + delay if quantity == "group_delay" else view

    def has_slopes(self, quantity: str) -> bool:
        """Where the circuit has."""
        return self.inner.has_slopes(quantity)

    def _linearize(self, f: Tensor, quantity: str, names: Sequence[str]) -> tuple[Tensor, Tensor]:
        """That of the circuit by the chain rule, and the derivatives by gain and delay in closed form."""
        own = self.nuisances
        inside = [name for name in names if name not in own]
        with self._shown():
            try:
                view, jacobian = self.inner.linearize(f, quantity, inside)
            except UnknownName as error:
                raise (
                    UnknownName(error.kind, error.name, self.units()) if error.kind == "component" else error
                ) from None
        seen = self._seen(view, f, quantity)
        along = -2 - bool(self.outputs)
        if quantity in ("response", "magnitude", "led"):  # these g·e^{−j2πfτ} multiplies; to others it adds
            jacobian = jacobian * self._seen(torch.ones_like(view), f, quantity).unsqueeze(along)
        shape = seen.shape
        rows = {name: row.expand(shape) for name, row in zip(inside, jacobian.unbind(along), strict=True)}
        rows |= {name: self._row(name, seen, f, quantity).expand(shape) for name in names if name in own}
        if not names:
            return seen, seen.unsqueeze(along).narrow(along, 0, 0)
        return seen, torch.stack([rows[name] for name in names], along)

    def _row(self, name: str, seen: Tensor, f: Tensor, quantity: str) -> Tensor:
        """Derivative of what is seen by a gain or the delay."""
        if name in self._late:
            slopes = {
                "response": -2j * math.pi * self._hertz(f) * seen,
                "phase": -360 * self._hertz(f),
                "group_delay": 1.0,
            }
            slope = slopes.get(quantity, 0.0)
            return torch.zeros_like(seen) + slope
        gain: Any = self._gain(f)
        slopes = {"decibels": _DB_PER_NEPER / gain, "phase": 0.0, "group_delay": 0.0}
        return (torch.zeros_like(seen) + slopes.get(quantity, seen / gain)) * self._whose(name, seen)

    def _whose(self, name: str, seen: Tensor) -> Tensor | float:
        """One at the outputs that a gain belongs to, zero at the others."""
        output = next(output for output, gain in self._gains.items() if gain == name)
        if output == "":
            return 1.0
        mask = torch.zeros(len(self.outputs), 1, dtype=seen.dtype, device=seen.device)
        mask[self.outputs.index(output)] = 1.0
        return mask

    def _gain(self, f: Tensor) -> Tensor | None:
        """The gain in a shape that broadcasts with a prediction; None where there is none."""
        if not self._gains:
            return None
        held = self._parameters
        if "" in self._gains:
            return self._wide(held[self._gains[""]], f)
        given = {output: held[name] for output, name in self._gains.items()}
        one = torch.ones_like(next(iter(given.values())))
        gains = torch.stack([given.get(output, one) for output in self.outputs], -1)
        return gains.unsqueeze(-1) if f.ndim else gains

    def _delay(self, f: Tensor) -> Tensor | None:
        return self._wide(self._parameters[self._late[0]], f) if self._late else None

    def _wide(self, value: Tensor, f: Tensor) -> Tensor:
        """One value a board, with a dimension for the outputs and one for the frequencies."""
        if value.ndim:
            value = value.unsqueeze(-1) if self.outputs else value
            value = value.unsqueeze(-1) if f.ndim else value
        return value

    def _hertz(self, f: Tensor) -> Tensor:
        return f.unsqueeze(-2) if self.outputs and f.ndim > 1 else f


def _gain_names(gain: bool | Sequence[str], outputs: tuple[str, ...]) -> dict[str, str]:
    """The name of every gain by its output; that of all outputs under an empty one."""
    if isinstance(gain, bool):
        return {"": "gain"} if gain else {}
    if isinstance(gain, str):
        raise OptionError(f"gain={gain!r}; expected True, False or the names of outputs, such as ['low', 'high']")
    for output in gain:
        if output not in outputs:
            raise UnknownName("output", output, outputs)
    return {output: f"gain_{output.replace('.', '_')}" for output in gain}


def _free(name: str, taken: set[str]) -> str:
    """A name that is not taken, with as many underscores behind as that needs."""
    while name in taken:
        name += "_"
    return name


def _short_way(degrees: Tensor) -> Tensor:
    """Phases less their whole turns, within (−180, 180]."""
    return degrees - 360 * torch.ceil((degrees - 180) / 360)


def made_again(recipe: Mapping[str, Any], values: Mapping[str, Value]) -> Bench:
    """A bench by its `Bench.recipe`, with component values by dotted name."""
    inside = {name: value for name, value in values.items() if name not in recipe["nuisances"]}
    own = recipe["recipe"]
    circuit = make(recipe["circuit"], inside) if own is None else make_again(own, inside)
    bench = Bench(circuit, recipe["gain"], recipe["delay"])
    with torch.no_grad():
        for name in bench.nuisances:
            bench.get_parameter(name).copy_(torch.as_tensor(values[name]))
    return bench
