"""From lines to definitions: which subcircuit a line belongs to, and what its dot says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from circuits.netlist.language.assignments import Assignment, read_assignments
from circuits.netlist.language.definitions import Definition, Model, Settings
from circuits.netlist.language.files import Folder
from circuits.netlist.language.formulas import parse_formula
from circuits.netlist.language.functions import UserFunction
from circuits.netlist.language.headings import heading, ports_of
from circuits.netlist.language.inclusion import file_name, section_of
from circuits.netlist.language.limits import MAX_INCLUDES, MAX_NESTING
from circuits.netlist.language.lines import Line, read_lines
from circuits.netlist.language.words import Word, closing, split_words

IGNORED = {".op", ".noise", ".tf", ".pz", ".sens", ".print", ".plot", ".probe", ".save", ".meas", ".measure", ".four"}
IGNORED |= {".fourier", ".ic", ".nodeset", ".width", ".prot", ".unprot", ".csparam", ".backanno", ".title"}
"""Asked of ngspice, and nothing to this package, which is asked in Python."""
REFUSED: Mapping[str, str] = {
    ".tran": "asks for a transient analysis",
    ".dc": "sweeps a direct voltage or current",
    ".disto": "asks for distortion, which a linear circuit has none of",
    ".pss": "asks for a periodic steady state",
    ".hb": "asks for harmonic balance",
    ".sp": "asks for scattering parameters of RF ports",
    ".if": "reads lines on a condition",
    ".elseif": "reads lines on a condition",
    ".else": "reads lines on a condition",
    ".endif": "reads lines on a condition",
    ".step": "repeats an analysis, which a batch of values does here",
    ".endl": "closes a section of a library, and none is open",
}
OPTIONS_REFUSED = frozenset(["rshunt", "cshunt", "gshunt", "rseries", "cseries"])
_FUNCTION = re.compile(r"\.\w+\s+(?P<name>[^\W\d]\w*)\s*\((?P<parameters>[^()]*)\)\s*=?\s*")
_FUNCTION_PARAMETER = re.compile(r"[^\W\d]\w*")
_Kept = TypeVar("_Kept", Model, UserFunction, Definition)


class Reader:
    """Reads lines into `root`, a definition without a name, and the settings of the whole netlist.

    `main` is the file that the first lines come from, if they come from one.
    """

    def __init__(self, folder: Folder, root: Definition, main: Path | None = None):
        self.folder, self.root, self.settings = folder, root, Settings()
        self._open = [root]
        self._including: list[Path] = [main] if main is not None else []

    def read(self, lines: Iterable[Line]) -> None:
        """Take in the lines of one file.

        Raises:
            NetlistError: a line that cannot be followed.
        """
        ended = False
        for line in lines:
            if ended:
                raise line.fault(".end stands before this line, and ngspice would read on; move .end to the end")
            first = line.text.lstrip()[:1]
            if first == ".":
                ended = self._directive(line)
            elif first.isalpha():
                self._open[-1].cards.append(line)
            else:
                raise line.fault(f"a line cannot begin with {first!r}; begin remarks with '*'")

    def close(self) -> None:
        """Say that there are no more lines."""
        if len(self._open) > 1:
            open_one = self._open[-1]
            raise open_one.line.fault(f".subckt {open_one.name} is not closed; add .ends where it ends")

    def _directive(self, line: Line) -> bool:
        """Follow a line with a dot; True if it is `.end`."""
        word = line.text.split(None, 1)[0].lower()
        if word.startswith(".inc"):
            self._include(line)
        elif word in REFUSED:
            raise line.fault(f"{word} {REFUSED[word]}; this package reads linear circuits for .ac: leave the line out")
        elif word.startswith(".para"):
            self._parameters(line)
        elif word in DIRECTIVES:
            DIRECTIVES[word](self, line)
        elif word == ".title":
            self.settings = replace(self.settings, title=line.text.strip()[len(word) :].strip())
        elif word != ".end" and word not in IGNORED:
            raise line.fault(f"{word[:40]} is unknown; known: {', '.join(sorted(DIRECTIVES))}, .include, .param, .end")
        return word == ".end"

    # other files

    def _include(self, line: Line) -> None:
        name, rest = file_name(line)
        if rest:
            raise line.fault(f".include takes one file, found {rest[:40]!r} after it; put its name in quotes")
        found = self._found(line, name)
        self._nested(found, read_lines(self._text(line, found), self.folder.shown(found)))

    def _library(self, line: Line) -> None:
        name, section = file_name(line)
        section = section.strip("\"' ").lower()
        if not section:
            raise line.fault(".lib takes a file and a section of it; to read a whole file write .include")
        found = self._found(line, name)
        lines = read_lines(self._text(line, found), self.folder.shown(found))
        self._nested(found, section_of(lines, section, line))

    def _found(self, line: Line, name: str) -> Path:
        try:
            return self.folder.find(name, self._including[-1].parent if self._including else None)
        except ValueError as error:
            raise line.fault(str(error)) from None

    def _text(self, line: Line, path: Path) -> str:
        if path in self._including:
            circle = [self.folder.shown(p) for p in [*self._including[self._including.index(path) :], path]]
            raise line.fault(f"files include each other: {' → '.join(circle)}; break the circle")
        if len(self._including) >= MAX_INCLUDES:
            raise line.fault(f"files within files more than {MAX_INCLUDES} deep; include them side by side")
        try:
            return self.folder.read(path)
        except ValueError as error:
            raise line.fault(str(error)) from None

    def _nested(self, path: Path, lines: Iterable[Line]) -> None:
        self._including.append(path)
        self.read(lines)
        self._including.pop()

    # subcircuits, and what is defined within them

    def _subcircuit(self, line: Line) -> None:
        names, start = heading(line)
        if len(names) < 2:
            raise line.fault(".subckt needs a name; write .subckt name node … parameter=value")
        if len(self._open) > MAX_NESTING:
            raise line.fault(f"subcircuits within subcircuits more than {MAX_NESTING} deep; define them side by side")
        outer = self._open[-1]
        made = Definition(names[1].text, line, parent=outer, has_components=outer.has_components)
        made.ports = ports_of(line, names[2:])
        if start is not None:
            for found in read_assignments(line, start):
                _add_parameter(made, found)
                made.formals.append(found.name)
        _keep(outer.definitions, made.name, made, "subcircuit")
        self._open.append(made)

    def _ends(self, line: Line) -> None:
        if len(self._open) == 1:
            raise line.fault(".ends without .subckt; leave it out")
        self._open.pop()

    def _parameters(self, line: Line) -> None:
        if _FUNCTION.match(line.text.lstrip()):
            return self._function(line)
        start = len(line.text) - len(line.text.lstrip())
        for found in read_assignments(line, start + len(line.text.split(None, 1)[0])):
            _add_parameter(self._open[-1], found)
        return None

    def _function(self, line: Line) -> None:
        start = len(line.text) - len(line.text.lstrip())
        match = _FUNCTION.match(line.text, start)
        parameters = [name.strip() for name in match["parameters"].split(",")] if match else []
        parameters = [] if parameters == [""] else parameters
        lowered = {name.lower() for name in parameters}
        if match is None or not all(map(_FUNCTION_PARAMETER.fullmatch, parameters)) or len(lowered) < len(parameters):
            raise line.fault("no function; write .func name(a, b) {expression}")
        begin, end = _body(line, match.end())
        body = parse_formula(line.text[begin:end], line, begin)
        made = UserFunction(match["name"].lower(), tuple(parameters), body, line)
        _keep(self._open[-1].functions, made.name, made, "function")

    def _model(self, line: Line) -> None:
        found = split_words(line)
        if len(found) < 3 or found[1].kind != "word" or found[2].kind != "word":
            raise line.fault("no model; write .model name R (r=1k), or of kind C or L")
        made = Model(found[1].text, found[2].text.lower(), line)
        _keep(self._open[-1].models, made.name, made, "model")

    # the whole netlist

    def _sweep(self, line: Line) -> None:
        if self.settings.sweep is not None:
            raise line.fault(f"a second .ac, the first is at {self.settings.sweep.place()}; leave one out")
        self.settings = replace(self.settings, sweep=line)

    def _global(self, line: Line) -> None:
        named = {word.text.lower(): word.text for word in split_words(line)[1:]}
        self.settings = replace(self.settings, global_nodes={**named, **self.settings.global_nodes})

    def _temperature(self, line: Line) -> None:
        found = split_words(line)
        if len(found) != 2:
            raise line.fault(".temp takes one temperature in °C; more of them are a batch here")
        self.settings = replace(self.settings, temperature=_as_assignment("temp", found[1], line))

    def _options(self, line: Line) -> None:
        found = split_words(line)
        for index, word in enumerate(found):
            key = word.text.lower()
            if key in OPTIONS_REFUSED:
                raise line.fault(f"option {key} adds parts to every node in secret; write them out", word.offset)
            if key in ("temp", "tnom") and found[index + 1 : index + 2] and found[index + 1].kind == "equals":
                if len(found) < index + 3:
                    raise line.fault(f"option {key} needs a temperature in °C; write {key}=27", word.offset)
                value = _as_assignment(key, found[index + 2], line)
                role = "temperature" if key == "temp" else "nominal"
                self.settings = replace(self.settings, **{role: value})


DIRECTIVES: Mapping[str, Callable[[Reader, Line], None]] = {
    ".lib": Reader._library,
    ".subckt": Reader._subcircuit,
    ".macro": Reader._subcircuit,
    ".ends": Reader._ends,
    ".eom": Reader._ends,
    ".func": Reader._function,
    ".model": Reader._model,
    ".ac": Reader._sweep,
    ".global": Reader._global,
    ".temp": Reader._temperature,
    ".option": Reader._options,
    ".options": Reader._options,
    ".opt": Reader._options,
}


def _add_parameter(definition: Definition, found: Assignment) -> None:
    """The last one of a name counts, as in ngspice, under the name first written."""
    before = definition.parameters.get(found.name.lower())
    definition.parameters[found.name.lower()] = replace(found, name=before.name) if before else found


def _keep(kept: dict[str, _Kept], name: str, made: _Kept, what: str) -> None:
    """Add a definition; the same one again, from a file that is included twice, is no news."""
    before = kept.setdefault(name.lower(), made)
    if before is not made and before.line.place() != made.line.place():
        raise made.line.fault(f"a second {what} {name}, the first is at {before.line.place()}; rename one")


def _body(line: Line, position: int) -> tuple[int, int]:
    """Where the body of a function begins and ends, without its braces."""
    if line.text[position : position + 1] not in ("{", "'"):
        return position, len(line.text)
    end = closing(line, position)
    if line.text[end + 1 :].strip():
        raise line.fault("something follows the body of the function; remove it", end + 1)
    return position + 1, end


def _as_assignment(name: str, word: Word, line: Line) -> Assignment:
    return Assignment(name, parse_formula(word.text, line, word.offset), line, word.offset)
