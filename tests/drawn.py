"""What tests of pictures share: a picture laid out, and whether anything is cut off or overlaps."""

from __future__ import annotations

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg


def laid_out(figure):
    """Lay the figure out; its renderer."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas.get_renderer()


def is_whole(figure):
    """Whether a margin of white is left: what is cut off would reach the edge."""
    picture = np.asarray(laid_out(figure).buffer_rgba())[..., :3]
    edges = (picture[:3], picture[-3:], picture[:, :3], picture[:, -3:])
    return bool((picture < 255).any()) and all(bool((edge == 255).all()) for edge in edges)


def overlaps(figure):
    """Pairs of axes (with their labels and titles) and legends that cover each other."""
    renderer = laid_out(figure)
    boxes = [axes.get_tightbbox(renderer) for axes in figure.axes]
    boxes += [legend.get_window_extent(renderer) for legend in figure.legends]
    slack = 2.0  # pixels: the words of a legend stand in a box with some room
    pairs = [(a, b) for i, a in enumerate(boxes) for b in boxes[i + 1 :]]
    return [
        (a, b)
        for a, b in pairs
        if min(a.x1, b.x1) - max(a.x0, b.x0) > slack and min(a.y1, b.y1) - max(a.y0, b.y0) > slack
    ]


def legend_texts(figure):
    """All that the legends say."""
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]
