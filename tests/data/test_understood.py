"""The sentence on how a file was read, and what else is kept of it."""

from __future__ import annotations

import pytest

from circuits.data import read


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "f / kHz,K\n2,0.5\n1,0.9\n",
            "2 points: frequency from 'f / kHz' (kHz); magnitude from 'K' (ratio); "
            "comma-separated; sorted by frequency",
        ),
        ("f,low,high\n1,on,off\n", "led from 'low', 'high' (lit or dark); comma-separated"),
        ("f,vin (V),vout (mV)\n1,2,3\n", "magnitude from 'vout (mV)' (mV) and 'vin (V)' (V)"),
        ("f;gain\n1,5;0,5\n", "semicolon-separated, decimal comma"),
        ("f,reading\n1,0.5\n", "'reading' is read as magnitude ratio (no unit was given)"),
        ("f,reading\n1,-0.5\n", "'reading' is read as decibels since some are negative"),
        ("f,gain\n1,-0.5\n2,-3\n", "'gain' is read as decibels since it is negative"),
        ("f,attenuation_db\n1,3\n", "'attenuation_db' is positive attenuation, so its sign is turned"),
        ("f,Vpp (V)\n1,3\n", "no input voltage column, so 'Vpp (V)' is read as the ratio to an input of 1 V"),
        ("f,phase\n1,-45\n", "'phase' has no unit and is taken as degrees"),
        ("f,phase\n1,-0.45\n", "if it is in radians, name it phase_rad"),
        ("f,gain_db,notes\n1,-1,ok\n", "not used: 'notes'"),
        ("f,gain_db,sigma\n1,-1,0.1\n", "decibels from 'gain_db' (dB), with uncertainty"),
        ("f,gain,sigma,phase_deg\n1,1,0.1,2\n", "the uncertainty of 'gain' alone gives none of the whole"),
        (
            "f,low_db,low_sigma_db,high_db\n1,-1,0.1,-9\n",
            "an uncertainty given for some outputs only is left out",
        ),
    ],
)
def test_what_was_understood_is_said(text, said, write):
    assert said in read(write(text)).understood


def test_the_rest_of_the_file_is_kept(write):
    meta = read(write("# bench 3, Ana\nf,gain\n100,0.9\n")).meta
    assert meta == {
        "file": "bench.csv",
        "source": "a table with a header",
        "ratio": "already taken",
        "skipped": [],
        "units": {"f": "Hz", "gain": "ratio"},
        "columns": ["f", "gain"],
        "comments": ["bench 3, Ana"],
    }
