"""Panels of the replay: the tug of war of the data points, and what happened by step."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from circuits.errors import OptionError
from circuits.views import style
from circuits.views.playback.film import NAMED, Film, Frame
from losses import LossError

Array = Any
MARKS = ("o", "s")


class ContributionsPanel:
    """How every data point pulls at the chosen components, as a share of the strongest pull at this step."""

    def __init__(self, axes: Axes, film: Film):
        self._film, self._lines, self._why_not = film, [], ""
        try:
            film.pulls(film.frame(0))
        except (OptionError, LossError) as error:
            self._why_not = str(error)
        at = np.tile(film.ground.at, len(film.ground.outputs))
        size = 4.0 if len(at) <= 100 else 2.4
        for i, name in enumerate(film.names):
            look = {"markersize": size, "linestyle": "none", "color": style.COLOURS[2 - 2 * i], "markeredgewidth": 0.8}
            face = "white" if i else style.COLOURS[2]
            self._lines.append(axes.plot(at, np.zeros(len(at)), MARKS[i], markerfacecolor=face, label=name, **look)[0])
        axes.axhline(0.0, color=style.PALE, linewidth=1.0)
        axes.set_ylim(-1.15 - 0.2 * (len(film.names) > 1), 1.2 + 0.2 * len(film.names))
        axes.set_yticks([-1, 0, 1], ["pushes\nup", "0", "pushes\ndown"])
        axes.set_title("contribution of each data point to the gradient")
        self._note = axes.text(0.01, 0.98, "", transform=axes.transAxes, va="top", fontsize=8.5)
        if len(film.names) > 1:
            axes.legend(loc="lower left", fontsize=8.5, handletextpad=0.2, borderpad=0.1, ncols=2, columnspacing=1.0)
        film.ground.draw_axis([axes])

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [*self._lines, self._note]

    def show(self, frame: Frame) -> None:
        """Move to a step."""
        if self._why_not:
            self._note.set_text("\n".join(_wrapped(self._why_not, 60)))
            return
        notes = []
        for name, pull, line in zip(self._film.names, self._film.pulls(frame), self._lines, strict=True):
            pull = np.ravel(pull)
            strongest = np.nanmax(np.abs(pull), initial=0.0)
            share = pull / strongest if 0 < strongest < np.inf else np.zeros_like(pull)
            # an output that a component is no part of says nothing of it: no marks along the zero line
            line.set_ydata(np.where(pull == 0.0, np.nan, share) if len(self._film.ground.outputs) > 1 else share)
            notes.append(f"{name}: strongest {strongest:.2g}, sum {np.nansum(pull):.2g}")
        self._note.set_text("\n".join(notes))


class StepsPanel:
    """Values and gradients by step, a line across both at the step shown."""

    def __init__(self, axes: list[Axes], film: Film):
        self._film, self._axes = film, axes
        self._columns = range(min(len(film.all_names), NAMED))
        self._values = [film.walk(column) for column in self._columns]
        self._is_share = len(self._columns) > 1 and all(self._is_positive(values) for values in self._values)
        self._draw_values(axes[0])
        self._draw_gradients(axes[1])
        self._cursors = [panel.axvline(0, color=style.INK, linewidth=1.2) for panel in axes]
        self._dots = [
            panel.plot([], [], "o", color=style.colour(c), markersize=5)[0] for panel in axes for c in self._columns
        ]
        axes[0].tick_params(labelbottom=False)
        axes[1].set_xlabel("step")
        if film.last > 200:
            axes[0].set_xscale("symlog", linthresh=1.0)
        else:
            axes[0].xaxis.set_major_locator(MaxNLocator(integer=True))
        axes[0].set_xlim(-0.02 * max(film.last, 1) if film.last <= 200 else -0.3, 1.02 * max(film.last, 1))

    @staticmethod
    def _is_positive(values: Array) -> bool:
        return bool((values[np.isfinite(values)] > 0).all())

    def _draw_values(self, axes: Axes) -> None:
        film = self._film
        unit = film.fit.units.get(film.all_names[0], "")
        axes.set_ylabel("value / its last" if self._is_share else f"value ({unit})" if unit else "value")
        for c in self._columns:
            look = {"color": style.colour(c), "linestyle": style.line(c), "linewidth": 1.5}
            axes.plot(film.keys, self._shown(c, self._values[c]), label=film.all_names[c], **look)
        if self._is_share or (len(self._columns) == 1 and film.is_log(0)):
            _log_height(axes)
        look = {"fontsize": 8.5, "handlelength": 2.6, "borderpad": 0.1, "labelspacing": 0.2, "columnspacing": 1.2}
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2 if len(self._columns) == 4 else 3, **look)

    def _draw_gradients(self, axes: Axes) -> None:
        film = self._film
        for c in self._columns:
            look = {"color": style.colour(c), "linestyle": style.line(c), "linewidth": 1.5}
            axes.plot(film.keys, _above_zero(np.abs(film.gradients(c))), **look)
        _log_height(axes)
        axes.set_ylabel("|gradient|")

    def _shown(self, column: int, value: Any) -> Any:
        return value / self._values[column][-1] if self._is_share else value

    @property
    def artists(self) -> list[Artist]:
        """What moves."""
        return [*self._cursors, *self._dots]

    def show(self, frame: Frame) -> None:
        """Move to a step."""
        for line in self._cursors:
            line.set_xdata([frame.step, frame.step])
        count = len(self._columns)
        for c in self._columns:
            self._dots[c].set_data([frame.step], [self._shown(c, frame.values[c])])
            slope = frame.gradient[c]
            dot = self._dots[count + c]
            dot.set_data([frame.step], [_above_zero(abs(slope))])
            dot.set_marker("v" if slope > 0 else "^")  # where descent takes the value


def _log_height(axes: Axes) -> None:
    """A logarithmic axis over a decade at least: the ticks of a narrower one are hard to read."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    if high < 10 * low:
        axes.set_ylim(low / 3.2, high * 3.2)


def _above_zero(values: Any) -> Any:
    """Zero has no place on a logarithmic axis."""
    return np.where(values > 0, values, np.nan)


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap  # for the rare loss that cannot be taken apart

    return textwrap.wrap(text, width)
