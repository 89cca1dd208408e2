"""What one column's name says: its unit, its uncertainty, and which quantity can be had from it."""

from __future__ import annotations

import cmath
import math

import pytest

from circuits.data import read

NAN = math.nan
DEGREE = math.pi / 180


@pytest.mark.parametrize(
    ("name", "in_ours"),
    [("f (Hz)", 1.0), ("f/Hertz", 1.0), ("f_GHz", 1e9), ("f [KHZ]", 1e3), ("f in rad/sec", 0.5 / math.pi)]
    + [
        ("f {kHz}", 1e3),
        ("Frequency(kHz)", 1e3),
        ("freq. (Hz)", 1.0),
        ("ω", 0.5 / math.pi),
        ("tone_hz", 1.0),
    ],
)
def test_units_of_frequency(name, in_ours, write):
    assert read(write(f"{name},gain\n3,0.5\n")).f.item() == pytest.approx(3 * in_ours, rel=1e-15)


@pytest.mark.parametrize(
    ("name", "quantity", "in_ours"),
    [("phase (rad)", "phase", 1 / DEGREE), ("phase in radians", "phase", 1 / DEGREE)]
    + [("arg / radian", "phase", 1 / DEGREE), ("phase (degrees)", "phase", 1.0), ("Phase (*)", "phase", 1.0)]
    + [("angle_degree", "phase", 1.0), ("phase shift (º)", "phase", 1.0), ("gain (dBm)", "decibels", 1.0)]
    + [("dB", "decibels", 1.0), ("gain-dB", "decibels", 1.0), ("ratio (percent)", "magnitude", 0.01)]
    + [("gain (lin)", "magnitude", 1.0), ("|H(f)|", "magnitude", 1.0), ("Uout/Uin", "magnitude", 1.0)]
    + [("out / in", "magnitude", 1.0), ("Vout (mV)", "magnitude", 1e-3), ("Vout (kV)", "magnitude", 1e3)],
)
def test_units_of_values(name, quantity, in_ours, write):
    data = read(write(f"f,{name}\n1,3\n"))
    assert data.quantity == quantity
    assert data.values.item() == pytest.approx(3 * in_ours, rel=1e-15)


SIGMAS = {
    "beside": ("f,gain,gain_sigma\n100,0.9,0.01\n", "magnitude", [0.01], ()),
    "bare": ("f,gain,sigma\n100,0.9,0.01\n", "magnitude", [0.01], ()),
    "plus-minus": ("f,gain,±\n100,0.9,0.01\n", "magnitude", [0.01], ()),
    "Greek": ("f,|H|,σ(|H|)\n100,0.9,0.01\n", "magnitude", [0.01], ()),
    "error": ("f,gain,gain error\n100,0.9,0.01\n", "magnitude", [0.01], ()),
    "std first": ("f,std,gain\n100,0.01,0.9\n", "magnitude", [0.01], ()),
    "in dB": ("f,gain_db,unc (dB)\n100,-1,0.2\n", "decibels", [0.2], ()),
    "of a phase in radians": ("f,phase_rad,phase_sigma\n100,-1,0.1\n", "phase", [0.1 / DEGREE], ()),
    "of a phase, in degrees": ("f,phase_rad,phase_sigma_deg\n100,-1,0.1\n", "phase", [0.1], ()),
    "per cent of a ratio": ("f,gain,sigma (%)\n100,0.5,2\n", "magnitude", [0.01], ()),
    "per cent of per cent": ("f,gain (%),sigma (%)\n100,50,2\n", "magnitude", [0.02], ()),
    "of voltages": (
        "f,vin,vin_sigma,vout,vout_sigma\n100,2,0.2,1,0.05\n",
        "magnitude",
        [0.5 * math.hypot(0.1, 0.05)],
        (),
    ),
    "of one voltage": ("f,vin,vout,vout_sigma\n100,2,1,0.05\n", "magnitude", [0.025], ()),
    "of the input, for two outputs": (
        "f,vin,vin_sigma,vout_low,vout_high\n100,2,0.2,1,2\n",
        "magnitude",
        [[0.05], [0.1]],
        ("low", "high"),
    ),
    "of volts": (
        "#f(Hz),peak-to-peak voltage(volt),unc voltage(volt),y(volt),unc y(volt)\n100,2.3,0.05,1,0.1\n",
        "magnitude",
        [0.05],
        (),
    ),
    "one for both parts": ("f,re,im,sigma\n100,0.5,0.5,0.01\n", "response", [0.01], ()),
    "one for each part": (
        "f,re,re_sigma,im,im_sigma\n100,0.5,0.5,0.5,0.7\n",
        "response",
        [math.sqrt((0.25 + 0.49) / 2)],
        (),
    ),
    "along and across": (
        "f,gain,gain_sigma,phase_deg,phase_sigma\n100,0.5,0.01,-60,2\n",
        "response",
        [math.sqrt((0.01**2 + (0.5 * 2 * DEGREE) ** 2) / 2)],
        (),
    ),
    "along only": ("f,gain,gain_sigma,phase_deg\n100,0.5,0.01,-60\n", "response", None, ()),
    "of every output": (
        "f,low,low_sigma,high,high_sigma\n100,0.9,0.01,0.15,0.02\n",
        "magnitude",
        [[0.01], [0.02]],
        ("low", "high"),
    ),
    "of one output": ("f,low_db,low_sigma_db,high_db\n100,-1,0.1,-9\n", "decibels", None, ("low", "high")),
    "of the frequency": ("f,f_sigma,gain\n100,1,0.9\n", "magnitude", None, ()),
    "missing with the value": ("f,gain,sigma\n100,0.9,0.01\n200,,\n", "magnitude", [0.01, NAN], ()),
}


@pytest.mark.parametrize("name", SIGMAS)
def test_uncertainty(name, same, write):
    text, quantity, sigma, outputs = SIGMAS[name]
    data = read(write(text))
    assert (data.quantity, data.outputs) == (quantity, outputs)
    assert data.sigma is None if sigma is None else same(data.sigma, sigma)


@pytest.mark.parametrize(
    ("quantity", "value", "sigma"),
    [
        ("decibels", -20.0, 0.1),
        ("magnitude", 0.1, 0.1 * 0.1 * math.log(10) / 20),
        ("phase", -60.0, None),
        ("response", cmath.rect(0.1, -60 * DEGREE), None),
    ],
)
def test_a_quantity_can_be_picked(quantity, value, sigma, same, write):
    data = read(write("f,gain_db,gain_sigma,phase_deg\n100,-20,0.1,-60\n"), quantity)
    assert data.quantity == quantity
    assert same(data.values, [value])
    assert data.sigma is None if sigma is None else same(data.sigma, [sigma])


def test_lights_beside_a_level_are_there_when_asked_for(same, write):
    file = write("f,gain,lit\n100,0.9,1\n200,0.5,0\n")
    assert read(file).quantity == "magnitude"
    assert same(read(file, "led").values, [1, 0])
    assert "'lit'" in read(file).understood.partition("not used")[2]


def test_numbers_can_be_asked_for_where_labels_are_seen(same, write):
    assert read(write("f,low\n100,1\n200,0\n")).quantity == "led"
    assert same(read(write("f,low\n100,1\n200,0\n"), "magnitude").values, [1, 0])
