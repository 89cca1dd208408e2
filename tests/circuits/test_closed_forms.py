"""Every closed form against its rational function in 50 digits."""

import mpmath
import pytest
import torch
from mpmath import mp, mpc, mpf

from circuits import functional
from circuits.component import FARAD, OHM, make_parameters

FREQUENCIES = torch.logspace(-3, 9, 61, dtype=torch.float64)  # 1 mHz to 1 GHz, five a decade


def first_order(numerator):
    def polynomials(R, C):
        return numerator(mpf(R) * mpf(C)), [1, mpf(R) * mpf(C)]

    return polynomials


def buffered(R_low, R_high, C_low, C_high):
    low, high = mpf(R_low) * mpf(C_low), mpf(R_high) * mpf(C_high)
    return [0, high], [1, low + high, low * high]


def loaded(R_low, R_high, C_low, C_high):
    numerator, (one, total, product) = buffered(R_low, R_high, C_low, C_high)
    return numerator, [one, total + mpf(R_low) * mpf(C_high), product]


def drawn(kinds, n=8):
    """Values over the whole range of each component."""
    components = {str(i): kind for i, kind in enumerate(kinds)}
    return list(zip(*(p.tolist() for p in make_parameters(components, {}, batch=n).values()), strict=True))


ONE_SECTION = [
    (1.0, 1e-9),
    (198.944, 1e-6),
    (100e3, 100e-6),
    (1000.0, 1 / (2000 * torch.pi * 1000)),
    *drawn([OHM, FARAD]),
]
TWO_SECTIONS = [
    (39.789, 159.155, 1e-6, 1e-6),
    (1.0, 100e3, 1e-9, 100e-6),  # a wide flat band, where level and phase are almost zero
    (100e3, 1.0, 100e-6, 1e-9),  # no band at all, and the heaviest loading
    (500.0, 1000.0, 1e-6, 1e-6),  # R_high C_high = R_low (C_low + C_high): the branch point of the loading
    (1000.0, 1000.0, 1e-6, 1e-6),
    (1.0, 100e3, 1e-3, 1e-8),  # almost a double pole
    (1.0, 1e9, 1e-9, 1e-4),  # the lightest loading
    *drawn([OHM, OHM, FARAD, FARAD]),
]
# function: its polynomials in s (numerator and denominator, ascending), component values
CLOSED_FORMS = {
    "low_pass": (first_order(lambda tau: [1]), ONE_SECTION),
    "high_pass": (first_order(lambda tau: [0, tau]), ONE_SECTION),
    "band_pass": (buffered, TWO_SECTIONS),
    "band_pass_loaded": (loaded, TWO_SECTIONS),
}


def value(coefficients, s):
    return sum(c * s**i for i, c in enumerate(coefficients))


def slope(coefficients, s):
    return sum(i * c * s ** (i - 1) for i, c in enumerate(coefficients) if i)


def exact(polynomials, f):
    """Response, magnitude, level, phase and group delay at f, from the polynomials alone."""
    numerator, denominator = polynomials
    s = mpc(0, 2 * mp.pi * mpf(f))
    response = value(numerator, s) / value(denominator, s)
    delay = -(slope(numerator, s) / value(numerator, s) - slope(denominator, s) / value(denominator, s)).real
    level, phase = 20 * mpmath.log10(abs(response)), mpmath.degrees(mpmath.arg(response))
    return {
        "": response,
        "_magnitude": abs(response),
        "_decibels": level,
        "_phase": phase,
        "_group_delay": delay,
    }


def crosses_zero(name, quantity):
    """Whether the phase changes sign, where its relative error has no bound: there it is 1e-13 degrees."""
    return name.startswith("band") and quantity == "_phase"


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_closed_forms_keep_twelve_digits_from_a_millihertz_to_a_gigahertz(name):
    polynomials, table = CLOSED_FORMS[name]
    with mp.workdps(50):
        for components in table:
            tensors = [torch.tensor(c, dtype=torch.float64) for c in components]
            expected = [exact(polynomials(*components), f) for f in FREQUENCIES.tolist()]
            for quantity in expected[0]:
                found = getattr(functional, name + quantity)(FREQUENCIES, *tensors).tolist()
                for f, x, row in zip(FREQUENCIES.tolist(), found, expected, strict=True):
                    floor = 1e-13 if crosses_zero(name, quantity) else 0
                    error, bound = abs(x - row[quantity]), 1e-12 * abs(row[quantity]) + floor
                    assert error <= bound, f"{name}{quantity} at {f} Hz with {components}: {x}, not {row[quantity]}"


def test_levels_and_phases_far_out():
    tau = torch.tensor(1 / (2 * torch.pi), dtype=torch.float64)
    f = torch.tensor([1e130, 1e-130], dtype=torch.float64)
    torch.testing.assert_close(functional.low_pass_decibels(f, tau, 1.0)[0].item(), -2600.0)
    torch.testing.assert_close(functional.high_pass_decibels(f, tau, 1.0)[1].item(), -2600.0)
    torch.testing.assert_close(functional.low_pass_magnitude(f, tau, 1.0)[0].item(), 1e-130, rtol=1e-12, atol=0)
    angle = functional.high_pass_phase(f, tau, 1.0)[0].item()
    torch.testing.assert_close(angle, 180 / torch.pi * 1e-130, rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_numbers_serve_as_well_as_tensors(name):
    _, table = CLOSED_FORMS[name]
    for quantity in ("", "_magnitude", "_decibels", "_phase", "_group_delay"):
        function = getattr(functional, name + quantity)
        expected = function(FREQUENCIES, *(torch.tensor(c, dtype=torch.float64) for c in table[0]))
        torch.testing.assert_close(function(FREQUENCIES, *table[0]), expected)


# (gain, poles, zeros, high-pass corners), frequency, level, phase, group delay times frequency
EIGHTH = 1 / (8 * torch.log(torch.tensor(10.0, dtype=torch.float64)).item())
BODE = [
    ((1.0, [100.0], [], []), 10.0, 0.0, 0.0, 0.0),
    ((1.0, [100.0], [], []), 1000.0, -20.0, -90.0, 0.0),
    ((10.0, [100.0, 100.0], [], []), 1000.0, -20.0, -180.0, 0.0),
    ((1.0, [], [100.0], []), 10000.0, 40.0, 90.0, 0.0),
    ((1.0, [], [], [100.0]), 1.0, -40.0, 90.0, 0.0),
    ((1.0, [4000.0], [], [1000.0]), 2000.0, 0.0, 0.0, 2 * EIGHTH),
    ((0.1, [100.0], [], []), 100.0 * 10**0.5, -30.0, -67.5, EIGHTH),
    ((1.0, [100.0], [200.0], []), 1e6, -20 * 0.30102999566398120, 0.0, 0.0),
]


@pytest.mark.parametrize("corners, f, level, phase, delay", BODE)
def test_straight_lines(corners, f, level, phase, delay):
    f = torch.tensor([f], dtype=torch.float64)
    found = {q: getattr(functional, f"bode_{q}")(f, *corners).item() for q in ("decibels", "phase", "group_delay")}
    expected = {"decibels": level, "phase": phase, "group_delay": delay / f.item()}
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-11)
    magnitude, response = functional.bode_magnitude(f, *corners), functional.bode(f, *corners)
    torch.testing.assert_close(magnitude.item(), 10 ** (level / 20), rtol=1e-12, atol=0)
    angle = torch.tensor([phase * torch.pi / 180], dtype=torch.float64)
    torch.testing.assert_close(response, torch.polar(magnitude, angle))
