"""Noise at an output: Johnson noise of every part that dissipates, and densities that the user gives."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from circuits.errors import OptionError, UnknownName
from circuits.netlist.answers.impedances import MakeSystem
from circuits.netlist.answers.pencil import Values, amount, free_values, known_values
from circuits.netlist.elements import Element, Netlist
from circuits.netlist.formulation import Formulation
from circuits.netlist.laws import COMPLEX
from circuits.netlist.outputs import Output
from circuits.netlist.solver.system import System

BOLTZMANN = 1.380649e-23
"""In joules per kelvin, exact since 2019."""
TEMPERATURE = 300.15
"""In kelvins: 27 °C, as SPICE has it."""

MOST_ROWS = 12
"""Sources that a printed account lists at most."""

Density = float | Tensor | Callable[[Tensor], Tensor]
"""In V/√Hz or A/√Hz: a number, or a function of the frequency in hertz."""


@dataclass(frozen=True)
class Noise:
    """Noise at one output: `powers` by source, each `(*batch, n)` in V²/Hz (A²/Hz for a current), at f in hertz."""

    f: Tensor
    powers: Mapping[str, Tensor]
    unit: str = "V"

    @property
    def power(self) -> Tensor:
        """Power density of all sources together, `(*batch, n)` in V²/Hz."""
        return sum(self.powers.values(), torch.zeros_like(self.f))

    @property
    def density(self) -> Tensor:
        """Noise density `(*batch, n)` in V/√Hz."""
        return self.power.sqrt()

    def total(self) -> Tensor:
        """Root mean square over the band from the first frequency to the last, `(*batch)` in volts.

        Between two frequencies the power density is taken for a power of f, as it is on a line in a double logarithmic
        plot.
        """
        return integrated(self.f, self.power).sqrt()

    def shares(self) -> dict[str, Tensor]:
        """Part of the mean square over the band that each source contributes, `(*batch)`, the largest first."""
        parts = {name: integrated(self.f, power) for name, power in self.powers.items()}
        whole = sum(parts.values(), torch.zeros(()))
        ordered = sorted(parts, key=lambda name: -float(parts[name].detach().sum()))
        return {name: parts[name] / whole for name in ordered}

    def referred(self, gain: Tensor) -> Noise:
        """The noise that an input must have for the same output, the gain from there `(*batch, n)` being complex."""
        return Noise(self.f, {name: power / gain.abs() ** 2 for name, power in self.powers.items()}, self.unit)

    def __str__(self) -> str:
        from circuits.notation import format  # where a person reads

        total = ", ".join(format(v, self.unit) for v in self.total().detach().reshape(-1).tolist())
        low, high = (format(float(at), "Hz") for at in (self.f.min(), self.f.max()))
        rows = [f"  {name:12} {100 * float(part.detach().mean()):6.2f} %" for name, part in self.shares().items()]
        more = [f"  … and {len(rows) - MOST_ROWS} more"] if len(rows) > MOST_ROWS else []
        return "\n".join([f"{total} RMS between {low} and {high}", *rows[:MOST_ROWS], *more])


def noise(
    netlist: Netlist,
    f: Tensor,
    output: Output,
    values: Values | None = None,
    *,
    temperature: float | Tensor = TEMPERATURE,
    voltages: Mapping[str, Density] | None = None,
    currents: Mapping[str, Density] | None = None,
    make: MakeSystem = System,
) -> Noise:
    """Noise at a voltage or a current, by one transposed solve for all sources together.

    A resistor has a voltage density of √(4kTR) in series; any part that dissipates, such as a constant-phase element, a
    current density of √(4kT·Re Y) in parallel (H. Nyquist, Phys. Rev. 32 (1928) 110). All known to autograd in values,
    f, temperature and densities.

    Args:
        netlist: flattened; its own sources drive nothing here.
        f: hertz, `(n,)` or `(*batch, n)`, rising for totals.
        output: resolved on the netlist; of a ratio the numerator counts.
        values: free parameters `(*batch)` by name; those of the netlist where None.
        temperature: in kelvins.
        voltages: densities in V/√Hz in series with R, L, V, E or H elements, by name.
        currents: densities in A/√Hz in parallel with any element, by name.
        make: how to make the system.

    Raises:
        OptionError: an impedance as output; a voltage in series with an element that has no place for it.
        UnknownName: a density for an element that is not there.

    >>> from circuits.netlist.expressions import Number
    >>> from circuits.netlist.outputs import parse_output
    >>> resistor = Netlist("", (Element("R", "R1", ("a", "0"), {"value": Number(1e3)}),))
    >>> found = noise(resistor, torch.tensor([1.0, 1e6]), parse_output("V(a)"))
    >>> print(found)
    4.071 µV RMS between 1 Hz and 1 MHz
      R1           100.00 %
    """
    if output.is_impedance:
        raise OptionError(f"{output} is an impedance and has no noise; ask for a voltage or a current")
    voltages, currents = voltages or {}, currents or {}
    elements = {e.name.casefold(): e for e in netlist.elements}
    series = {_found(elements, name, "RLVEH"): density for name, density in voltages.items()}
    parallel = {_found(elements, name, None): density for name, density in currents.items()}
    system = make(netlist, currents=tuple(dict.fromkeys([*output.currents, *series])))
    made, free = system.formulation, free_values(netlist, values)
    aim = torch.zeros(1, len(made.unknowns), dtype=torch.float64, device=f.device)
    for index, weight in output.functionals(made)[0].items():
        if index < len(made.unknowns):
            aim[0, index] = weight
    reach = system.solve(free, f, aim, transposed=True).squeeze(-3)
    reach = torch.nn.functional.pad(reach, (0, 0, 0, made.ground + 1 - reach.shape[-2]))
    known = known_values(netlist, free)
    powers = {}
    for e in netlist.elements:
        power = _thermal(e, made, known, f, reach, temperature)
        for density, row in ((series.get(e.name), True), (parallel.get(e.name), False)):
            if density is not None:
                size = reach[..., made.current(e.name), :] if row else _across(e, made, reach)
                added = size.abs() ** 2 * _at(density, f) ** 2
                power = added if power is None else power + added
        if power is not None:
            powers[e.name] = power
    return Noise(f, powers, "A" if output.numerator.kind == "I" else "V")


def integrated(f: Tensor, power: Tensor) -> Tensor:
    """∫ power df over rising frequencies, `(*batch)`, by power laws between neighbouring points.

    Between f₁ and f₂ the density S₁·(f/f₁)^m has the integral f₁·S₁·(e^u − 1)/u·ln(f₂/f₁), u = (m + 1)·ln(f₂/f₁); where
    a density is zero, or f is, the trapezoid.

    >>> f = torch.tensor([1.0, 10.0], dtype=torch.float64)
    >>> integrated(f, 1 / f)  # ln 10
    tensor(2.3026, dtype=torch.float64)
    """
    f = f.to(power.dtype).expand(power.shape)
    low, high, first, last = f[..., :-1], f[..., 1:], power[..., :-1], power[..., 1:]
    is_law = (low > 0) & (first > 0) & (last > 0)
    one = torch.ones_like(first)
    ratio = torch.log(torch.where(is_law, high, one) / torch.where(is_law, low, one))
    u = ratio + torch.log(torch.where(is_law, last, one) / torch.where(is_law, first, one))
    is_small = u.abs() < 1e-4
    growth = torch.where(is_small, 1 + u / 2 + u**2 / 6, torch.expm1(u) / torch.where(is_small, one, u))
    piece = torch.where(is_law, low * first * growth * ratio, (high - low) * (first + last) / 2)
    return piece.sum(-1)


def _thermal(e: Element, made: Formulation, known, f: Tensor, reach: Tensor, temperature) -> Tensor | None:
    """What an element's own noise contributes, None where it does not dissipate."""
    if e.kind == "R":
        R = amount(e.values["value"], known)
        if f"I({e.name})" in made.index:
            return 4 * BOLTZMANN * temperature * R.unsqueeze(-1) * reach[..., made.current(e.name), :].abs() ** 2
        return 4 * BOLTZMANN * temperature / R.unsqueeze(-1) * _across(e, made, reach).abs() ** 2
    if e.kind not in ("CPE", "WARBURG", "WARBURG_OPEN", "WARBURG_SHORT"):
        return None
    law = next(made.complex_laws[entry.law] for entry in made.entries if entry.element == e.name)
    y = COMPLEX[law.name](f.double(), *(amount(value, known).unsqueeze(-1) for value in law.values))
    has_row = f"I({e.name})" in made.index
    size = reach[..., made.current(e.name), :] if has_row else _across(e, made, reach)
    return 4 * BOLTZMANN * temperature * y.real * size.abs() ** 2


def _across(e: Element, made: Formulation, reach: Tensor) -> Tensor:
    """How the output answers to a current through the element, up to its sign."""
    plus, minus = (made.node(node) for node in e.nodes[:2])
    return reach[..., plus, :] - reach[..., minus, :]


def _at(density: Density, f: Tensor) -> Tensor:
    value = density(f) if callable(density) else torch.as_tensor(density, dtype=torch.float64, device=f.device)
    return value.unsqueeze(-1) if not callable(density) and value.ndim else value


def _found(elements: Mapping[str, Element], name: str, kinds: Collection[str] | None) -> str:
    """The name of an element as the netlist writes it."""
    element = elements.get(name.casefold())
    if element is None or element.kind == "K":
        raise UnknownName("element", name, (e.name for e in elements.values() if e.kind != "K"))
    if kinds is not None and element.kind not in kinds:
        raise OptionError(
            f"{element.name} has no place for a voltage in series; give it a current in parallel, or put a voltage "
            "source of zero volts in series and name that"
        )
    return element.name
