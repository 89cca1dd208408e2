"""A circuit under sliders: `Explorer`, its knobs and its picture."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.views.explorer.explorer import Explorer, explore

__all__ = ["Explorer", "explore"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used."""
    if name not in __all__:
        raise AttributeError(f"module 'circuits.views.explorer' has no attribute {name!r}")
    value = getattr(import_module("circuits.views.explorer.explorer"), name)
    globals()[name] = value
    return value
