"""Tables as students and spreadsheets write them, and what they must be read as."""

from __future__ import annotations

import cmath
import math

import pytest

from circuits.data import read

NAN = math.nan
DEGREE = math.pi / 180

# text, quantity, frequencies, values, outputs
TABLES = {
    "plain": ("frequency_hz,magnitude\n100,0.9\n200,0.5\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "decibels": ("Frequency (Hz),Gain (dB)\n100,-1\n200,-3\n", "decibels", [100, 200], [-1, -3], ()),
    "decibels in words": (
        "Frequency in Hz,Gain in dB\n100,-1\n200,-3\n",
        "decibels",
        [100, 200],
        [-1, -3],
        (),
    ),
    "one row": ("f,|H|\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "unsorted": ("f,gain\n300,0.3\n100,0.1\n200,0.2\n", "magnitude", [100, 200, 300], [0.1, 0.2, 0.3], ()),
    "equal frequencies": ("f,gain\n200,1\n100,2\n200,3\n", "magnitude", [100, 200, 200], [2, 1, 3], ()),
    "kilohertz": ("f / kHz,gain\n0.1,0.9\n2,0.5\n", "magnitude", [100, 2000], [0.9, 0.5], ()),
    "kilohertz in brackets": ("freq [kHz],K\n0.1,0.9\n2,0.5\n", "magnitude", [100, 2000], [0.9, 0.5], ()),
    "kilohertz by name": ("freq_khz,ratio\n0.1,0.9\n2,0.5\n", "magnitude", [100, 2000], [0.9, 0.5], ()),
    "megahertz": ("f (MHz),gain\n1,0.9\n", "magnitude", [1e6], [0.9], ()),
    "millihertz": ("f (mHz),gain\n1,0.9\n", "magnitude", [1e-3], [0.9], ()),
    "radians a second": ("omega (rad/s),gain\n1000,0.9\n", "magnitude", [1000 / (2 * math.pi)], [0.9], ()),
    "frequency by its unit": ("x (Hz),gain\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "semicolon": ("f;gain\n100;0.9\n200;0.5\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "decimal comma": ("f / Hz;gain\n100,5;0,9\n1e3;5,0e-1\n", "magnitude", [100.5, 1000], [0.9, 0.5], ()),
    "decimal comma, tab": ("f\tgain\n100\t0,9\n200\t0,5\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "decimal comma, quoted": (
        'f,gain\n"100,5","0,9"\n200,"0,5"\n',
        "magnitude",
        [100.5, 200],
        [0.9, 0.5],
        (),
    ),
    "decimal comma, blanks": ("f gain\n100 0,9\n200 0,5\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "tab": ("f\tgain\n100\t0.9\n", "magnitude", [100], [0.9], ()),
    "blanks": ("Frequency (Hz) Gain (dB)\n  100   -1\n  200   -3\n", "decibels", [100, 200], [-1, -3], ()),
    "wide blanks": ("f / Hz    gain\n100    0.9\n", "magnitude", [100], [0.9], ()),
    "blanks around commas": (" f , gain \n 100 , 0.9 \n", "magnitude", [100], [0.9], ()),
    "quoted": ('"f","gain"\n"100","0.9"\n', "magnitude", [100], [0.9], ()),
    "trailing delimiters": ("f,gain\n100,0.9,\n200,0.5,,\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "blank lines and rows": (
        "\n\nf,gain\n\n100,0.9\n,\n200,0.5\n\n",
        "magnitude",
        [100, 200],
        [0.9, 0.5],
        (),
    ),
    "CRLF": ("f,gain\r\n100,0.9\r\n200,0.5\r\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "CR": ("f,gain\r100,0.9\r200,0.5", "magnitude", [100, 200], [0.9, 0.5], ()),
    "no end of line": ("f,gain\n100,0.9", "magnitude", [100], [0.9], ()),
    "comments": ("# made by Ana\nf,gain\n# half way\n100,0.9\n// end\n", "magnitude", [100], [0.9], ()),
    "comment header": ("# bench 3\n# f (Hz), gain\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "comment header, %": ("% Frequency (Hz), Gain (dB)\n100,-1\n", "decibels", [100], [-1], ()),
    "comment header, *, tabs": (
        "* Freq(Hz), Gain(dB)\n100\t-1\n200\t-2\n",
        "decibels",
        [100, 200],
        [-1, -2],
        (),
    ),
    "comment header with an index": (
        "#, Frequency (Hz), Gain (dB)\n1, 100, -1\n",
        "decibels",
        [100],
        [-1],
        (),
    ),
    "index column": (",f,gain\n0,100,0.9\n1,200,0.5\n", "magnitude", [100, 200], [0.9, 0.5], ()),
    "preamble": (
        "Sweep,7\nFrequency,1000\nPoints,2\nFreq(Hz),Gain(dB)\n100,-1\n",
        "decibels",
        [100],
        [-1],
        (),
    ),
    "exponents": ("f,gain\n1E+02,9e-1\n", "magnitude", [100], [0.9], ()),
    "signs": ("f,gain_db\n+100,−1.5\n", "decibels", [100], [-1.5], ()),
    "missing values": (
        "f,gain\n100,0.9\n200,\n300,nan\n400,0.1\n",
        "magnitude",
        [100, 200, 300, 400],
        [0.9, NAN, NAN, 0.1],
        (),
    ),
    "per cent": ("f,gain (%)\n100,90\n", "magnitude", [100], [0.9], ()),
    "V/V": ("f,Gain (V/V)\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "ratio of voltages": ("f,V(out)/V(in)\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "vr_vi": ("f,vr_vi\n100,0.9\n", "magnitude", [100], [0.9], ()),
    "ratio in dB": ("f,Vout/Vin (dB)\n100,-2\n", "decibels", [100], [-2], ()),
    "negative gain": ("f,gain\n100,-0.2\n200,-3\n300,-9\n", "decibels", [100, 200, 300], [-0.2, -3, -9], ()),
    "noise below zero": (
        "f,gain\n100,0.9\n200,0.1\n300,-0.01\n",
        "magnitude",
        [100, 200, 300],
        [0.9, 0.1, -0.01],
        (),
    ),
    "one wild reading": (
        "f,gain\n100,0.9\n200,0.5\n300,-1.5\n",
        "magnitude",
        [100, 200, 300],
        [0.9, 0.5, -1.5],
        (),
    ),
    "voltages, peak": ("f,Vin (Vpp),Vout (Vp)\n100,2,0.5\n", "magnitude", [100], [0.5], ()),
    "attenuation": ("f,attenuation_db\n100,1\n200,3\n", "decibels", [100, 200], [-1, -3], ()),
    "phase": ("f,phase_deg\n100,-45\n", "phase", [100], [-45], ()),
    "phase, degree sign": ("f,Phase (°)\n100,-45\n", "phase", [100], [-45], ()),
    "phase without unit": ("f,phase\n100,-45\n", "phase", [100], [-45], ()),
    "radians": ("f,phase_rad\n100,-0.5\n", "phase", [100], [-0.5 / DEGREE], ()),
    "radians after a slash": ("f,phi / rad\n100,-0.5\n", "phase", [100], [-0.5 / DEGREE], ()),
    "re and im": ("f,re,im\n100,0.5,-0.25\n", "response", [100], [0.5 - 0.25j], ()),
    "Re(H)": ("f,Re(H),Im(H)\n100,0.5,-0.25\n", "response", [100], [0.5 - 0.25j], ()),
    "real, imaginary": ("f,real part,imaginary part\n100,0.5,-0.25\n", "response", [100], [0.5 - 0.25j], ()),
    "magnitude and phase": (
        "f,gain,phase_deg\n100,0.5,-60\n",
        "response",
        [100],
        [cmath.rect(0.5, -60 * DEGREE)],
        (),
    ),
    "dB and phase": ("f,gain_db,phase_rad\n100,-20,-1\n", "response", [100], [cmath.rect(0.1, -1)], ()),
    "level and its phase": (
        "f,CH2 Gain (dB),Phase (deg)\n100,-20,-60\n",
        "response",
        [100],
        [cmath.rect(0.1, -60 * DEGREE)],
        (),
    ),
    "vin and vout": ("f,vin,vout\n100,2,1\n200,4,1\n", "magnitude", [100, 200], [0.5, 0.25], ()),
    "voltages with units": (
        "f,Input voltage (V),Output voltage (mV)\n100,2,500\n",
        "magnitude",
        [100],
        [0.25],
        (),
    ),
    "voltages of two swings": (
        "f,Vin (Vpp),Vout (Vrms)\n100,2,0.5\n",
        "magnitude",
        [100],
        [0.5 * 2**0.5],
        (),
    ),
    "voltages and phase": (
        "f,V_in,V_out,phase_deg\n100,2,1,-60\n",
        "response",
        [100],
        [cmath.rect(0.5, -60 * DEGREE)],
        (),
    ),
    "input and another voltage": ("f,vin,element\n100,2,1\n", "magnitude", [100], [0.5], ()),
    "one vin, three vout": (
        "f,vin,vout_low,vout_band,vout_high\n100,2,1,0.5,0\n",
        "magnitude",
        [100],
        [[0.5], [0.25], [0.0]],
        ("low", "band", "high"),
    ),
    "voltages, one with V": ("f,vin,vout (V)\n100,2,1\n", "magnitude", [100], [0.5], ()),
    "only vout": ("f,Vout (V)\n100,0.7\n", "magnitude", [100], [0.7], ()),
    "unknown column": ("f,filter response\n100,0.7\n", "magnitude", [100], [0.7], ()),
    "unknown negative column": ("f,bode\n100,-3\n200,0\n", "decibels", [100, 200], [-3, 0], ()),
    "unknown column and notes": (
        "f,reading,notes\n100,0.7,good\n200,0.6,bad\n",
        "magnitude",
        [100, 200],
        [0.7, 0.6],
        (),
    ),
    "three magnitudes": (
        "frequency,low,band,high\n100,0.99,0.1,0.01\n",
        "magnitude",
        [100],
        [[0.99], [0.1], [0.01]],
        ("low", "band", "high"),
    ),
    "three in dB": (
        "f,low_db,band_db,high_db\n100,-0.1,-20,-40\n",
        "decibels",
        [100],
        [[-0.1], [-20], [-40]],
        ("low", "band", "high"),
    ),
    "two with phase": (
        "f,CH1 Gain (dB),CH1 Phase (deg),CH2 Gain (dB),CH2 Phase (deg)\n100,0,0,-20,-90\n",
        "response",
        [100],
        [[1.0], [cmath.rect(0.1, -90 * DEGREE)]],
        ("CH1", "CH2"),
    ),
    "LEDs, 1 and 0": (
        "frequency,low,band,high\n100,1,0,0\n9000,0,0,1\n",
        "led",
        [100, 9000],
        [[1, 0], [0, 0], [0, 1]],
        ("low", "band", "high"),
    ),
    "LEDs, on and off": (
        "frequency,low,band,high\n100,on,OFF,off\n9000,Off,off,On\n",
        "led",
        [100, 9000],
        [[1, 0], [0, 0], [0, 1]],
        ("low", "band", "high"),
    ),
    "LEDs, many words": (
        "f,a1,b,c,d\n100,true,yes,lit,1.0\n200,FALSE,no,dark,0.0\n",
        "led",
        [100, 200],
        [[1, 0]] * 4,
        ("a1", "b", "c", "d"),
    ),
    "LEDs, missing": (
        "frequency,low,band,high\n100,1,,\n9000,NA,0,-\n",
        "led",
        [100, 9000],
        [[1, NAN], [NAN, 0], [NAN, NAN]],
        ("low", "band", "high"),
    ),
    "LEDs, semicolons": (
        "f (kHz);low;high\n0,1;on;\n9;off;on\n",
        "led",
        [100, 9000],
        [[1, 0], [NAN, 1]],
        ("low", "high"),
    ),
    "LEDs, unsorted": (
        "f,low,high\n9000,0,1\n100,1,0\n",
        "led",
        [100, 9000],
        [[1, 0], [0, 1]],
        ("low", "high"),
    ),
    "LEDs, all on": ("f,low,high\n100,1,1\n200,1,1\n", "led", [100, 200], [[1, 1], [1, 1]], ("low", "high")),
    "LEDs, comment header": ("# f, low, high\n100\ton\toff\n", "led", [100], [[1], [0]], ("low", "high")),
    "one LED": ("f,lit\n100,1\n200,0\n", "led", [100, 200], [1, 0], ()),
    "LEDs by name": ("f,low_led,high_led\n100,1,0\n", "led", [100], [[1], [0]], ("low", "high")),
    "numbered LEDs": ("f,led 1,led 2\n100,1,0\n", "led", [100], [[1], [0]], ("led 1", "led 2")),
    "LEDs named output": (
        "f,output 1,output 2\n100,1,0\n200,0,0\n",
        "led",
        [100, 200],
        [[1, 0], [0, 0]],
        ("output 1", "output 2"),
    ),
    "magnitudes that are 0 and 1": ("f,gain\n100,1\n200,0\n", "magnitude", [100, 200], [1, 0], ()),
    "rounded magnitudes": (
        "f,low\n100,1.00\n200,1.00\n300,0.98\n",
        "magnitude",
        [100, 200, 300],
        [1, 1, 0.98],
        (),
    ),
}


@pytest.mark.parametrize("name", TABLES)
def test_table(name, same, write):
    text, quantity, f, values, outputs = TABLES[name]
    data = read(write(text))
    assert data.quantity == quantity
    assert data.outputs == outputs
    assert same(data.f, f)
    assert same(data.values, values)
    assert data.sigma is None
    assert len(data.understood) > 20


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize("name", ["phase, degree sign", "decimal comma", "LEDs, on and off", "comments"])
def test_encodings(name, encoding, same, write):
    text, quantity, f, values, outputs = TABLES[name]
    data = read(write(text, encoding))
    assert (data.quantity, data.outputs) == (quantity, outputs)
    assert same(data.f, f)
    assert same(data.values, values)


def test_a_long_table_is_read_in_seconds(write):
    rows = "".join(f"{1 + i},{1 / (1 + i)!r}\n" for i in range(100_000))
    data = read(write("frequency_hz,magnitude\n" + rows))
    assert len(data) == 100_000
    assert float(data.values[-1]) == 1e-5
