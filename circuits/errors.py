"""Every error a user of `circuits` can meet: one sentence with what was given, what was expected and what to do."""

from __future__ import annotations

from collections.abc import Iterable


class OhmgradError(Exception):
    """The base of every error raised on purpose; the command line prints it in one line."""


class ComponentError(OhmgradError, ValueError):
    """A component value that no part can have: negative, zero, NaN, infinite."""


class FrequencyError(OhmgradError, ValueError):
    """A frequency that cannot be used: negative, zero, NaN, infinite."""


class ShapeError(OhmgradError, ValueError):
    """Shapes that do not broadcast, or lengths that differ."""


class DataError(OhmgradError, ValueError):
    """A file or a table of measurements that cannot be understood as it stands."""


class NotationError(OhmgradError, ValueError):
    """Text that is not a value as engineers write it."""


class OptionError(OhmgradError, ValueError):
    """An option of a fit, or of the command line, that cannot be followed."""


class NetlistError(OhmgradError, ValueError):
    """A netlist that cannot be read, or whose circuit has no single solution; the message begins with file and line."""


class GraphvizMissing(OhmgradError, RuntimeError):
    """A picture was asked for and the program that draws it is not installed."""


class NotebookMissing(OhmgradError, RuntimeError):
    """Something that moves was asked for where no notebook is around to show it."""


class WorkerError(OhmgradError, RuntimeError):
    """A process that shared the work of a fit died, raised or fell silent."""


class UnknownName(OhmgradError, LookupError):
    """A name that is not in the list; the message shows the list.

    >>> raise UnknownName("component", "R9", ["R1", "R2"])
    Traceback (most recent call last):
    circuits.errors.UnknownName: no component 'R9'; known: R1, R2
    """

    def __init__(self, kind: str, name: object, known: Iterable[str]):
        """Name the kind of thing, what was asked for, and everything that would have been found."""
        self.kind, self.name, self.known = kind, name, tuple(known)
        super().__init__(f"no {kind} {str(name)!r}; known: {', '.join(self.known) or 'none'}")
