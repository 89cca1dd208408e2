"""What else can be asked of a circuit made of a netlist, beside its response: thin shells over `answers`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from circuits.circuit import Circuit
from circuits.errors import UnknownName
from circuits.netlist.elements import GROUND, Netlist
from circuits.netlist.outputs import Output, parse_output

if TYPE_CHECKING:
    from circuits.netlist.answers.bias import OperatingPoint
    from circuits.netlist.answers.changes import Change
    from circuits.netlist.answers.noise_density import Density, Noise
    from circuits.netlist.answers.poles_zeros import PolesZeros
    from circuits.netlist.answers.sensitivity import Sensitivities
    from circuits.netlist.answers.single_changes import WhatIfs
    from circuits.netlist.answers.two_ports import Port


class Answering(Circuit):
    """A circuit that knows its netlist, its outputs and the values of its components, and so the answers below.

    What is asked for takes the values that the circuit has now and carries their graph, unless it says otherwise.
    """

    netlist: Netlist
    _chosen: Mapping[str, Output]

    def _free(self) -> dict[str, Tensor]:
        """The components by their names in the netlist."""
        raise NotImplementedError

    def impedance(self, f: Any, plus: str, minus: str = GROUND) -> Tensor:
        r"""Impedance in ohms between two nodes, or a node and ground, `(*batch, n)` and complex.

        The sources of the netlist are off, and one right across the two nodes is taken out.

        Args:
            f: hertz, `(n,)`, `(*batch, n)` or a number.
            plus, minus: nodes, in upper or lower case.

        Raises:
            UnknownName: no such node. OptionError: twice the same.
            NetlistError: an impedance that is infinite at every frequency.

        >>> from circuits.netlist import read_netlist
        >>> read_netlist("divider\nV1 in 0 AC 1\nR1 in out 1k\nR2 out 0 3k").impedance(50.0, "out").item()
        (750+0j)
        """
        from circuits.netlist.answers.impedances import impedance

        f = self._checked(f)
        return _squeezed(impedance(self.netlist, _listed(f), plus, minus, self._doubles()), f, -1)

    def port_parameters(
        self, f: Any, kind: str, ports: Sequence[Port], *, z0: float | Sequence[float] = 50.0
    ) -> Tensor:
        r"""S, Y, Z or ABCD parameters between ports, `(*batch, n, p, p)` and complex.

        Args:
            f: hertz, `(n,)`, `(*batch, n)` or a number.
            kind: "S", "Y", "Z" or "ABCD", the last of two ports.
            ports: nodes, or pairs of nodes; a single node is against ground.
            z0: reference resistance in ohms of all ports, or one each, for S.

        Raises:
            NetlistError: parameters that do not exist, with the kinds to ask for in their place.
            OptionError, UnknownName: an unknown kind, ports that are none.

        >>> from circuits.netlist import read_netlist
        >>> pad = read_netlist("pad\nV1 in 0 AC 1\nR1 in out 50")
        >>> round(pad.port_parameters(50.0, "S", ["in", "out"])[0, 0].real.item(), 6)
        0.333333
        """
        from circuits.netlist.answers.two_ports import port_parameters

        f = self._checked(f)
        found = port_parameters(self.netlist, _listed(f), kind, ports, self._doubles(), z0=z0)
        return _squeezed(found, f, -3)

    def poles_and_zeros(self, output: str | None = None) -> PolesZeros:
        r"""Poles and zeros in rad/s and the gain of an output: one of the circuit's own by name, or any other as text.

        Raises:
            NetlistError: parts that have no poles, such as lines. ShapeError: boards that differ in their number.

        >>> from circuits.netlist import read_netlist
        >>> print(read_netlist("RC\nV1 in 0 AC 1\nR1 in out 1k\nC1 out 0 159.1549n").poles_and_zeros())
        poles
          1 kHz, real
        zeros: none
        """
        from circuits.netlist.answers.poles_zeros import poles_and_zeros

        return poles_and_zeros(self.netlist, self._output(output), self._doubles())

    def natural_frequencies(self) -> Tensor:
        """All natural frequencies of the circuit with its sources off, `(*batch, m)` in rad/s and complex.

        Raises:
            NetlistError: parts that have none, such as lines.
        """
        from circuits.netlist.answers.poles_zeros import natural_frequencies

        return natural_frequencies(self.netlist, self._doubles())

    def operating_point(self) -> OperatingPoint:
        r"""All node voltages and branch currents at DC, with the DC values of the sources.

        Raises:
            NetlistError: voltages that are not determined at 0 Hz, such as that of a node behind a capacitor.

        >>> from circuits.netlist import read_netlist
        >>> read_netlist("divider\nV1 in 0 4 AC 1\nR1 in out 1k\nR2 out 0 3k").operating_point().voltages["out"].item()
        3.0
        """
        from circuits.netlist.answers.bias import operating_point

        return operating_point(self.netlist, self._doubles())

    def noise(
        self,
        f: Any,
        output: str | None = None,
        *,
        temperature: float | Tensor = 300.15,
        voltages: Mapping[str, Density] | None = None,
        currents: Mapping[str, Density] | None = None,
    ) -> Noise:
        """Noise at an output: Johnson's of every part that dissipates, and densities that you give.

        Args:
            f: hertz, `(n,)` or `(*batch, n)`, rising for totals.
            output: one of the circuit's own by name, or any other as text; None is the first, of which, where it is a
                ratio, the numerator counts.
            temperature: in kelvins; 27 °C, as SPICE has it.
            voltages: densities in V/√Hz in series with elements, by name: numbers, or functions of f.
            currents: densities in A/√Hz in parallel with elements, by name.

        Raises:
            OptionError: an impedance as output; a voltage where there is no place for it.
            UnknownName: a density for an element that is not there.
        """
        from circuits.netlist.answers.noise_density import noise

        given: dict[str, Any] = {"temperature": temperature, "voltages": voltages, "currents": currents}
        return noise(self.netlist, _listed(self._checked(f)), self._output(output), self._doubles(), **given)

    def sensitivities(self, f: Any, names: Sequence[str] | None = None) -> Sensitivities:
        """What each component does to the response: d ln|H|/d ln p and degrees, without a graph; it prints a table.

        Args:
            f: hertz, `(n,)` or `(*batch, n)`.
            names: components by dotted name; all where None.

        Raises:
            UnknownName: no such component.
        """
        from circuits.netlist.answers.sensitivity import sensitivities

        return sensitivities(self, _listed(self._checked(f)), names)

    def what_ifs(self, f: Any, changes: Sequence[Change] | None = None) -> WhatIfs:
        """The outputs after every change of a single part, without a new factorisation.

        Args:
            f: hertz, `(n,)` or `(*batch, n)`.
            changes: what to try; None takes every part halved, doubled, opened and shorted.

        Raises:
            UnknownName, OptionError: a change that cannot be made.
        """
        from circuits.netlist.answers.single_changes import what_ifs

        return what_ifs(self.netlist, _listed(self._checked(f)), list(self._chosen.values()), changes, self._doubles())

    def _output(self, text: str | None) -> Output:
        """The output of a name, or of a text; the only one, or the first, where nothing is said."""
        if text is None:
            return next(iter(self._chosen.values()))
        if text in self._chosen:
            return self._chosen[text]
        if "(" not in text:
            raise UnknownName("output", text, self.outputs or [str(next(iter(self._chosen.values())))])
        return parse_output(text).resolved(self.netlist)

    def _doubles(self) -> dict[str, Tensor]:
        return {name: value.double() for name, value in self._free().items()}


def _listed(f: Tensor) -> Tensor:
    return (f.reshape(1) if f.ndim == 0 else f).to(torch.float64)


def _squeezed(found: Tensor, f: Tensor, dimension: int) -> Tensor:
    """One answer a board for a frequency of no dimension."""
    return found.squeeze(dimension) if f.ndim == 0 else found
