"""A figure of which only what moves is drawn again."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Hashable
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from circuits.views import style

Array = Any
BACKGROUNDS = 32
"""How many still pictures are kept: one for every state of the axes."""


class Canvas:
    """A still background, kept, and the artists that move in front of it (blitting).

    Args:
        figure: laid out once, here.
        moving: the artists that are drawn anew each time, from back to front.
    """

    def __init__(self, figure: Figure, moving: list[Artist]):
        self.figure = figure
        self._agg = FigureCanvasAgg(figure)
        self._moving = moving
        self._stills: dict[Hashable, Any] = {}
        for artist in moving:
            artist.set_animated(True)
        with mpl.rc_context(style.SETTINGS):
            figure.draw_without_rendering()
            figure.set_layout_engine("none")

    def pixels(self, state: Hashable = None) -> Array:
        """The picture as `(height, width, 4)` bytes; `state` names the background, drawn when first met.

        The array is the canvas itself, good until the next picture: copy it to keep it.
        """
        with mpl.rc_context(style.SETTINGS):
            if state in self._stills:
                self._agg.restore_region(self._stills[state])
            else:
                self._draw_still(state)
            renderer = self._agg.get_renderer()
            for artist in self._moving:
                if artist.get_visible():
                    artist.draw(renderer)
        return np.asarray(self._agg.buffer_rgba())

    def _draw_still(self, state: Hashable) -> None:
        if len(self._stills) >= BACKGROUNDS:
            self._stills.pop(next(iter(self._stills)))
        self._agg.draw()
        self._stills[state] = self._agg.copy_from_bbox(self.figure.bbox)


def png(pixels: Array) -> bytes:
    r"""A picture as PNG, without filters and hardly compressed: half the time that an imaging library takes for it.

    Reference: Portable Network Graphics, W3C recommendation, 2nd ed. (2003), sections 5 and 11.

    >>> png(np.zeros((2, 3, 4), dtype=np.uint8))[:4]
    b'\x89PNG'
    """
    height, width = pixels.shape[:2]
    rows = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # the byte before each row stays zero: no filter
    for channel in range(3):
        rows[:, 1 + channel :: 3] = pixels[..., channel]
    header = struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0)  # eight bits each of red, green and blue
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 1)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
