"""`to_csv` and `read`: the same measurements come back, bit for bit, or the file is left as it was."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from circuits.data import Measurements, measurements, read
from circuits.errors import DataError

POSITIVE = st.floats(min_value=5e-324, max_value=1.7e308)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
ODD_NAMES = [
    "low",
    "band",
    "vin",
    "phase_deg",
    "#",
    'say "hi"',
    "a,b;c",
    "Ω µ",
    "frequency_hz",
    " f",
    "0",
    "sigma",
]
OPTIONS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@st.composite
def any_measurements(draw):
    """Measurements of one board: any quantity, numbers, outputs, gaps, uncertainty."""
    n = draw(st.integers(1, 5))
    quantity = draw(st.sampled_from(measurements.QUANTITIES))
    outputs = tuple(draw(st.lists(st.sampled_from(ODD_NAMES), max_size=3, unique=True)))
    count = n * max(len(outputs), 1)
    one = {"led": st.sampled_from([0.0, 1.0]), "response": st.builds(complex, FINITE, FINITE)}.get(quantity, FINITE)
    values = draw(st.lists(one, min_size=count, max_size=count))
    gaps = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    missing = complex("nan+nanj") if quantity == "response" else float("nan")
    values = [missing if gap and i else value for i, (gap, value) in enumerate(zip(gaps, values, strict=True))]
    shape = (len(outputs), n) if outputs else (n,)
    kind = torch.complex128 if quantity == "response" else torch.float64
    sigma = None
    if quantity != "led" and draw(st.booleans()):
        sigma = torch.tensor(draw(st.lists(POSITIVE, min_size=count, max_size=count)), dtype=torch.float64)
        sigma = draw(st.sampled_from([sigma.reshape(shape), sigma[0]]))
    f = sorted(draw(st.lists(POSITIVE, min_size=n, max_size=n)))
    meta = draw(st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), max_size=2))
    return Measurements(f, quantity, torch.tensor(values, dtype=kind).reshape(shape), sigma, outputs, meta)


def identical(one, other):
    return (
        one.shape == other.shape
        and one.dtype == other.dtype
        and torch.equal(
            torch.view_as_real(one) if one.is_complex() else one,
            torch.view_as_real(other) if one.is_complex() else other,
        )
    )


def same_where_present(one, other):
    present = ~one.isnan()
    return torch.equal(present, ~other.isnan()) and identical(one[present], other[present])


@OPTIONS
@given(any_measurements())
def test_what_is_written_is_read_back(tmp_path, data):
    path = tmp_path / "saved.csv"
    data.to_csv(path)
    back = read(path)
    assert (back.quantity, back.outputs) == (data.quantity, data.outputs)
    assert identical(back.f, data.f)
    assert same_where_present(back.values, data.values)
    assert (back.sigma is None) == (data.sigma is None)
    if data.sigma is not None:
        present = ~data.values.isnan()
        assert identical(back.sigma[present], torch.broadcast_to(data.sigma, data.values.shape)[present])
    assert {key: value for key, value in back.meta.items() if key != "file"} == {
        key: value for key, value in data.meta.items() if key != "file"
    }
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "led", "response"])
@pytest.mark.parametrize("outputs", [(), ("low", "high")])
@pytest.mark.parametrize("with_sigma", [False, True])
def test_the_table_below_the_description_says_the_same(quantity, outputs, with_sigma, tmp_path):
    values = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 0.0]], dtype=torch.float64)
    values = values if quantity == "led" else 0.25 + values
    values = torch.complex(values, 2 * values) if quantity == "response" else values
    values = values if outputs else values[0]
    sigma = 0.5 if with_sigma and quantity != "led" else None
    data = Measurements([1.0, 10.0, 100.0], quantity, values, sigma, outputs)
    data.to_csv(tmp_path / "saved.csv")
    described = (tmp_path / "saved.csv").read_text(encoding="utf-8")
    (tmp_path / "plain.csv").write_text(described.partition("\n")[2], encoding="utf-8")
    plain = read(tmp_path / "plain.csv")
    assert (plain.quantity, plain.outputs) == (quantity, outputs)
    assert identical(plain.values, data.values)
    assert (plain.sigma is None) == (sigma is None)


def test_rows_edited_by_hand_are_read_with_the_description(tmp_path):
    path = tmp_path / "saved.csv"
    Measurements([1.0, 2.0], "magnitude", [[0.5, 0.25]], outputs=("vin",)).to_csv(path)
    path.write_text(path.read_text() + "# another\n0.5,0.75\n")
    back = read(path)
    assert (back.f.tolist(), back.values.tolist()) == ([0.5, 1.0, 2.0], [[0.75, 0.5, 0.25]])


def test_a_description_that_was_damaged_leaves_a_table(tmp_path):
    path = tmp_path / "saved.csv"
    Measurements([1.0, 2.0], "decibels", [-1.0, -3.0]).to_csv(path)
    path.write_text(path.read_text().replace("{", "", 1))
    assert read(path).values.tolist() == [-1.0, -3.0]
    assert "comma-separated" in read(path).understood


def test_an_unsorted_table_comes_back_sorted(tmp_path):
    Measurements([2.0, 1.0], "phase", [-2.0, -1.0]).to_csv(tmp_path / "saved.csv")
    assert read(tmp_path / "saved.csv").values.tolist() == [-1.0, -2.0]


def test_single_precision_comes_back_as_the_same_numbers(tmp_path):
    data = Measurements(torch.tensor([0.1]), "magnitude", torch.tensor([0.3]))
    data.to_csv(tmp_path / "saved.csv")
    assert read(tmp_path / "saved.csv").values.item() == data.values.item()


def test_a_batch_is_not_written(tmp_path):
    with pytest.raises(DataError, match=r"a batch \(5,\) of boards; a file holds one"):
        Measurements([1.0], "phase", torch.ones(5, 1)).to_csv(tmp_path / "saved.csv")
    assert not list(tmp_path.iterdir())


def test_a_place_that_is_not_there(tmp_path):
    with pytest.raises(DataError, match="cannot write .*saved.csv.*No such file or directory"):
        Measurements([1.0], "phase", [1.0]).to_csv(tmp_path / "nowhere" / "saved.csv")


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "saved.csv"
    path.write_text("old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match="cannot write .*saved.csv.*No space left on device"):
        Measurements([1.0], "phase", [1.0]).to_csv(path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_relative_path_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Measurements([1.0], "phase", [1.0]).to_csv("saved.csv")
    assert len(read(Path("saved.csv"))) == 1
