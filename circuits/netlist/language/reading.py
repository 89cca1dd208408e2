"""From the text of a netlist to a flat `Netlist`."""

from __future__ import annotations

import os
from pathlib import Path

from circuits.errors import NetlistError
from circuits.netlist.elements import Netlist, Sweep
from circuits.netlist.expressions import Name
from circuits.netlist.language.assignments import Assignment
from circuits.netlist.language.card import Card
from circuits.netlist.language.definitions import Definition, Settings
from circuits.netlist.language.files import Folder, read_whole
from circuits.netlist.language.flattening import Flattener
from circuits.netlist.language.limits import MAX_TEXT
from circuits.netlist.language.lines import Line, read_lines, split
from circuits.netlist.language.parameters import Parameters, Scope
from circuits.netlist.language.passives import Conditions
from circuits.netlist.language.structure import DIRECTIVES, IGNORED, REFUSED, Reader

_READ_AS_TITLE = (".include", ".inc", ".lib")
_ROOM = 27.0


def read_file(path: str | os.PathLike[str], *, allow_outside: bool = False) -> Netlist:
    r"""Read a SPICE netlist from a file.

    Args:
        path: of the netlist; what it includes must lie in the same folder or below.
        allow_outside: read included files from anywhere.

    Raises:
        NetlistError: a netlist that cannot be read; the message begins with file and line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "divider.cir")
    ...     _ = path.write_text("A divider\nV1 in 0 AC 1\nR1 in out 1k\nR2 out 0 3k\n")
    ...     netlist = read_file(path)
    >>> netlist.title, [element.name for element in netlist.elements]
    ('A divider', ['V1', 'R1', 'R2'])
    """
    text, folder = read_whole(path)
    main = Path(path)
    return _parsed(text, main.name, Folder(folder, allow_outside), Path(os.path.realpath(main)))


def parse_netlist(
    text: str,
    *,
    name: str = "netlist",
    folder: str | os.PathLike[str] | None = None,
    allow_outside: bool = False,
) -> Netlist:
    r"""Read a SPICE netlist from its text, whose first line is its title, as in a file.

    Subcircuits are flattened: what X1 has inside is called `X1.R2`, its node mid `X1.mid`. Every value given as a
    number becomes a free parameter under its element's name (`R1`, `T1.z0`), and so does a `.param` or a subcircuit's
    parameter (`X3.gbw`) with a number; others follow from those.

    Args:
        text: as a file would hold it.
        name: what messages call it.
        folder: where included files may lie; without one nothing can be included.
        allow_outside: read included files from anywhere.

    Raises:
        NetlistError: a netlist that cannot be read; the message begins with name and line.

    >>> netlist = parse_netlist("a low-pass\n.param f=1k\nR1 in out 1k ; @tol=5%\nC1 out 0 {1/(6.2832*f*1k)}\n")
    >>> netlist.elements[1]
    Element(kind='C', name='C1', nodes=('out', '0'), values={'value': Call(function='/', ...
    >>> netlist.parameters["R1"].tolerance, netlist.parameters["f"].value
    (0.05, Number(value=1000.0))
    >>> parse_netlist("a diode\n\nD1 in out\n")
    Traceback (most recent call last):
    circuits.errors.NetlistError: netlist:3: D1 is a diode; this package reads linear circuits, made of R, C, L, ...
    """
    if len(text) > MAX_TEXT:
        raise NetlistError(f"{name}:1: a netlist of more than {MAX_TEXT} characters; leave out what is not used")
    return _parsed(text, name, Folder(Path(folder) if folder is not None else None, allow_outside))


def _parsed(text: str, name: str, folder: Folder, main: Path | None = None) -> Netlist:
    title = split(text[: text.find("\n") + 1] or text)[0].removeprefix("\ufeff").strip()
    root = Definition("", Line(name, title, (0,), (1,)))
    reader = Reader(folder, root, main)
    word = title.split(None, 1)[0].lower() if title else ""
    if word.startswith(_READ_AS_TITLE):  # ngspice follows these even there
        reader.read(read_lines(title, name))
    elif word.startswith(".para") or (word in {*DIRECTIVES, *REFUSED, *IGNORED, ".end"} and word != ".title"):
        raise root.line.fault(f"the first line is the title, and {word} in it would be lost; put a title above it")
    reader.read(read_lines(_after_first_line(text), name, first=2))
    reader.close()
    return _flat(root, reader.settings, name, title.removeprefix("*").strip() if word != ".title" else "")


def _after_first_line(text: str) -> str:
    ends = [position for position in (text.find("\n"), text.find("\r")) if position >= 0]
    if not ends:
        return ""
    first = min(ends)
    return text[first + (2 if text[first : first + 2] == "\r\n" else 1) :]


def _flat(root: Definition, settings: Settings, name: str, title: str) -> Netlist:
    parameters, scope = Parameters(), Scope(root)
    for written in list(root.parameters.values()):
        parameters.qualify(Name(written.name), scope, written.line, written.offset)
    conditions = Conditions(
        _temperature(settings.temperature, parameters, scope), _temperature(settings.nominal, parameters, scope)
    )
    flattener = Flattener(parameters, conditions, settings.global_nodes)
    flattener.flatten(scope)
    sweep = _sweep(settings.sweep, parameters, scope) if settings.sweep is not None else None
    used = [value for element in flattener.elements for value in element.values.values()]
    return Netlist(
        settings.title if settings.title is not None else title,
        tuple(flattener.elements),
        parameters.finished(used),
        sweep,
        name,
    )


def _temperature(given: Assignment | None, parameters: Parameters, scope: Scope) -> float:
    if given is None:
        return _ROOM
    return parameters.number(given.expression, scope, given.line, given.offset)


def _sweep(line: Line, parameters: Parameters, scope: Scope) -> Sweep:
    """`.ac dec 10 1 1meg`: points a decade, an octave, or in all, between two frequencies."""
    card = Card(line, scope.definition)
    kind = card.take_name("dec, oct or lin").lower()
    given = [card.take_quantity(what) for what in ("the number of points", "the lowest frequency", "the highest")]
    points, low, high = (parameters.number(q.expression, scope, line, q.offset) for q in given)
    begins = low >= 0 if kind == "lin" else low > 0
    if kind not in ("dec", "oct", "lin") or card.word.kind != "end" or not 1 <= points <= 1e9:
        raise line.fault("no sweep; write .ac dec 10 1 1meg, with dec, oct or lin")
    if not begins or high < low:
        raise line.fault(f"no sweep from {low:g} Hz to {high:g} Hz; expected positive, rising frequencies")
    return Sweep(kind, int(points), low, high)
