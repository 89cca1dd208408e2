"""Jacobians in one pass are those of `torch.func`, whichever way they were found."""

import pytest
import torch
from torch.func import functional_call, jacrev

from circuits.circuit import QUANTITIES, point_is_a_board
from circuits.color_organ import ColorOrgan
from circuits.errors import UnknownName
from circuits.filters import BandPass, LowPass


class Predict(torch.nn.Module):
    """A circuit whose call predicts one quantity: `functional_call` knows only the call."""

    def __init__(self, circuit, quantity):
        super().__init__()
        self.circuit, self.quantity = circuit, quantity

    def forward(self, f):
        return self.circuit.predict(f, self.quantity)


def reference(circuit, f, quantity, names):
    """Prediction and Jacobian of one board by reverse-mode differentiation of the whole prediction."""
    model = Predict(circuit, quantity)

    def predict(values):
        tensors = {f"circuit.{name}": value for name, value in zip(names, values, strict=True)}
        prediction = functional_call(model, tensors, (f,))
        return torch.view_as_real(prediction) if prediction.is_complex() else prediction

    values = tuple(circuit.get_parameter(name).detach() for name in names)
    rows, prediction = jacrev(predict)(values), predict(values)
    jacobian = torch.stack(rows)
    if quantity == "response":
        return torch.view_as_complex(prediction), torch.view_as_complex(jacobian.contiguous())
    return prediction, jacobian


def assert_linearized(found, expected, values):
    """Predictions agree, and derivatives per unit of ln(component)."""
    torch.testing.assert_close(found[0], expected[0], rtol=1e-12, atol=1e-13)
    scale = values.reshape(-1, *[1] * (expected[1].ndim - 1))
    assert found[1].shape == expected[1].shape
    torch.testing.assert_close(found[1] * scale, expected[1] * scale, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_a_single_board(make, f, quantity):
    circuit = make(seed=1)
    names = [name for name, _ in circuit.named_parameters()]
    values = torch.stack([p.detach() for p in circuit.parameters()])
    expected = reference(circuit, f, quantity, names)
    assert_linearized(circuit.linearize(f, quantity, names), expected, values)
    assert_linearized(point_is_a_board(circuit, f, quantity, names), expected, values)


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response"])
def test_a_batch_of_boards(make, f, quantity):
    circuit = make(seed=2, batch=(3,))
    names = [name for name, _ in circuit.named_parameters()][::-1]
    own = torch.stack([f, 1.3 * f, 2.7 * f])
    for frequencies in (f, own):
        prediction, jacobian = circuit.linearize(frequencies, quantity, names)
        rows = own if frequencies is own else [f] * 3
        for i, row in enumerate(rows):
            single = make()
            single.load_state_dict({name: value[i] for name, value in circuit.state_dict().items()})
            values = torch.stack([single.get_parameter(name).detach() for name in names])
            assert_linearized((prediction[i], jacobian[i]), reference(single, row, quantity, names), values)


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase"])
def test_what_comes_back_has_no_graph_and_the_circuit_is_as_before(make, f, quantity):
    circuit = make(seed=3)
    before = dict(circuit.named_parameters())
    names = list(before)
    for grad in (True, False):
        with torch.set_grad_enabled(grad):
            assert not any(x.requires_grad for x in circuit.linearize(f, quantity, names))
    assert all(circuit.get_parameter(name) is parameter for name, parameter in before.items())
    with pytest.raises(UnknownName):
        point_is_a_board(circuit, f, "loudness", names)
    assert all(circuit.get_parameter(name) is parameter for name, parameter in before.items())


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response"])
def test_some_components_in_any_order_or_none(make, f, quantity):
    circuit = make(seed=4, batch=(2,))
    names = list(circuit.units())
    prediction, whole = circuit.linearize(f, quantity, names)
    some = [names[-1], names[0]]
    torch.testing.assert_close(circuit.linearize(f, quantity, some)[1], torch.stack([whole[:, -1], whole[:, 0]], 1))
    same, nothing = circuit.linearize(f, quantity, [])
    assert nothing.shape == (2, 0, *prediction.shape[1:])
    torch.testing.assert_close(same, prediction)


def test_one_frequency_without_a_dimension(make, f):
    for batch in ((), (2,)):
        circuit = make(seed=5, batch=batch)
        names = list(circuit.units())
        prediction, jacobian = circuit.linearize(f, "magnitude", names)
        value, slopes = circuit.linearize(f[4], "magnitude", names)
        torch.testing.assert_close(value, prediction[..., 4])
        torch.testing.assert_close(slopes, jacobian[..., 4])


def test_an_unknown_component_is_named_with_the_known_ones(make, f):
    circuit = make(seed=6)
    for quantity in ("magnitude", "phase"):
        for name in ("R9", "low.R9", "nowhere.R"):
            with pytest.raises(UnknownName) as caught:
                circuit.linearize(f, quantity, [name])
            assert caught.value.name == name
            assert caught.value.known == tuple(circuit.units())


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase"])
def test_filters_that_all_boards_share(f, quantity):
    """An organ with a single high-pass, beside a batch of low-passes."""
    organ = ColorOrgan(low=torch.tensor([100.0, 200.0], dtype=torch.float64), band=(40.0, 160.0), high=32.0)
    prediction, jacobian = organ.linearize(f, quantity, ["low.R", "high.R"])
    assert prediction.shape == (2, 3, len(f))
    assert jacobian.shape == (2, 2, 3, len(f))
    alone = LowPass(R=200.0).linearize(f, quantity, ["R"])[1][0]
    torch.testing.assert_close(jacobian[1, 0, 0], alone)
    assert jacobian[:, 0, 1:].abs().max() == 0
    assert jacobian[:, 1, :2].abs().max() == 0


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase"])
@pytest.mark.parametrize("R_low, R_high", [([40.0, 80.0], 160.0), (80.0, [40.0, 160.0])], ids=str)
def test_a_component_that_all_boards_share(f, quantity, R_low, R_high):
    circuit = BandPass(R_low, R_high)
    prediction, jacobian = circuit.linearize(f, quantity, ["R_low", "R_high"])
    assert prediction.shape == (2, len(f))
    alone = BandPass(80.0, 160.0).linearize(f, quantity, ["R_low", "R_high"])[1]
    torch.testing.assert_close(jacobian[1], alone)


def test_a_parameter_under_two_names_has_a_derivative_under_each(f):
    R = torch.nn.Parameter(torch.tensor(300.0, dtype=torch.float64))
    shared, apart = BandPass(R, R), BandPass(300.0, 300.0)
    for quantity in ("magnitude", "phase"):
        found, expected = (c.linearize(f, quantity, ["R_low", "R_high"])[1] for c in (shared, apart))
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize("value", [1e-30, 1e30])
def test_far_out_there_is_no_nan(dtype, value):
    """A step of a fit may try any value."""
    organ = ColorOrgan(value, (value, value), value, dtype=dtype)
    names = ["low.R", "band.R_low", "band.R_high", "high.R"]
    for quantity in ("magnitude", "decibels"):
        found = organ.linearize(torch.tensor([1e-3, 1e9]), quantity, names)
        assert all(torch.isfinite(x).all() for x in found)
