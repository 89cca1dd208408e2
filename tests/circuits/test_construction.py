"""How components are given: values, texts, tensors, Parameters, batches and draws."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from circuits.bode import Bode, BodeBandPass
from circuits.catalogue import CATALOGUE, component_names, make
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.component import FARAD, HERTZ, OHM, make_parameters
from circuits.errors import ComponentError, ShapeError, UnknownName
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass

VALUES = [
    (4700, 4700.0),
    (4700.0, 4700.0),
    ("4.7k", 4700.0),
    ("4k7", 4700.0),
    ("4.7 kΩ", 4700.0),
    (np.float32(4700), 4700.0),
    (torch.tensor(4700), 4700.0),
    ([100, 200], [100.0, 200.0]),
    (["100", "4.7k"], [100.0, 4700.0]),
    ((100.0, "4k7"), [100.0, 4700.0]),
    (np.array([100.0, 200.0]), [100.0, 200.0]),
    (np.array([100, 200]), [100.0, 200.0]),
    (torch.tensor([[1.0], [2.0]], dtype=torch.float64), [[1.0], [2.0]]),
]


@pytest.mark.parametrize("given, expected", VALUES, ids=str)
def test_values_come_in_many_forms(given, expected):
    R = LowPass(R=given).R
    assert isinstance(R, nn.Parameter)
    assert R.tolist() == expected
    assert R.dtype == torch.float64


# value, what the message must show
BAD_VALUES = [
    (0, "R = 0 Ω; expected a positive, finite value in Ω"),
    (-5.0, "R = -5 Ω"),
    (math.nan, "R = nan Ω"),
    (math.inf, "R = inf Ω"),
    (-math.inf, "R = -inf Ω"),
    ([100.0, -3.0], "R = -3 Ω"),
    (torch.tensor([100.0, math.nan]), "R = nan Ω"),
    (nn.Parameter(torch.tensor(-1.0)), "R = -1 Ω"),
    ("-4.7k", "R = -4700 Ω"),
    ("fast", "R: .*fast"),
    ("4.7uF", "R: .*F.*Ω"),
    ("", "R: "),
    (1 + 2j, "R=.* is not a value"),
    (torch.tensor(1j), "R is complex"),
    ([1.0, [2.0]], "R=.* is not a value"),
    (object(), "R=.* is not a value"),
    ({"R": 1.0}, "R=.* is not a value"),
    (10**400, "R=.* is not a value"),
]


@pytest.mark.parametrize("value, message", BAD_VALUES, ids=lambda x: str(x)[:20])
def test_a_value_that_no_part_can_have_is_named(value, message):
    for kind in (LowPass, HighPass):
        with pytest.raises(ComponentError, match=message):
            kind(R=value)
    with pytest.raises(ComponentError, match=message.replace("R", "R_low", 1)):
        BandPass(R_low=value)


@pytest.mark.parametrize("C", [0.0, -1e-6, "1k Ω"])
def test_a_bad_capacitor_is_named(C):
    for kind in (LowPass, HighPass, ColorOrgan):
        with pytest.raises(ComponentError, match="^C"):
            kind(C=C)


def test_a_value_too_small_for_its_dtype():
    with pytest.raises(ComponentError, match="that torch.float32 can hold"):
        LowPass(R=1e-60, dtype=torch.float32)


def test_dtypes():
    single = torch.tensor(100.0)
    assert LowPass(R=single).C.dtype == torch.float32
    assert LowPass(R=single, dtype=torch.float64).R.dtype == torch.float64
    assert BandPass(single, single.double()).R_low.dtype == torch.float64
    assert LowPass(R=100.0).float().R.dtype == torch.float32
    assert ColorOrgan(single, (single, single), single)(50.0).dtype == torch.float32


def test_a_tensor_is_copied_and_a_parameter_is_shared():
    tensor = torch.tensor(100.0, dtype=torch.float64)
    circuit = LowPass(R=tensor)
    tensor.fill_(1.0)
    assert circuit.R.item() == 100.0
    R, C = (nn.Parameter(torch.tensor(v, dtype=torch.float64)) for v in (100.0, 1e-6))
    low, high = LowPass(R, C), HighPass(R, C)
    assert low.R is high.R is R
    assert low.C.requires_grad  # as it was given, not as a capacitor is by default
    assert ColorOrgan(C=C, seed=1).band.C_low is C
    with pytest.raises(ComponentError, match=r"torch.float64 Parameter .* circuit of torch.float32"):
        LowPass(R, dtype=torch.float32)


def test_capacitors_are_held_unless_freed():
    circuit = BandPass()
    assert {name for name, p in circuit.named_parameters() if p.requires_grad} == {"R_low", "R_high"}
    circuit.C_low.requires_grad_()
    assert circuit.C_low.requires_grad
    assert "C_low=1 µF," in repr(circuit)
    assert "C_high=1 µF fixed" in repr(circuit)


def test_draws_are_even_in_the_logarithm():
    for kind, name in ((OHM, "R"), (FARAD, "C"), (HERTZ, "f")):
        drawn = make_parameters({name: kind}, {}, batch=20_000)[name]
        assert kind.low <= drawn.min() and drawn.max() <= kind.high
        share = (drawn.log() - math.log(kind.low)) / math.log(kind.high / kind.low)
        assert share.mean().item() == pytest.approx(0.5, abs=0.01)
        assert share.std().item() == pytest.approx(12**-0.5, abs=0.01)


def test_a_generator_moves_on():
    generator = torch.Generator().manual_seed(3)
    first, second = LowPass(seed=generator), LowPass(seed=generator)
    assert first.R != second.R
    organ = ColorOrgan(seed=3)
    assert len({organ.low.R.item(), organ.band.R_low.item(), organ.band.R_high.item(), organ.high.R.item()}) == 4


def test_batches():
    assert LowPass(batch=5).R.shape == (5,)
    circuit = LowPass(R=100.0, batch=(2, 3))
    assert circuit.R.shape == circuit.C.shape == (2, 3)
    assert BandPass(torch.ones(3, 1), torch.ones(4)).batch_shape == (3, 4)
    shared = nn.Parameter(torch.tensor(1.0, dtype=torch.float64))
    assert LowPass(R=shared, batch=4).batch_shape == (4,)


def test_shapes_that_do_not_fit_are_named():
    with pytest.raises(ShapeError, match=r"R \(3,\), C \(4,\)"):
        LowPass(torch.ones(3), torch.ones(4))
    with pytest.raises(ShapeError, match=r"R has shape \(3,\), .* batch=\(4,\)"):
        LowPass(torch.ones(3), batch=4)
    with pytest.raises(ShapeError, match=r"low \(3,\), high \(4,\)"):
        ColorOrgan(low=torch.ones(3), band=(1.0, 2.0), high=torch.ones(4))


def test_color_organ_takes_ready_filters():
    low, band, high = LowPass(200.0), LoadedBandPass(40.0, 160.0), HighPass("32")
    organ = ColorOrgan(low, band, high)
    assert (organ.low, organ.band, organ.high) == (low, band, high)
    f = torch.logspace(1, 5, 9)
    torch.testing.assert_close(organ.response(f), torch.stack([low.response(f), band.response(f), high.response(f)]))
    assert organ.units()["band.R_high"] == "Ω"
    assert list(organ.cutoffs()) == ["low.cutoff", "band.low_pass", "band.high_pass", "high.cutoff"]


BAD_ORGANS = [
    ({"band": 40.0}, "band=40.0; expected a pair"),
    ({"band": "40"}, "expected a pair"),
    ({"band": (1.0, 2.0, 3.0)}, "expected a pair"),
    ({"low": ColorOrgan()}, "low has outputs"),
    (
        {"low": LowPass(R=torch.tensor(1.0))},
        "the filters differ: low torch.float32 on cpu, band torch.float64",
    ),
    ({"high": -1.0}, "R = -1"),
]


@pytest.mark.parametrize("options, message", BAD_ORGANS, ids=lambda x: str(x)[:30])
def test_color_organs_that_cannot_be(options, message):
    with pytest.raises(ComponentError, match=message):
        ColorOrgan(**options)


def test_an_led_is_lit_within_its_band():
    organ = ColorOrgan(198.944, (39.789, 159.155), 31.831)
    lit = organ([790.0, 810.0, 2000.0, 4990.0, 5010.0]) > organ.threshold
    assert lit.tolist() == [[1, 0, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 1]]


def test_bode_names_each_corner():
    circuit = Bode("2", poles=[100.0, None], zeros=[50.0], high_pass=["1k"])
    assert list(circuit.units()) == ["gain", "pole_1", "pole_2", "zero_1", "high_pass_1"]
    assert circuit.units()["gain"] == "" and circuit.units()["pole_1"] == "Hz"
    assert circuit.pole_1 == 100.0 and circuit.high_pass_1 == 1000.0
    assert Bode().units() == {"gain": ""}
    for corners in (1000.0, "1k", None, torch.tensor(1000.0)):
        with pytest.raises(ComponentError, match="pole corners given as .* expected a list"):
            Bode(poles=corners)
    with pytest.raises(ComponentError, match="pole_2 = -1 Hz"):
        Bode(poles=[1.0, -1.0])


def test_ten_poles_keep_to_their_kinds():
    circuit = Bode(1.0, poles=[10.0] * 11, zeros=[20.0])
    assert circuit.decibels(200.0).item() == pytest.approx(-20 * 11 * math.log10(20) + 20, rel=1e-12)


def test_bode_band_pass_is_the_classroom_formula():
    f = torch.logspace(0, 6, 200, dtype=torch.float64)
    expected = -20 * torch.relu(torch.log10(f / 4000)) - 20 * torch.relu(torch.log10(1000 / f))
    torch.testing.assert_close(BodeBandPass(4000.0, 1000.0).decibels(f), expected, rtol=1e-12, atol=1e-12)
    same = Bode(1.0, poles=[4000.0], high_pass=[1000.0])
    torch.testing.assert_close(same.decibels(f), expected, rtol=1e-12, atol=1e-12)


def test_the_catalogue_makes_each_circuit_from_dotted_names():
    for name, kind in CATALOGUE.items():
        values = {component: "33" for component in component_names(name)}
        circuit = make(name, values)
        assert type(circuit) is kind
        assert list(circuit.units()) == component_names(name)
        assert {p.item() for p in circuit.parameters()} == {33.0}
        assert dict(make(name, seed=5).named_parameters()) == dict(make(name, seed=5).named_parameters())
    organ, plain = make("color-organ", seed=5), ColorOrgan(seed=5)
    assert organ.low.R == plain.low.R and organ.high.R == plain.high.R


def test_unknown_names_show_the_known_ones():
    with pytest.raises(UnknownName, match="no circuit 'organ'; known: low-pass, high-pass, band-pass"):
        make("organ")
    with pytest.raises(UnknownName, match="no component 'R9'; known: R, C"):
        make("low-pass", {"R9": 1.0})
    with pytest.raises(UnknownName, match="no component 'band.R'; known: low.R, low.C, band.R_low"):
        make("color-organ", {"band.R": 1.0})
    with pytest.raises(UnknownName, match="no component 'L'; known: none"):
        Circuit({"L": 1.0})


def test_a_circuit_without_a_transfer_function_says_so():
    class Empty(Circuit):
        components = {"R": OHM}

    with pytest.raises(NotImplementedError, match="Empty needs a `transfer` method"):
        Empty().response(1.0)
