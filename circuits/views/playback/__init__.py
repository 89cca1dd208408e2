"""The replay of a fit: `Film` knows its steps, `Stage` draws one, `Replay` puts both under a slider."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from circuits.views.playback.film import Film
    from circuits.views.playback.player import Replay, replay
    from circuits.views.playback.stage import Stage

_MODULE = {"Film": "film", "Replay": "player", "Stage": "stage", "replay": "player"}

__all__ = ["Film", "Replay", "Stage", "replay"]


def __getattr__(name: str) -> Any:
    """Load a name when it is first used: a film needs no widgets."""
    if name not in _MODULE:
        raise AttributeError(f"module 'circuits.views.playback' has no attribute {name!r}")
    value = getattr(import_module(f"circuits.views.playback.{_MODULE[name]}"), name)
    globals()[name] = value
    return value
