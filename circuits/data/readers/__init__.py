"""One module for each kind of file; a new instrument is a new module here and nothing else.

A reader has `recognise(text) -> bool`, which looks for the header's fingerprint, and `parse(text, quantity,
naming) -> Measurements`, which reads the file; `quantity` is what was asked for, or None for the best that
the file can give, and a reader may leave the conversion to the caller; `naming` holds what a person said of
the columns. Readers are asked in the order of their names, `table` last, since it takes any table. Those of
files that are no text stand in `binary`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

_LAST = "table"


@cache
def installed() -> tuple[ModuleType, ...]:
    """Every reader in this folder, the one for plain tables last."""
    modules = (found.name for found in pkgutil.iter_modules(__path__) if not found.ispkg)
    names = sorted(modules, key=lambda name: (name == _LAST, name))
    return tuple(import_module(f"{__name__}.{name}") for name in names)


def reader_for(text: str) -> ModuleType:
    """The first reader that recognises a text.

    >>> reader_for("frequency_hz,magnitude").__name__.rpartition(".")[2]
    'table'
    """
    return next(reader for reader in installed() if reader.recognise(text))
