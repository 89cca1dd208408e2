"""The pictures of a replay as one still background and what differs from it: exact, and a tenth of the size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from circuits.views.page.palette import CLEAR, Palette, webp

Array = Any
MOST = 100
"""Pictures of a replay: one for every few pixels of a slider."""

SIZE = 1_400_000
"""Bytes of all pictures together; where they need more, every second one is left out until they do not."""

_SAMPLES = 7


@dataclass(frozen=True)
class Reel:
    """Pictures of steps, each the `still` with an overlay on it; all are WebP files.

    `steps` says which step of the fit each overlay belongs to, `size` is width and height in pixels.
    """

    size: tuple[int, int]
    steps: tuple[int, ...]
    still: bytes
    overlays: tuple[bytes, ...]


def evenly(keys: Sequence[int], most: int = MOST) -> list[int]:
    """At most so many of the keys, evenly spread, the first and the last among them.

    >>> evenly([0, 1, 2, 5, 10, 20, 50], 3)
    [0, 5, 50]
    """
    places = np.linspace(0, len(keys) - 1, min(most, len(keys))).round().astype(int)
    return [int(keys[place]) for place in places]


def record(draw: Callable[[int], Array], steps: Sequence[int], *, size: int = SIZE) -> Reel:
    """Draw every step once and keep what differs from a background that most of the pictures share.

    Args:
        draw: gives the picture of a step, `(height, width, 3 or 4)` of uint8.
        steps: which to draw, in order.
        size: bytes that the pictures may have together.
    """
    samples = [np.array(draw(step)) for step in evenly(steps, _SAMPLES)]
    palette = Palette.of(samples)
    table = np.sort([palette.indices(sample) for sample in samples], axis=0)
    still = table[len(table) // 2]  # at each pixel an index that some picture has there, the same in most
    overlays = [_difference(palette.indices(draw(step)), still, palette) for step in steps]
    kept, background = list(range(len(steps))), webp(still, palette)
    while len(kept) > 2 and len(background) + sum(len(overlays[i]) for i in kept) > size:
        kept = [*kept[:-1:2], kept[-1]]
    height, width = still.shape
    return Reel((width, height), tuple(steps[i] for i in kept), background, tuple(overlays[i] for i in kept))


def _difference(indices: Array, still: Array, palette: Palette) -> bytes:
    return webp(np.where(indices == still, np.uint8(CLEAR), indices), palette)
