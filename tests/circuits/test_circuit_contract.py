"""What every circuit keeps to, stock or home-made."""

import copy
import math

import pytest
import torch

from circuits.circuit import QUANTITIES
from circuits.errors import FrequencyError, ShapeError, UnknownName

VIEWS = ("response", "magnitude", "decibels", "phase", "group_delay")
BATCH = (3,)


def board(circuit, make, index):
    """One board of a batch, as a circuit of its own."""
    single = make()
    state = {name: value[index] if value.ndim else value for name, value in circuit.state_dict().items()}
    single.load_state_dict(state)
    return single


def test_a_batch_is_a_loop_over_boards(make, f):
    circuit = make(batch=BATCH, seed=1)
    boards = [board(circuit, make, i) for i in range(3)]
    own = torch.stack([f * (i + 1.1) for i in range(3)])
    for view in VIEWS:
        together, apart = getattr(circuit, view)(f), [getattr(single, view)(f) for single in boards]
        torch.testing.assert_close(together, torch.stack(apart), rtol=1e-14, atol=0)
        together = getattr(circuit, view)(own)
        apart = [getattr(single, view)(row) for single, row in zip(boards, own, strict=True)]
        torch.testing.assert_close(together, torch.stack(apart), rtol=1e-14, atol=0)


def test_shapes(make, f):
    k = make().outputs
    for batch in ((), (3,), (2, 3)):
        circuit = make(batch=batch, seed=2)
        outputs = (len(k),) if k else ()
        assert circuit.batch_shape == batch
        assert circuit(f).shape == (*batch, *outputs, len(f))
        assert circuit(f.expand(*batch, -1)).shape == (*batch, *outputs, len(f))
        assert circuit(1000.0).shape == (*batch, *outputs)
        assert circuit(f[:0]).shape == (*batch, *outputs, 0)
        torch.testing.assert_close(circuit(f)[..., 7], circuit(f[7]), rtol=1e-14, atol=0)


def test_views_agree_with_the_response(make, f):
    circuit = make(batch=BATCH, seed=3)
    response = circuit.response(f)
    assert torch.equal(circuit(f), circuit.magnitude(f))
    close = {"rtol": 1e-11, "atol": 1e-11}
    torch.testing.assert_close(circuit.magnitude(f), response.abs(), **close)
    torch.testing.assert_close(circuit.decibels(f), 20 * response.abs().log10(), **close)
    turned = torch.polar(response.abs(), torch.deg2rad(circuit.phase(f)))
    torch.testing.assert_close(turned, response, **close)


def test_group_delay_is_the_slope_of_the_phase(make, f):
    circuit = make(seed=4)
    f = f.requires_grad_()
    phase = circuit.phase(f)
    (slope,) = torch.autograd.grad(phase.sum(), f)
    delay = circuit.group_delay(f)
    delay = delay.sum(0) if circuit.outputs else delay
    torch.testing.assert_close(delay, -slope / 360, rtol=1e-9, atol=1e-20)


def test_predict_is_the_views_by_name(make, f):
    circuit = make(seed=5)
    for view in VIEWS:
        assert torch.equal(circuit.predict(f, view), getattr(circuit, view)(f))
    assert torch.equal(circuit.predict(f, "led"), circuit.magnitude(f))
    with pytest.raises(UnknownName, match="no quantity 'loudness'; known: response, magnitude"):
        circuit.predict(f, "loudness")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_the_dtype_is_that_of_the_components(make, f, dtype):
    complex_dtype = torch.complex64 if dtype == torch.float32 else torch.complex128
    circuit = make(batch=BATCH, seed=6, dtype=dtype)
    double = make(batch=BATCH, seed=6)
    names = [name for name, _ in circuit.named_parameters()]
    assert {p.dtype for p in circuit.parameters()} == {dtype}
    for frequencies in (f, f.float(), f.tolist(), f.numpy(), 50, 50.0):
        assert circuit.response(frequencies).dtype == complex_dtype
        for view in VIEWS[1:]:
            assert getattr(circuit, view)(frequencies).dtype == dtype
    for quantity in QUANTITIES:
        found = circuit.linearize(f, quantity, names)
        assert {x.dtype for x in found} == {complex_dtype if quantity == "response" else dtype}
    torch.testing.assert_close(circuit(f).double(), double(f), rtol=1e-5, atol=1e-6)


def test_state_dict_round_trip(make, f, tmp_path):
    circuit = make(batch=BATCH, seed=7)
    torch.save(circuit.state_dict(), tmp_path / "circuit.pt")
    other = make(batch=BATCH, seed=8)
    assert not torch.equal(circuit(f), other(f))
    other.load_state_dict(torch.load(tmp_path / "circuit.pt"))
    assert torch.equal(circuit(f), other(f))
    assert torch.equal(copy.deepcopy(circuit)(f), circuit(f))
    assert list(circuit.state_dict()) == list(circuit.units())


def test_components_are_parameters_under_their_dotted_names(make):
    circuit = make(seed=9)
    parameters = dict(circuit.named_parameters())
    assert list(parameters) == list(circuit.units())
    assert set(circuit.units().values()) <= {"Ω", "F", "Hz", ""}
    for name, parameter in parameters.items():
        assert parameter.requires_grad == (circuit.units()[name] != "F")


def test_the_seed_decides_what_is_drawn(make):
    first, again, other = make(seed=10), make(seed=10), make(seed=torch.Generator().manual_seed(11))
    for a, b, c in zip(first.parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)
        assert a.requires_grad is False or not torch.equal(a, c)
    learned = [p.item() for p in first.parameters() if p.requires_grad]
    assert len(set(learned)) == len(learned)


def test_drawing_leaves_the_global_generator_alone(make):
    torch.manual_seed(0)
    before = torch.get_rng_state()
    make(seed=1)
    assert torch.equal(before, torch.get_rng_state())


def test_gradients_reach_every_component(make, f):
    circuit = make(seed=12)
    for parameter in circuit.parameters():
        parameter.requires_grad_()
    loss = circuit.decibels(f).square().mean()
    gradients = torch.autograd.grad(loss, list(circuit.parameters()))
    assert all(torch.isfinite(g) and g != 0 for g in gradients)


def test_it_prints_what_it_is_made_of(make):
    circuit = make(seed=13, batch=BATCH)
    text = repr(circuit)
    for name, unit in circuit.units().items():
        assert f"{name.rpartition('.')[2]}=" in text
        assert unit in text
    assert "(3,)" in text
    assert "…" not in repr(make(seed=13))


def test_cutoffs_are_positive_have_the_batch_and_a_graph(make):
    cutoffs = make(seed=14, batch=BATCH).cutoffs()
    for cutoff in cutoffs.values():
        assert cutoff.shape == BATCH
        assert cutoff.requires_grad
        assert (cutoff > 0).all()


@pytest.mark.parametrize("bad", [0.0, -50.0, math.nan, math.inf, -math.inf])
def test_a_frequency_that_is_none_is_named(make, bad):
    circuit = make(seed=15)
    for view in ("__call__", *VIEWS):
        with pytest.raises(FrequencyError, match=rf"frequency {bad:g} Hz; expected positive, finite hertz"):
            getattr(circuit, view)([100.0, bad, 1000.0])
        with pytest.raises(FrequencyError):
            getattr(circuit, view)(bad)
    circuit.predict([100.0, bad], "magnitude")  # the fit has checked its frequencies once and for all


@pytest.mark.parametrize("bad", ["1k", None, 1j, torch.tensor(1j), [[1.0], [1.0, 2.0]]])
def test_what_is_no_frequency_at_all_is_named(make, bad):
    with pytest.raises(FrequencyError, match="is no frequency; expected real hertz"):
        make(seed=16)(bad)


def test_frequencies_that_do_not_fit_the_boards(make):
    with pytest.raises(ShapeError, match=r"\(4,\).*the components \(3,\)"):
        make(seed=17, batch=BATCH)(torch.ones(4, 10))
