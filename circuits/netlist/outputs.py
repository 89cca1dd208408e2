"""What is asked of a netlist, by names: `V(out)/V(in)`, `I(R1)`, `Z(in)`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from torch import Tensor

from circuits.errors import OptionError, UnknownName
from circuits.netlist.elements import GROUND, KINDS, Element, Netlist
from circuits.netlist.expressions import Number
from circuits.netlist.formulation import Formulation

_PROBE = re.compile(r"\s*(?P<kind>[A-Za-z]+)\s*\(\s*(?P<first>[^\s(),]+)\s*(?:,\s*(?P<second>[^\s(),]+)\s*)?\)\s*")
_FORMS = "V(a), V(a,b), I(R1), Z(a) or Z(a,b), or a ratio of two voltages or currents such as V(out)/V(in)"
_MOST = 40
"""Names that an error lists at most."""


@dataclass(frozen=True)
class Probe:
    """One thing measured.

    `kind` is "V", a voltage between one node and ground or between two nodes, "I", the current through one element from
    its first node to its second, or "Z", the impedance between two nodes.
    """

    kind: str
    names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.kind}({','.join(self.names)})"


@dataclass(frozen=True)
class Output:
    """A probe, or the ratio of two.

    >>> output = parse_output("v(out) / v(in)")
    >>> str(output), output.numerator.names, output.currents
    ('V(out)/V(in)', ('out',), ())
    """

    numerator: Probe
    denominator: Probe | None = None

    def __str__(self) -> str:
        return f"{self.numerator}/{self.denominator}" if self.denominator else str(self.numerator)

    @property
    def probes(self) -> tuple[Probe, ...]:
        """Its one or two probes."""
        return (self.numerator,) if self.denominator is None else (self.numerator, self.denominator)

    @property
    def is_impedance(self) -> bool:
        """Whether it is measured with the sources of the netlist off and a current of its own, see `measured_on`."""
        return self.numerator.kind == "Z"

    @property
    def currents(self) -> tuple[str, ...]:
        """Names of elements whose current must be an unknown of the equations."""
        return tuple(dict.fromkeys(probe.names[0].removesuffix(_FAR) for probe in self.probes if probe.kind == "I"))

    def resolved(self, netlist: Netlist) -> Output:
        """The same output with every name as the netlist writes it.

        Raises:
            UnknownName: a node or an element that the netlist does not have; the message lists what it has.
            OptionError: the current of a coupling, or an impedance between a node and itself.
        """
        probes = [replace(probe, names=_resolve(probe, netlist)) for probe in self.probes]
        if self.is_impedance and len({*_two_nodes(probes[0])}) == 1:
            raise OptionError(f"{self} is between a node and itself; give two different nodes, or one to ground")
        return Output(*probes)

    def measured_on(self, netlist: Netlist) -> Netlist:
        """The netlist whose response this output reads: itself, or for an impedance `driven_port`."""
        return driven_port(netlist, *_two_nodes(self.numerator)) if self.is_impedance else netlist

    def functionals(self, formulation: Formulation) -> tuple[Mapping[int, float], ...]:
        """What to read from the solution: numerator and denominator as coefficients by extended index.

        For a resolved output, on the equations of `measured_on` with `currents` as unknowns.
        """
        return tuple(_functional(probe, formulation) for probe in self.probes)

    def combined(self, parts: Tensor) -> Tensor:
        """The output of its parts `(*batch, 1 or 2, n)` in the order of `functionals`: `(*batch, n)`.

        >>> import torch
        >>> parse_output("V(out)/V(in)").combined(torch.tensor([[1.0, 2.0], [4.0, 4.0]]))
        tensor([0.2500, 0.5000])
        """
        return parts[..., 0, :] if self.denominator is None else parts[..., 0, :] / parts[..., 1, :]

    def slopes(self, parts: Tensor, slopes: Tensor) -> Tensor:
        """Derivatives of the output, `(*batch, p, n)`, from those of its parts, `(*batch, p, 1 or 2, n)`.

        d(N/D) = (dN − N/D · dD)/D
        """
        if self.denominator is None:
            return slopes[..., 0, :]
        ratio = self.combined(parts).unsqueeze(-2)
        return (slopes[..., 0, :] - ratio * slopes[..., 1, :]) / parts[..., 1:2, :]


def parse_output(text: str) -> Output:
    """Read what is asked: `V(out)`, `V(a,b)`, `I(R1)`, `V(out)/V(in)`, `V(x)/I(V1)`, `Z(in)`, `Z(a,b)`.

    V(a,b) is the voltage of a against b; I(R1) the current that enters the element at its first node; Z(a,b) the
    impedance between two nodes, every independent source being off. `gnd` is node 0. Names are those of the netlist in
    upper or lower case; whether it has them is seen by `Output.resolved`.

    Raises:
        OptionError: text that is none of these.

    >>> parse_output("V(x)/I(V1)")
    Output(numerator=Probe(kind='V', names=('x',)), denominator=Probe(kind='I', names=('V1',)))
    """
    if not isinstance(text, str):
        raise OptionError(f"output={text!r}; expected text: {_FORMS}")
    first = _probe(text, 0)
    end = first.end()
    probes = [_checked(text, first)]
    if text[end : end + 1] == "/":
        second = _probe(text, end + 1)
        end = second.end()
        probes.append(_checked(text, second))
    if end != len(text):
        raise OptionError(f"cannot read {text[end:]!r} at the end of output {text!r}; expected {_FORMS}")
    if len(probes) == 2 and "Z" in (probes[0].kind, probes[1].kind):
        raise OptionError(f"output {text!r} has an impedance in a ratio; ask for each Z(…) as an output of its own")
    return Output(*probes)


def driven_port(netlist: Netlist, plus: str, minus: str = GROUND) -> Netlist:
    """The netlist with its independent sources off and one ampere driven into `plus` and out of `minus`.

    Then V(plus, minus) is the impedance between the nodes. Voltage sources that are off are shorts, current sources
    open; a voltage source right across the port is what drives it, and gives way to the current source, under its
    own name since other sources may be controlled by its current.

    >>> netlist = Netlist("", (Element("R", "R1", ("a", "0"), {"value": Number(50.0)}),))
    >>> [(e.kind, e.nodes) for e in driven_port(netlist, "a").elements]
    [('R', ('a', '0')), ('I', ('a', '0'))]
    """
    elements: list[Element] = []
    is_driven = False
    for e in netlist.elements:
        if e.kind == "V" and set(e.nodes) == {plus, minus} and not is_driven:
            is_driven = True
            elements.append(_ampere(e.name, e.nodes, -1.0 if e.nodes[0] == plus else 1.0, e))
        else:
            elements.append(off(e))
    if not is_driven:
        elements.append(_ampere(f"Z({plus},{minus})", (plus, minus), -1.0))
    return replace(netlist, elements=tuple(elements))


def off(element: Element) -> Element:
    """The element, an independent source with all its values zero."""
    if element.kind not in ("V", "I"):
        return element
    return replace(element, values={role: Number(0.0) for role in KINDS[element.kind].roles})


def _ampere(name: str, nodes: tuple[str, ...], value: float, old: Element | None = None) -> Element:
    """A current source of one ampere AC."""
    values = {"dc": Number(value), "ac": Number(value), "phase": Number(0.0)}
    return replace(old, kind="I", values=values) if old else Element("I", name, nodes, values)


_FAR = ".b"
"""Behind the name of a line: the current at its second end."""


def _probe(text: str, start: int) -> re.Match[str]:
    match = _PROBE.match(text, start)
    if match is None:
        raise OptionError(f"cannot read {text[start:].strip()!r} in output {text!r}; expected {_FORMS}")
    return match


def _checked(text: str, match: re.Match[str]) -> Probe:
    kind, first, second = match["kind"].upper(), match["first"], match["second"]
    if kind not in ("V", "I", "Z"):
        raise OptionError(f"{match['kind']!r} in output {text!r} is none of V, I and Z; expected {_FORMS}")
    if kind == "I" and second is not None:
        raise OptionError(f"{match[0].strip()!r} has two names; a current is of one element: I({first})")
    return Probe(kind, (first,) if second is None else (first, second))


def _two_nodes(probe: Probe) -> tuple[str, str]:
    return probe.names[0], probe.names[1] if len(probe.names) == 2 else GROUND


def _functional(probe: Probe, formulation: Formulation) -> Mapping[int, float]:
    if probe.kind == "I":
        return {formulation.current(probe.names[0]): 1.0}
    found: dict[int, float] = {}
    for name, sign in zip(_two_nodes(probe), (1.0, -1.0), strict=True):
        if name != GROUND:
            node = formulation.node(name)
            found[node] = found.get(node, 0.0) + sign
    return found


def _resolve(probe: Probe, netlist: Netlist) -> tuple[str, ...]:
    if probe.kind == "I":
        return (resolve_branch(netlist, probe.names[0]),)
    return tuple(resolve_node(netlist, name) for name in probe.names)


def resolve_node(netlist: Netlist, name: str) -> str:
    """A node as the netlist writes it.

    Raises:
        UnknownName: no such node; the message lists those there are.
    """
    known = {node.casefold(): node for e in netlist.elements for node in e.nodes}
    key = GROUND if name.casefold() == "gnd" else name.casefold()
    if key == GROUND or key in known:
        return known.get(key, GROUND)
    raise UnknownName("node", name, _listed(name, known.values()))


def resolve_branch(netlist: Netlist, name: str) -> str:
    """An element that has a current, as the netlist writes it; `T1.b` is the second end of the line T1.

    Raises:
        UnknownName: no such element.
        OptionError: a coupling.
    """
    known = {e.name.casefold(): e for e in netlist.elements}
    found = known.get(name.casefold())
    if found is not None and found.kind == "K":
        raise OptionError(
            f"{found.name} couples two inductors and has no current of its own; "
            f"ask for I({found.controls[0]}) or I({found.controls[1]})"
        )
    if found is not None:
        return found.name
    line = known.get(name.casefold().removesuffix(_FAR))
    if line is not None and line.kind == "T" and name.casefold().endswith(_FAR):
        return f"{line.name}{_FAR}"
    raise UnknownName("element", name, _listed(name, (e.name for e in known.values() if e.kind != "K")))


def _listed(name: str, names: Iterable[str]) -> Sequence[str]:
    """All the names, or of very many those closest."""
    names = list(names)
    if len(names) <= _MOST:
        return names
    from difflib import get_close_matches  # where it fails: reading an output needs none of it

    close = get_close_matches(name, names, 8, 0.4) or names[:8]
    return [*close, f"… ({len(names)} in all)"]
