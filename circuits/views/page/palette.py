"""A few colours for many pictures: drawings with at most 255 colours compress to a quarter, and look the same."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

Array = Any
EXACT = 96
"""The commonest colours, which are kept as they are: paper, ink, and the lines."""

ENOUGH = 2_000_000
"""Pixels by which the colours are chosen; of more, every so many are taken."""

CLEAR = 255
"""The index that stands for transparent."""

_BITS = 5
_SIDE = 1 << _BITS


@dataclass(frozen=True)
class Palette:
    """At most 255 colours `(n, 3)`, and for every cell of the colour cube (8 levels wide) the index of the nearest."""

    colours: Array
    nearest: Array

    @classmethod
    def of(cls, pictures: Sequence[Array]) -> Palette:
        """The colours that serve these pictures `(height, width, 3 or 4)` of uint8 best.

        A cell is represented by its commonest colour; the commonest cells get an index each, the others share what is
        left by median cut (P. Heckbert, Color image quantization for frame buffer display, SIGGRAPH 1982).

        >>> picture = np.full((2, 2, 3), 255, dtype=np.uint8)
        >>> Palette.of([picture]).colours.tolist()
        [[255, 255, 255]]
        """
        pixels = np.concatenate([picture[..., :3].reshape(-1, 3) for picture in pictures])
        pixels = pixels[:: 1 + len(pixels) // ENOUGH]
        packed, count = np.unique(_packed(pixels), return_counts=True)
        by_count = packed[np.argsort(count, kind="stable")]
        cells = _centres()
        commonest = np.stack([by_count >> 16, (by_count >> 8) & 255, by_count & 255], -1)
        cells[_cell(commonest)] = commonest  # the last one written, the commonest, stays
        weight = np.bincount(_cell(pixels), minlength=len(cells))
        used = np.argsort(-weight, kind="stable")[: np.count_nonzero(weight)]
        colours = np.concatenate([cells[used[:EXACT]], _median_cut(cells[used[EXACT:]], CLEAR - EXACT)])
        return cls(colours.astype(np.uint8), _nearest(cells, colours))

    def indices(self, picture: Array) -> Array:
        """The colour of every pixel by its index, `(height, width)`."""
        return self.nearest[_cell(picture[..., :3].astype(np.int64))]


def webp(indices: Array, palette: Palette) -> bytes:
    """A picture as a lossless WebP file; pixels of the index `CLEAR` are transparent.

    >>> white = Palette.of([np.full((2, 2, 3), 255, dtype=np.uint8)])
    >>> webp(np.zeros((2, 2), dtype=np.uint8), white)[8:12]
    b'WEBP'
    """
    table = np.zeros((256, 4), dtype=np.uint8)
    table[: len(palette.colours), :3] = palette.colours
    table[: len(palette.colours), 3] = 255
    pixels = table[indices]
    buffer = io.BytesIO()
    image = Image.fromarray(pixels if (indices == CLEAR).any() else np.ascontiguousarray(pixels[..., :3]))
    image.save(buffer, "WEBP", lossless=True, method=2, exact=True)
    return buffer.getvalue()


def _packed(pixels: Array) -> Array:
    wide = pixels.astype(np.int64)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _cell(colours: Array) -> Array:
    """The cell of the colour cube that a colour lies in."""
    red, green, blue = (colours[..., i] >> (8 - _BITS) for i in range(3))
    return (red.astype(np.int64) * _SIDE + green) * _SIDE + blue


def _centres() -> Array:
    """The colour in the middle of every cell, `(cells, 3)`."""
    cell = np.arange(_SIDE**3)
    parts = np.stack([cell // _SIDE**2, cell // _SIDE % _SIDE, cell % _SIDE], -1)
    return parts * (256 // _SIDE) + 128 // _SIDE


def _median_cut(colours: Array, most: int) -> Array:
    """So many colours at most in the place of these."""
    if len(colours) <= most:
        return colours
    shown = Image.fromarray(colours.astype(np.uint8)[None])
    few = shown.quantize(most, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    return np.array(few.getpalette(), dtype=np.int64).reshape(-1, 3)[:most]


def _nearest(cells: Array, colours: Array) -> Array:
    """For every cell the index of the colour that is nearest to it."""
    a, b = cells.astype(np.float32), colours.astype(np.float32)
    return ((b**2).sum(1) - 2 * a @ b.T).argmin(1).astype(np.uint8)
