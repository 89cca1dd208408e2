"""`Bench`: gain, delay and loading against closed forms, autograd and circuits written out by hand."""

import copy
import math

import pytest
import torch

import circuits as cc
from circuits.circuit import QUANTITIES, point_is_a_board
from circuits.errors import OptionError, UnknownName
from circuits.lab import Bench, loaded
from circuits.lab.modelling.measured import is_voltage_ratio

F = cc.log_grid(9, 10.0, 1e5)
GAIN, DELAY = 1.3, 2e-6
TWO = """two outputs
V1 in 0 AC 1
R1 in low 1k ; @learn
C1 low 0 1u
R2 low high 470
C2 high 0 220n
"""


def set_nuisances(bench):
    with torch.no_grad():
        for name in bench.nuisances:
            parameter = bench.get_parameter(name)
            parameter.copy_(torch.full_like(parameter, DELAY if name.startswith("delay") else GAIN))
    return bench


BENCHES = {
    "one board": lambda: Bench(cc.LowPass(R=500.0), delay=True),
    "a batch": lambda: Bench(cc.LowPass(R=[500.0, 600.0]), delay=True),
    "an organ": lambda: Bench(cc.ColorOrgan(200.0, (40.0, 160.0), 30.0), delay=True),
    "gains of outputs": lambda: Bench(
        cc.ColorOrgan(200.0, (40.0, 160.0), 30.0, batch=2), gain=["high", "low"], delay=True
    ),
    "a netlist": lambda: Bench(cc.read_netlist(TWO, ["V(low)/V(in)", "V(high)/V(in)"]), gain=["high"], delay=True),
    "loaded": lambda: Bench(cc.LowPass(R=[500.0, 600.0]), delay=True, source=50.0, probe=("10M", "12p")),
    "twice": lambda: Bench(Bench(cc.HighPass(R=500.0), delay=True), delay=True),
}
benches = pytest.mark.parametrize("make", BENCHES.values(), ids=BENCHES)


@pytest.mark.parametrize("quantity", QUANTITIES)
@benches
def test_the_jacobian_is_that_of_autograd(make, quantity):
    bench = set_nuisances(make())
    names = [name for name, _ in bench.named_parameters()][::-1]
    prediction, jacobian = bench.linearize(F, quantity, names)
    expected, slopes = point_is_a_board(bench, F, quantity, names)
    assert prediction.shape == expected.shape and jacobian.shape == slopes.shape
    assert torch.allclose(prediction, expected, rtol=1e-10, atol=1e-13)
    size = slopes.abs().amax(-1, keepdim=True) + 1e-12
    assert float(((jacobian - slopes) / size).abs().max()) < 1e-7


@benches
def test_gain_and_delay_do_what_the_formula_says(make):
    bench = make()
    plain = bench.response(F).detach()
    set_nuisances(bench)
    turns = 2 if len(bench.nuisances) == 2 and isinstance(bench.inner, Bench) else 1
    set_nuisances(bench.inner) if isinstance(bench.inner, Bench) else None
    expected = plain * torch.exp(-2j * math.pi * F * DELAY * turns)
    gain = torch.full_like(plain.real, GAIN**turns)
    if bench.outputs and "gain" not in bench.nuisances:
        for row, output in enumerate(bench.outputs):
            gain[..., row, :] = GAIN if f"gain_{output}" in bench.nuisances else 1.0
    found = bench.response(F).detach()
    assert torch.allclose(found, gain * expected, rtol=1e-12)
    assert torch.allclose(bench.magnitude(F), found.abs(), rtol=1e-12)
    assert torch.allclose(bench.decibels(F), 20 * found.abs().log10(), rtol=1e-10, atol=1e-12)
    assert float((torch.exp(1j * torch.deg2rad(bench.phase(F).detach())) - found / found.abs()).abs().max()) < 1e-10
    assert torch.allclose(bench.response(float(F[3])), found[..., 3])


def test_the_group_delay_is_later_by_the_delay():
    bench = Bench(cc.LowPass(R=500.0), delay=True)
    before = bench.group_delay(F)
    set_nuisances(bench)
    assert torch.allclose(bench.group_delay(F) - before, torch.full_like(F, DELAY), rtol=1e-9)


def test_the_components_stay_the_same_parameters_under_their_own_names():
    board = cc.ColorOrgan(200.0, (40.0, 160.0), 30.0)
    bench = Bench(board)
    assert bench.low.R is board.low.R
    low = cc.LowPass(R=300.0)
    single = Bench(low)
    data = cc.simulate(cc.LowPass(R=200.0), F)
    result = cc.fit(single, data)
    assert low.R.item() == pytest.approx(200.0, rel=1e-8) and single.R is low.R
    assert result.cutoffs["cutoff"][0].item() == pytest.approx(1e6 / (2 * math.pi * 200.0), rel=1e-8)
    assert single.gain.item() == pytest.approx(1.0, rel=1e-8)


def test_a_component_called_gain_keeps_its_name():
    net = cc.read_netlist("amp\nV1 in 0 AC 1\nE1 out 0 in 0 {gain}\nR1 out 0 1k\n.param gain=2", learn="gain")
    bench = Bench(net)
    assert bench.nuisances == ("gain_",)
    assert bench.magnitude(100.0).item() == pytest.approx(2.0)


def test_copies_and_other_precisions_are_of_their_own():
    bench = Bench(cc.LowPass(R=500.0), delay=True)
    other = copy.deepcopy(bench)
    with torch.no_grad():
        other.R.fill_(100.0)
    assert bench.inner.R.item() == 500.0 and other.inner.R is other.R
    assert bench.to(torch.float32).response(F.float()).dtype == torch.complex64


@pytest.mark.parametrize("make", [BENCHES[name] for name in ("one board", "an organ", "a netlist")])
def test_a_saved_fit_knows_its_bench(make, tmp_path):
    bench = set_nuisances(make())
    data = cc.simulate(bench, F, "response")
    result = cc.fit(bench, data)
    result.save(tmp_path / "fit.json")
    again = cc.load_fit(tmp_path / "fit.json")
    assert isinstance(again.circuit, Bench) and str(again) == str(result)
    assert torch.allclose(again.circuit.response(F), bench.response(F), rtol=1e-12)


def test_a_bench_is_drawn_as_its_circuit():
    assert "R = 500 Ω" in cc.draw_schematic(Bench(cc.LowPass(R=500.0))).svg


# loading


def test_a_source_adds_to_the_resistor_of_a_low_pass():
    expected = cc.LowPass(R=550.0).response(F)
    assert torch.allclose(loaded(cc.LowPass(R=500.0), source=50.0).response(F), expected, rtol=1e-12)


def test_a_probe_lies_in_parallel_with_the_output():
    w = 2 * math.pi * F
    C, Cp, Rp, R = 100e-12, 12e-12, 1e6, 100e3
    expected = 1 / (1 + R * (1 / Rp + 1j * w * (C + Cp)))
    found = loaded(cc.LowPass(R=R, C=C), probe=(Rp, Cp)).response(F)
    assert torch.allclose(found, expected, rtol=1e-12)


def test_loading_keeps_names_values_and_batches_of_a_netlist():
    net = cc.read_netlist(TWO, {"low": "V(low)/V(in)", "high": "V(high)/V(in)"}, values={"R1": [1e3, 2e3]})
    whole = loaded(net, source="50", probe=("1M", "20p"))
    assert whole.R1 is net.R1 and whole.outputs == net.outputs and whole.batch_shape == (2,)
    assert [name for name, p in whole.named_parameters() if p.requires_grad] == ["R1"]
    by_hand = cc.read_netlist(
        TWO.replace("V1 in", "V1 emf").replace("R1 in", "R0 emf in 50\nRp low 0 1meg\nCp low 0 20p\n"
        "Rq high 0 1meg\nCq high 0 20p\nR1 in"), ["V(low)/V(emf)", "V(high)/V(emf)"], values={"R1": [1e3, 2e3]},
    )  # fmt: skip
    assert torch.allclose(whole.response(F), by_hand.response(F), rtol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "error", "said"),
    [
        (lambda: Bench(cc.BodeBandPass(100.0, 1e3), source=50.0), OptionError, "straight-line plot"),
        (lambda: Bench(cc.LowPass(R=1.0), probe="10M"), OptionError, "expected \\(ohms, farads\\)"),
        (lambda: Bench(cc.LowPass(R=1.0), gain="low"), OptionError, "expected True, False"),
        (lambda: Bench(cc.LowPass(R=1.0), gain=["low"]), UnknownName, "no output 'low'"),
        (lambda: Bench(cc.read_netlist(TWO, "Z(low)"), probe=(1e6, 1e-12)), OptionError, "expected a voltage"),
        (lambda: Bench(loaded(cc.LowPass(R=1.0), 50.0), source=50.0), OptionError, "already"),
        (lambda: Bench(cc.LowPass(R=1.0)).linearize(F, "magnitude", ["X"]), UnknownName, "R, C, gain"),
    ],
)
def test_what_cannot_be_is_said(wrong, error, said):
    with pytest.raises(error, match=said):
        wrong()


def test_a_gain_shows_in_ratios_of_voltages_only():
    assert is_voltage_ratio(cc.LowPass(R=1.0)) and is_voltage_ratio(cc.read_netlist(TWO, "V(low)/V(in)"))
    assert not any(is_voltage_ratio(cc.read_netlist(TWO, output)) for output in ("V(low)", "I(R1)", "Z(low)"))
