"""The commands of `circuits`, a module each; a new command is a new module and a name here.

A module has `SUMMARY`, a line for the help; `CIRCUIT`, "words" where a circuit and its values are typed as words behind
the command, "option" where it is an option, None where there is none; `add_options(parser)`; and `run(options)`, which
returns the exit status. Nothing heavy is loaded before `run`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

COMMANDS = {
    "read": "reading",
    "fit": "fitting",
    "fit-many": "fitting_many",
    "simulate": "simulating",
    "graph": "graphing",
    "schematic": "schematic_drawing",
    "diagnose": "diagnosing",
    "tune": "tuning",
    "yield": "yielding",
}
"""The module of every command, in the order of the help."""

DONE, NOT_EXPLAINED, BAD_INPUT, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141
"""Exit statuses."""


def module_of(command: str) -> ModuleType:
    """The module that does a command.

    >>> module_of("fit").SUMMARY
    'fit a circuit to a file of measurements'
    """
    return import_module(f"{__name__}.{COMMANDS[command]}")
