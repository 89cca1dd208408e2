"""Tune a color organ from the tones played and the LEDs seen; `color_organ.py organ.png` draws the picture too."""

import sys
from pathlib import Path

import circuits as cc
import losses

bench = cc.read(Path(__file__).parent / "data" / "organ_leds.csv")
organ = cc.ColorOrgan(low=500.0, band=(500.0, 500.0), high=500.0)  # ohms; the capacitors are 1 µF
result = cc.fit(organ, bench, losses.LogisticLed())
print(bench.understood)
print(result)
if len(sys.argv) > 1:
    result.plot(sys.argv[1])
