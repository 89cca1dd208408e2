"""`Knob`: one component under a slider, with its value typed in beside it."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets

from circuits.errors import NotationError
from circuits.notation import format as engineering
from circuits.notation import parse

DECADES = 2.0
"""Decades on a slider to either side of the value it begins with."""

NOTCH = 0.005
"""Decades between two neighbouring places of a slider: about one percent. Less than half of it does not count."""

NOTCHES = 800
"""Places of a slider that is not logarithmic."""

RED = "#D55E00"


class Knob(widgets.VBox):
    """A tick box that lets a fit move the component, a slider over its decades, and its value as text.

    Text is read as engineers write it (`4k7`, `4.7e3`, `4.7 kΩ`); what cannot be read leaves the value as it was, with
    a red border and a sentence below.

    A component that may be zero or negative has a linear slider to either side of where it stands.

    Args:
        name: of the component. `unit`: its SI unit, or "".
        value: where it stands, in that unit.
        learns: whether a fit moves it.
        on_move: called with nothing after each change of the value.
        on_learns: called with True or False when the box is ticked.
        positive: whether it has to stay above zero.
    """

    _parts: tuple[widgets.Widget, ...] = ()

    def __init__(
        self,
        name: str,
        unit: str,
        value: float,
        learns: bool,
        on_move: Callable[[], None],
        on_learns: Callable[[bool], None],
        positive: bool = True,
    ):
        self.name, self.unit, self.value = name, unit, value
        self._on_move, self._on_learns, self._is_quiet = on_move, on_learns, False
        self._is_positive = positive
        self.learns = widgets.Checkbox(
            learns, description="fit", indent=False, layout={"width": "52px"}, tooltip="whether a fit moves it"
        )
        look: dict[str, Any] = {
            "description": name,
            "readout": False,
            "disabled": not learns,
            "layout": {"width": "430px"},
            "style": {"description_width": "92px"},
        }
        place, reach = self._place(value), DECADES if positive else 3 * abs(value) + 1
        self._notch = NOTCH if positive else 2 * reach / NOTCHES
        ends = {"min": place - reach, "max": place + reach, "step": self._notch}
        self.slider = (
            widgets.FloatLogSlider(value, base=10, **ends, **look)
            if positive
            else widgets.FloatSlider(value, **ends, **look)
        )
        self.text = widgets.Text(
            engineering(value, unit, 6), continuous_update=False, disabled=not learns, layout={"width": "120px"}
        )
        self.message = widgets.HTML(layout={"display": "none"})
        self.learns.observe(self._on_tick, "value")
        self.slider.observe(self._on_slider, "value")
        self.text.observe(self._on_text, "value")
        self._parts = (self.learns, self.slider, self.text, self.message)
        super().__init__([widgets.HBox([self.learns, self.slider, self.text]), self.message])

    def move_to(self, value: float) -> None:
        """Show a value without telling anybody; the slider grows where it is too short for it."""
        self.value = value
        self._is_quiet = True
        try:
            place = self._place(value)
            self.slider.min, self.slider.max = min(self.slider.min, place), max(self.slider.max, place)
            self.slider.value = value
            self.text.value = engineering(value, self.unit, 6)
            self._say("")
        finally:
            self._is_quiet = False

    def close(self) -> None:
        """Close every widget of the knob."""
        for part in (*self._parts, *self.children):
            part.close()
        super().close()

    def _place(self, value: float) -> float:
        """Where on the slider a value lies."""
        return math.log10(value) if self._is_positive else value

    def _on_slider(self, change: Any) -> None:
        # a browser answers a value between two notches with the notch next to it, which nobody has asked for
        is_rounding = abs(self._place(change["new"]) - self._place(self.value)) <= self._notch / 2
        if not self._is_quiet and not is_rounding:
            self._move(change["new"])

    def _on_text(self, change: Any) -> None:
        if self._is_quiet:
            return
        try:
            value = parse(change["new"], self.unit or None)
            if self._is_positive and value <= 0:
                raise NotationError(f"{change['new']!r} is not above zero; a component is")
        except NotationError as error:
            self._say(f"{error} ({self.name} stays at {engineering(self.value, self.unit, 6)})")
        else:
            self._move(value)

    def _on_tick(self, change: Any) -> None:
        self.slider.disabled = self.text.disabled = not change["new"]
        self._on_learns(change["new"])

    def _move(self, value: float) -> None:
        self.move_to(value)
        self._on_move()

    def _say(self, text: str) -> None:
        """A sentence below the slider and a red border around the text, or neither."""
        self.message.value = f'<span style="color:{RED}">{html.escape(text)}</span>'
        self.message.layout.display = None if text else "none"
        self.text.layout.border = f"2px solid {RED}" if text else None
