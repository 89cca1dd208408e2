"""`Measurements`: what it holds, what it refuses, and what it turns into."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch

from circuits.data import Measurements
from circuits.errors import DataError, FrequencyError, OptionError, ShapeError, UnknownName

NAN, INF = math.nan, math.inf
LEVELS = {"outputs": ("low", "high")}


@pytest.mark.parametrize("f", [[1.0, 2.0], (1, 2), np.array([1, 2]), torch.tensor([1, 2]), range(1, 3)])
def test_lists_arrays_and_tensors_become_doubles(f):
    data = Measurements(f, "magnitude", [1, 0.5])
    assert data.f.dtype == data.values.dtype == torch.float64
    assert data.f.tolist() == [1.0, 2.0]
    assert len(data) == 2


def test_single_precision_stays_single():
    data = Measurements(torch.ones(2), "response", torch.ones(2, dtype=torch.complex64))
    assert (data.f.dtype, data.values.dtype) == (torch.float32, torch.complex64)


def test_what_was_measured_does_not_follow_the_array_it_came_from():
    values = np.array([1.0, 0.5])
    data = Measurements([1.0, 2.0], "magnitude", values)
    values[0] = 7.0
    assert data.values.tolist() == [1.0, 0.5]


def test_no_gradient_flows_into_measurements():
    assert not Measurements([1.0], "magnitude", torch.ones(1, requires_grad=True)).values.requires_grad


@pytest.mark.parametrize(
    ("f", "values", "outputs", "batch"),
    [
        ((3,), (3,), (), ()),
        ((3,), (2, 3), (), (2,)),
        ((2, 3), (2, 3), (), (2,)),
        ((3,), (2, 3), ("low", "high"), ()),
        ((5, 3), (5, 2, 3), ("low", "high"), (5,)),
        ((3,), (4, 5, 2, 3), ("low", "high"), (4, 5)),
    ],
)
def test_shapes(f, values, outputs, batch):
    data = Measurements(torch.ones(f), "magnitude", torch.ones(values), outputs=outputs)
    assert data.batch_shape == batch
    assert len(data) == 3
    assert len(data.sorted()) == 3


REFUSED = {
    "quantity": (
        ([1.0], "volume", [1.0]),
        {},
        UnknownName,
        "no quantity 'volume'; known: response, magnitude",
    ),
    "negative frequency": (
        ([1.0, -2.0], "phase", [1.0, 1]),
        {},
        FrequencyError,
        "frequency -2 Hz at point 1",
    ),
    "zero frequency": (
        ([0.0], "phase", [1.0]),
        {},
        FrequencyError,
        "frequency 0 Hz at point 0; expected positive",
    ),
    "NaN frequency": (([NAN], "phase", [1.0]), {}, FrequencyError, "frequency nan Hz"),
    "infinite frequency": (([INF], "phase", [1.0]), {}, FrequencyError, "frequency inf Hz"),
    "bad in a batch": (([[1.0, 2], [1, 0]], "phase", [[1.0, 1]] * 2), {}, FrequencyError, "0 Hz at point 1"),
    "a lone frequency": ((1.0, "phase", [1.0]), {}, ShapeError, "write [1000.0]"),
    "no frequency": (([], "phase", []), {}, DataError, "at least one"),
    "lengths": (
        ([1.0, 2.0], "phase", [1.0]),
        {},
        ShapeError,
        "2 frequencies, values of shape (1,); expected (2,), or (*batch, 2)",
    ),
    "a lone value": (([1.0], "phase", 1.0), {}, ShapeError, "values of shape ()"),
    "outputs": (
        ([1.0], "phase", [[1.0]]),
        LEVELS,
        ShapeError,
        "2 outputs (low, high), values of shape (1, 1)",
    ),
    "outputs without rows": (([1.0], "phase", [1.0]), LEVELS, ShapeError, "expected (2, 1), or (*batch, 2, 1)"),
    "batches": (
        (torch.ones(2, 1), "phase", torch.ones(3, 1)),
        {},
        ShapeError,
        "batch (2,), values of batch (3,)",
    ),
    "text": ((["a"], "phase", [1.0]), {}, DataError, "frequencies cannot be read as numbers"),
    "ragged": (([1.0], "phase", [[1.0], [1.0, 2.0]]), {}, DataError, "values cannot be read as numbers"),
    "nothing": (([1.0], "phase", None), {}, DataError, "every value is missing"),
    "complex magnitude": (([1.0], "magnitude", [1j]), {}, DataError, "complex values; expected real"),
    "complex frequency": (([1j], "magnitude", [1.0]), {}, DataError, "complex frequencies"),
    "infinite": (([1.0], "decibels", [-INF]), {}, DataError, "an infinite decibels; expected finite"),
    "all missing": (([1.0], "decibels", [NAN]), {}, DataError, "every value is missing"),
    "half an LED": (([1.0], "led", [0.5]), {}, DataError, "LED label 0.5; expected 1 (lit), 0 (dark)"),
    "sigma of an LED": (([1.0], "led", [1.0]), {"sigma": 0.1}, DataError, "a label has none"),
    "sigma zero": (([1.0], "phase", [1.0]), {"sigma": 0.0}, DataError, "sigma 0; expected a positive"),
    "sigma negative": (([1.0], "phase", [1.0]), {"sigma": [-1.0]}, DataError, "sigma -1"),
    "sigma NaN": (([1.0], "phase", [1.0]), {"sigma": [NAN]}, DataError, "sigma nan"),
    "sigma shape": (
        ([1.0, 2], "phase", [1.0, 2]),
        {"sigma": [1.0] * 3},
        ShapeError,
        "sigma has shape (3,), values (2,)",
    ),
    "sigma too large a shape": (
        ([1.0], "phase", [1.0]),
        {"sigma": [[1.0], [1.0]]},
        ShapeError,
        "sigma has shape (2, 1)",
    ),
    "one string": (([1.0], "phase", [[1.0]]), {"outputs": "low"}, DataError, "expected a tuple of names"),
    "blank name": (([1.0], "phase", [[1.0]]), {"outputs": (" ",)}, DataError, "output name ' '"),
    "unprintable name": (([1.0], "phase", [[1.0]]), {"outputs": ("a\nb",)}, DataError, r"'a\nb'"),
    "same name": (
        ([1.0], "phase", [[1.0]] * 2),
        {"outputs": ("a", "a")},
        DataError,
        "a, a; expected each name once",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses(name):
    given, options, error, said = REFUSED[name]
    with pytest.raises(error, match=re.escape(said)):
        Measurements(*given, **options)


def test_a_missing_value_needs_no_sigma():
    assert Measurements([1.0, 2.0], "phase", [1.0, NAN], sigma=[0.1, NAN]).sigma is not None


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        Measurements([1.0], "phase", [1.0]).quantity = "led"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (Measurements([1e3], "phase", [-45.0]), "phase at 1 frequency, 1 kHz"),
        (
            Measurements([4e3, 1e3], "decibels", [0.0, 1.0], 0.1),
            "decibels at 2 frequencies, 1 kHz to 4 kHz, with sigma",
        ),
        (
            Measurements([1.0, 2e6], "led", [[1, NAN], [NAN, 0]], outputs=("low", "high")),
            "led at 2 frequencies, 1 Hz to 2 MHz, outputs low, high, 2 missing",
        ),
        (Measurements([1.0], "phase", torch.ones(5, 1)), "phase at 1 frequency, 1 Hz, batch (5,)"),
    ],
)
def test_it_says_what_it_holds(data, shown):
    assert repr(data) == f"Measurements({shown})"


def organ():
    values = [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]
    return Measurements([2.0, 1.0], "magnitude", values, [[0.1], [0.2], [0.3]], ("low", "band", "high"))


def test_select_keeps_the_order_asked_for():
    data = organ().select(["high", "low"])
    assert data.outputs == ("high", "low")
    assert data.values.tolist() == [[5.0, 6.0], [1.0, 2.0]]
    assert data.sigma.tolist() == [[0.3, 0.3], [0.1, 0.1]]


def test_select_of_one_name_is_a_single_output():
    data = organ().select("band")
    assert (data.outputs, data.values.tolist(), data.sigma.tolist()) == ((), [3.0, 4.0], [0.2, 0.2])
    assert organ().select(["band"]).values.shape == (1, 2)


def test_select_lists_the_outputs():
    with pytest.raises(UnknownName, match="no output 'mid'; known: low, band, high"):
        organ().select("mid")
    with pytest.raises(ShapeError, match="no output was asked for; name some of low, band, high"):
        organ().select([])


def test_sorted():
    data = organ().sorted()
    assert data.f.tolist() == [1.0, 2.0]
    assert data.values.tolist() == [[2.0, 1.0], [4.0, 3.0], [6.0, 5.0]]
    assert data.sigma.tolist() == [[0.1, 0.1], [0.2, 0.2], [0.3, 0.3]]


def test_sorted_in_a_batch_of_sweeps():
    f = torch.tensor([[2.0, 1.0], [1.0, 3.0]])
    data = Measurements(f, "magnitude", 10 * f[:, None, :], outputs=("low",)).sorted()
    assert data.f.tolist() == [[1.0, 2.0], [1.0, 3.0]]
    assert data.values.tolist() == [[[10.0, 20.0]], [[10.0, 30.0]]]


def test_to_another_precision():
    data = Measurements([1.0], "response", [1j], 0.1).to(dtype=torch.float32)
    assert (data.f.dtype, data.values.dtype, data.sigma.dtype) == (
        torch.float32,
        torch.complex64,
        torch.float32,
    )
    assert Measurements([1.0], "response", [1j]).to(dtype=torch.complex64).f.dtype == torch.float32
    assert Measurements([1.0], "response", [1j]).to("cpu").values.dtype == torch.complex128


def test_to_a_precision_that_holds_no_measurement():
    with pytest.raises(OptionError, match="torch.int64; use torch.float64 or torch.float32"):
        Measurements([1.0], "phase", [1.0]).to(dtype=torch.int64)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_to_another_device():
    data = organ().to("cuda")
    assert data.f.is_cuda and data.values.is_cuda and data.sigma.is_cuda
    assert data.as_quantity("decibels").values.is_cuda
