"""What stays where it is while component values move: the horizontal axis, the data, the threshold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from circuits.views import numeric_panels, style
from circuits.views.numeric_panels import View

Array = Any
_MODULE_VIEW = View("prediction", "", np.real, lambda values, sigma: sigma)
_LED_VIEW = View("magnitude |H|", "", np.real, lambda values, sigma: sigma)


@dataclass(frozen=True)
class Ground:
    """The still part of a picture.

    Args:
        quantity: what is predicted, as in `Measurements`, or "value" of a plain module.
        outputs: k names, `("",)` for one without a name.
        across: what the horizontal axis shows, "frequency" in hertz or something else.
        grid: where curves are drawn, `(m,)`.
        at: where the data points are, `(n,)`.
        target: what was measured there, `(k, n)`, NaN where nothing was; None without data.
        threshold: of LEDs, or None.
        unit: of the response; none of a ratio.
    """

    quantity: str
    outputs: tuple[str, ...]
    across: str
    grid: Array
    at: Array
    target: Array | None = None
    threshold: float | None = None
    unit: str = ""

    @property
    def has_leds(self) -> bool:
        """Whether there are rows of LEDs."""
        return self.threshold is not None

    @property
    def views(self) -> tuple[View, ...]:
        """The real quantities that are drawn, one panel each."""
        if self.has_leds:
            return (_LED_VIEW,)
        if self.quantity == "value":
            return (_MODULE_VIEW,)
        return numeric_panels.views_of(self.quantity, self.unit)

    @property
    def heights(self) -> tuple[float, ...]:
        """Relative heights of the panels that the response needs."""
        return (2.4, 0.62 * len(self.outputs)) if self.has_leds else (1.0,) * len(self.views)

    def draw_axis(self, axes: Sequence[Axes]) -> None:
        """Draw the horizontal axis of panels above one another."""
        low, high = float(self.grid.min()), float(self.grid.max())
        if self.across == "frequency":
            for panel in axes:
                style.frequency_axis(panel, low, high, labelled=panel is axes[-1])
        else:
            pad = 0.02 * (high - low) or 0.5
            axes[-1].set_xlim(low - pad, high + pad)
            axes[-1].set_xlabel(self.across)
