"""Readers of files that are not text, or not all of them: as the readers beside, and they are asked first.

A reader has `recognise(data: bytes) -> bool` and `parse(data, quantity, naming) -> Measurements`.
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def installed() -> tuple[ModuleType, ...]:
    """Every reader of bytes in this folder."""
    return tuple(
        import_module(f"{__name__}.{name}") for name in sorted(one.name for one in pkgutil.iter_modules(__path__))
    )


def reader_for(data: bytes) -> ModuleType | None:
    """The first reader that recognises the bytes, or None: then they are tried as text.

    >>> reader_for(b"frequency_hz,magnitude") is None
    True
    """
    return next((reader for reader in installed() if reader.recognise(data)), None)
