import math

import numpy as np
import pytest
import torch

import circuits as cc
import losses
from circuits.errors import FrequencyError, OptionError, ShapeError, UnknownName
from circuits.lab import next_frequencies
from circuits.lab.dialogue.alternatives import other_measurements

GRID = cc.log_grid(161, 10.0, 1e5)
DIVIDER = "divider\nV1 in 0 AC 1\nR1 in mid 1k ; @learn\nR2 mid out 2k ; @learn\nR3 out 0 3k ; @learn\n"
LADDER = "ladder\nV1 in 0 AC 1\nR1 in a 1k\nC1 a 0 100n\nR2 a out 2.2k\nC2 out 0 47n\n"


def organ():
    return cc.ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0)


def band_pass():
    return cc.BandPass(R_low=40.0, R_high=160.0)


def ladder():
    return cc.read_netlist(LADDER, learn="R*")


def slopes(circuit, names, quantity, f):
    """Rows of every tone by central differences in the logarithm of each component."""
    columns = []
    for name in names:
        sides = []
        for step in (1e-5, -1e-5):
            parameter = circuit.get_parameter(name)
            before = parameter.item()
            with torch.no_grad():
                parameter.mul_(math.exp(step))
                sides.append(circuit.predict(f, quantity).reshape(-1, len(f)).numpy(force=True))
                parameter.fill_(before)
        columns.append((sides[0] - sides[1]) / 2e-5)
    return np.stack(columns, -1).swapaxes(0, 1)  # (n, k, p)


def brute_force(rows, sigma, known, k, c=None):
    """The greedy choice by writing every determinant or inverse out."""
    chosen, matrix = [], known.copy()
    for _ in range(k):
        after = [matrix + row.T @ row / sigma**2 for row in rows]
        score = [np.linalg.slogdet(one)[1] if c is None else -(c @ np.linalg.inv(one) @ c) for one in after]
        best = int(np.argmax(score))
        chosen.append(GRID[best].item())
        matrix = after[best]
    return chosen, np.sqrt(np.diag(np.linalg.inv(matrix)))


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase"])
@pytest.mark.parametrize("make", [organ, band_pass, ladder])
@pytest.mark.parametrize("criterion", ["D", "c"])
def test_the_choice_is_that_of_brute_force(make, quantity, criterion):
    circuit = make()
    names = [name for name, p in circuit.named_parameters() if p.requires_grad]
    data = cc.simulate(circuit, cc.log_grid(6, 200.0, 2e4), quantity, noise=0.002, seed=3)
    fit = cc.fit(circuit, data)
    rows = slopes(circuit, names, quantity, GRID)
    known = sum(row.T @ row for row in slopes(circuit, names, quantity, data.f)) / 0.002**2
    c = np.eye(len(names))[1] if criterion == "c" else None
    expected, after = brute_force(rows, 0.005, known, 3, c)
    component = names[1] if criterion == "c" else None
    advice = next_frequencies(fit, GRID, 3, criterion, component, sigma=0.005)
    assert advice.f == pytest.approx(expected)
    assert list(advice.after.values()) == pytest.approx(after, rel=1e-4)


def test_a_low_pass_tells_most_at_the_root_of_two_times_its_corner():
    grid = cc.log_grid(20001, 100.0, 1e5)
    advice = next_frequencies(cc.LowPass(R=100.0), grid, sigma=0.003)
    corner = 1 / (2 * math.pi * 100.0 * 1e-6)
    assert advice.f[0] == pytest.approx(math.sqrt(2) * corner, rel=1e-3)
    assert advice.after["R"] == pytest.approx(0.003 * math.sqrt(27) / 2, rel=1e-5)
    assert advice.expected.item() == pytest.approx(1 / math.sqrt(3), rel=1e-3)
    assert (advice.before["R"], advice.spread.item()) == (math.inf, math.inf)


def test_what_is_promised_is_what_a_fit_then_finds():
    truth, sigma = organ(), 0.004
    first = cc.simulate(truth, cc.log_grid(5, 300.0, 2e4), "magnitude")
    first = cc.Measurements(first.f, "magnitude", first.values, sigma, first.outputs)
    fit = cc.fit(organ(), first)
    advice = next_frequencies(fit, GRID, 4)
    f = torch.cat([first.f, torch.tensor(advice.f, dtype=torch.float64)])
    values = truth.predict(f, "magnitude").detach()
    then = cc.fit(organ(), cc.Measurements(f, "magnitude", values, sigma, first.outputs))
    for name in advice.after:
        assert float(fit.errors[name] / fit.values[name]) == pytest.approx(advice.before[name], rel=1e-3)
        assert float(then.errors[name] / then.values[name]) == pytest.approx(advice.after[name], rel=1e-3)
    assert advice.expected.T.tolist() == [pytest.approx(row) for row in values[:, 5:].tolist()]


def test_the_spread_is_that_of_predictions_over_the_posterior():
    data = cc.simulate(cc.LowPass(R=200.0), cc.log_grid(4, 300.0, 3e3), noise=0.01, seed=1)
    fit = cc.fit(cc.LowPass(R=500.0), data)
    advice = next_frequencies(fit, [900.0])
    R = float(fit.values["R"]) + float(fit.errors["R"]) * torch.randn(
        20000, generator=torch.Generator().manual_seed(0), dtype=torch.float64
    )
    drawn = cc.LowPass(R=R).magnitude([900.0]).std().item()
    assert advice.spread.item() == pytest.approx(math.hypot(0.01, drawn), rel=0.02)


def test_what_no_tone_can_tell_is_said_and_what_could():
    board = cc.LowPass(R=200.0)
    board.C.requires_grad_()
    advice = next_frequencies(board, GRID, 2, "c", {"R": 1, "C": 1})
    assert advice.after == {"R": math.inf, "C": math.inf}
    assert [one.name for one in advice.verdict.together] == ["R·C"]
    assert "the impedance Z(in) would tell R and C" in str(advice)
    assert "R held at a known value would tell C" in advice.others


def test_another_output_and_a_load_are_suggested_where_they_help_and_only_there():
    said = other_measurements(cc.read_netlist(DIVIDER), GRID, "magnitude")
    assert any(line.startswith("a known load") and line.endswith("R1, R2 and R3") for line in said) is False
    assert not any("another output" in line for line in said)  # V(mid) tells a second ratio, still no ohms
    ratio = cc.read_netlist(DIVIDER).hold("R3")
    said = other_measurements(ratio, GRID, "magnitude")
    assert "another output, V(mid)/V(in), would tell R1 and R2" in said
    assert other_measurements(ladder(), GRID, "magnitude") == ()


def test_leds_that_cannot_tell_ask_for_a_reading():
    said = other_measurements(ladder(), GRID, "led")
    assert said == ("a reading of the magnitude, in place of the LED, would tell R1 and R2",)
    assert other_measurements(organ(), GRID, "led") == ()


def test_leds_already_seen_count_as_known():
    data = cc.simulate(organ(), cc.log_grid(400, 100.0, 2e4), "led")
    fit = cc.fit(organ(), data, losses.LogisticLed())
    advice = next_frequencies(fit, GRID, sigma=0.01)
    assert advice.quantity == "magnitude"
    assert all(0 < advice.after[name] <= advice.before[name] < 0.01 for name in advice.before)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"criterion": "E"}, UnknownName),
        ({"criterion": "c"}, OptionError),
        ({"criterion": "c", "component": "R9"}, UnknownName),
        ({"component": "low.R"}, OptionError),
        ({"k": 0}, OptionError),
        ({"sigma": -1.0}, OptionError),
        ({"quantity": "led"}, UnknownName),
        ({"grid": [0.0, 10.0]}, FrequencyError),
        ({"subject": cc.LowPass(R=[1.0, 2.0])}, ShapeError),
        ({"subject": torch.nn.Linear(1, 1)}, OptionError),
    ],
)
def test_what_cannot_be_followed_is_refused(wrong, error):
    asked = {"subject": organ(), "grid": GRID, **wrong}
    with pytest.raises(error):
        next_frequencies(**asked)
