"""Which outputs a circuit made of a netlist has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from circuits.errors import OptionError
from circuits.netlist.elements import GROUND, Element, Netlist
from circuits.netlist.expressions import evaluate
from circuits.netlist.outputs import Output, parse_output
from circuits.netlist.solver.system import initial_values

Asked = str | Sequence[str] | Mapping[str, str] | None
OUT = ("out", "output", "vout")
"""Nodes that are taken for the output where nothing is asked for."""


def choose_outputs(netlist: Netlist, asked: Asked = None) -> dict[str, Output]:
    """The outputs by name: one without a name for a single one, several by what they are called.

    Several outputs without names of their own are called by the node that each is a voltage of (`V(low)/V(in)` is
    `low`), or where two would share that name by what was asked. Where nothing is asked for, it is the voltage of the
    node `out`, `output` or `vout` over that of the one AC source.

    Raises:
        OptionError: nothing asked for and no such node, text that is no output, or a netlist without an AC source to
            measure it with.
        UnknownName: a node or element that is not there.
    """
    asked = _default(netlist) if asked is None else asked
    texts = [asked] if isinstance(asked, str) else list(asked.values()) if isinstance(asked, Mapping) else list(asked)
    if not texts:
        raise OptionError("output is empty; ask for at least one, such as output='V(out)/V(in)'")
    found = [parse_output(text).resolved(netlist) for text in texts]
    if not driven_by(netlist) and not all(output.is_impedance for output in found):
        raise OptionError(
            f"{_name(netlist)} has no AC source; add AC 1 to one ('V1 in 0 AC 1'), or ask for an impedance, Z(node)"
        )
    if isinstance(asked, str):
        return {"": found[0]}
    return dict(zip(map(str, asked), found, strict=True)) if isinstance(asked, Mapping) else _named(found)


def driven_by(netlist: Netlist) -> list[Element]:
    """The sources whose AC value is not zero."""
    sources = [e for e in netlist.elements if e.kind in ("V", "I")]
    if not sources:
        return []
    numbers = initial_values(netlist)
    return [e for e in sources if numbers_of(e, numbers)["ac"] != 0]


def numbers_of(e: Element, numbers: Mapping[str, float]) -> dict[str, float]:
    """The values of an element, the parameters having these."""
    return {role: float(evaluate(value, numbers)) for role, value in e.values.items()}


def _default(netlist: Netlist) -> str:
    nodes = {node.casefold(): node for e in netlist.elements for node in e.nodes}
    out = next((nodes[name] for name in OUT if name in nodes), None)
    if out is None:
        few = list(dict.fromkeys(node for e in netlist.elements for node in e.nodes))[:12]
        raise OptionError(
            f"{_name(netlist)} has no node called out; say what to measure, such as "
            f"output='V({few[0] if few else 'a'})': its nodes are {', '.join(few)}"
        )
    sources = driven_by(netlist)
    if len(sources) != 1:
        return f"V({out})"
    (source,) = sources
    if source.kind == "I":
        return f"V({out})/I({source.name})"
    plus, minus = source.nodes
    return f"V({out})/V({plus})" if minus == GROUND else f"V({out})/V({plus},{minus})"


def _name(netlist: Netlist) -> str:
    return repr(netlist.title) if netlist.title else "the netlist"


def called(outputs: Sequence[Output]) -> list[str]:
    """What outputs are called: by the node that each is a voltage of, or where two would share that, in full."""
    short = [o.numerator.names[0] if str(o.numerator) == f"V({o.numerator.names[0]})" else str(o) for o in outputs]
    return [name if short.count(name) == 1 else str(o) for name, o in zip(short, outputs, strict=True)]


def _named(outputs: Sequence[Output]) -> dict[str, Output]:
    names = called(outputs)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise OptionError(f"the output {twice} is asked for twice; ask for it once")
    return dict(zip(names, outputs, strict=True))
