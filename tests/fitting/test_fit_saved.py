"""A fit written to JSON comes back as it was; a damaged file is one clear error."""

from __future__ import annotations

import json
import math

import pytest
import torch
from torch import nn

import circuits as cc
from circuits.errors import DataError

F = cc.log_grid(60, 10.0, 1e5)


def freed(circuit: cc.Circuit) -> cc.Circuit:
    for parameter in circuit.parameters():
        parameter.requires_grad_(True)
    return circuit


def line() -> cc.Fit:
    x = torch.linspace(0, 1, 9, dtype=torch.float64).unsqueeze(-1)
    return cc.fit(nn.Linear(1, 1).double(), (x, 3 * x + 1 + 0.1 * torch.sin(40 * x)))


def lost() -> cc.Fit:
    """A fit without numbers: its loss is infinite."""

    class Nothing(cc.LowPass):
        def predict(self, f, quantity):
            return super().predict(f, quantity) * math.nan

    return cc.fit(Nothing(R=500.0), cc.simulate(cc.LowPass(R=200.0), F), method=cc.GradientDescent(1.0))


def partly_explained() -> cc.Fit:
    """Two boards from LEDs, of which one leaves some unexplained: its interval is not a number."""
    lit = cc.simulate(cc.LowPass(R=[200.0, 200.0]), F, "led").values.clone()
    lit[1, 20] = 1 - lit[1, 20]
    return cc.fit(cc.LowPass(R=[500.0, 500.0]), cc.Measurements(F, "led", lit))


CASES = {
    "low-pass": lambda: cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F, noise=0.01)),
    "undetermined": lambda: cc.fit(freed(cc.LowPass(R=500.0)), cc.simulate(cc.LowPass(R=200.0), F)),
    "no history": lambda: cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), F), history=False),
    "fixed": lambda: cc.fit(
        cc.BandPass(R_low=80.0, R_high=300.0), cc.simulate(cc.BandPass(R_low=40.0, R_high=160.0), F), fixed=["R_low"]
    ),
    "tied": lambda: cc.fit(
        cc.BandPass(R_low=80.0, R_high=300.0),
        cc.simulate(cc.BandPass(R_low=100.0, R_high=100.0), F, noise=0.01),
        tied={"R_high": "R_low"},
    ),
    "organ": lambda: cc.fit(
        cc.ColorOrgan(500.0, (500.0, 500.0), 500.0),
        cc.simulate(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), cc.tones(300), "led"),
    ),
    "unseen": lambda: cc.fit(
        cc.ColorOrgan(500.0, (500.0, 500.0), 500.0),
        cc.simulate(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), F, noise=0.01).select(("low", "band")),
    ),
    "batch": lambda: cc.fit(cc.LowPass(R=[[500.0, 50.0]] * 2), cc.simulate(cc.LowPass(R=200.0), F, noise=0.01)),
    "partly explained": partly_explained,
    "single precision": lambda: cc.fit(cc.LowPass(R=torch.tensor(500.0)), cc.simulate(cc.LowPass(R=200.0), F)),
    "bode": lambda: cc.fit(cc.Bode(2.0, poles=[300.0]), cc.simulate(cc.LowPass(R=200.0), F)),
    "batch of bode": lambda: cc.fit(cc.Bode([2.0, 3.0], poles=[[300.0, 200.0]]), cc.simulate(cc.LowPass(R=200.0), F)),
    "module": line,
    "lost": lost,
}


def same(a, b) -> bool:
    """Equality through nested containers, NaN being equal to itself."""
    if isinstance(a, dict):
        return set(a) == set(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (tuple, list)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, torch.Tensor) and not isinstance(b, torch.Tensor):
        return same(a, torch.as_tensor(b))
    if isinstance(a, torch.Tensor):
        return a.shape == b.shape and torch.allclose(a.double(), b.double(), rtol=0, atol=0, equal_nan=True)
    if isinstance(a, float) and math.isnan(a):
        return math.isnan(b)
    return bool((a == b).all()) if hasattr(a, "all") else a == b


@pytest.mark.parametrize("case", CASES)
def test_what_was_saved_comes_back(case: str, tmp_path):
    found = CASES[case]()
    found.save(tmp_path / "fit.json")
    again = cc.load_fit(tmp_path / "fit.json")
    for name in (
        "names",
        "loss_name",
        "values",
        "errors",
        "intervals",
        "covariance",
        "correlation",
        "cutoffs",
        "identifiability",
        "loss",
        "steps",
        "reason",
        "converged",
        "explains",
        "misfit",
        "notes",
        "seconds",
    ):
        assert same(getattr(found, name), getattr(again, name)), name
    assert again.batch_shape == found.batch_shape
    assert (again.history is None) == (found.history is None)
    if found.history is not None:
        assert again.history.names == found.history.names
        for table in ("values", "loss", "gradient"):
            assert same(getattr(found.history, table), getattr(again.history, table)), table
    assert str(again) == str(found)


@pytest.mark.parametrize("case", ["low-pass", "organ", "batch", "single precision", "fixed"])
def test_the_circuit_comes_back_with_what_it_learned(case: str, tmp_path):
    found = CASES[case]()
    found.save(tmp_path / "fit.json")
    again = cc.load_fit(tmp_path / "fit.json").circuit
    assert type(again) is type(found.circuit)
    for name, parameter in found.circuit.named_parameters():
        other = again.get_parameter(name)
        assert torch.equal(other, parameter) and other.dtype == parameter.dtype
        assert other.requires_grad == parameter.requires_grad
    torch.testing.assert_close(again(F), found.circuit(F), rtol=0, atol=0)


def test_saving_again_gives_the_same_file(tmp_path):
    CASES["organ"]().save(tmp_path / "a.json")
    cc.load_fit(tmp_path / "a.json").save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_text("utf-8") == (tmp_path / "b.json").read_text("utf-8")


def test_the_file_is_json_as_the_standard_has_it(tmp_path):
    """Infinities and NaN are not in it as bare words, which other programs refuse."""
    CASES["lost"]().save(tmp_path / "fit.json")

    def refuse(word: str) -> None:
        raise AssertionError(f"bare {word} in the file")

    json.loads((tmp_path / "fit.json").read_text("utf-8"), parse_constant=refuse)


WRONG = (None, [], {}, "x", 3, [1, "q"], {"a": 1})


def damage(plain: dict, path: str, value: object) -> dict:
    """A copy with one entry replaced, by dotted path."""
    copy = json.loads(json.dumps(plain))
    *parents, key = path.split(".")
    inner = copy
    for parent in parents:
        inner = inner[parent]
    inner[key] = value
    return copy


INNER = {
    "circuit": ("class", "catalogue", "components", "learnable", "dtype"),
    "history": ("names", "values", "loss", "gradient"),
    "identifiability": ("determined", "together", "invisible"),
}


def test_any_damage_is_a_data_error_or_harmless(tmp_path):
    CASES["undetermined"]().save(tmp_path / "fit.json")
    plain, bad = json.loads((tmp_path / "fit.json").read_text("utf-8")), tmp_path / "bad.json"
    paths = [*plain, *(f"{outer}.{inner}" for outer, names in INNER.items() for inner in names)]
    others = []
    for path in paths:
        for value in WRONG:
            bad.write_text(json.dumps(damage(plain, path, value)), "utf-8")
            try:
                cc.load_fit(bad)
            except DataError as error:
                assert "bad.json" in str(error)
            except Exception as error:
                others.append(f"{path} = {value!r}: {type(error).__name__}")
    assert others == []


def test_a_missing_entry_is_a_data_error(tmp_path):
    CASES["low-pass"]().save(tmp_path / "fit.json")
    plain, bad = json.loads((tmp_path / "fit.json").read_text("utf-8")), tmp_path / "bad.json"
    for key in plain:
        bad.write_text(json.dumps({k: v for k, v in plain.items() if k != key}), "utf-8")
        with pytest.raises(DataError, match="bad.json"):
            cc.load_fit(bad)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "not a fit"),
        (b"{}", "not a fit"),
        (b'{"format": "ohmgrad fit 99"}', "not a fit"),
    ],
    ids=["empty", "cut off", "binary", "too deep", "a list", "no format", "another format"],
)
def test_files_that_are_no_fit(content: bytes, message: str, tmp_path):
    (tmp_path / "bad.json").write_bytes(content)
    with pytest.raises(DataError, match=message):
        cc.load_fit(tmp_path / "bad.json")


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(DataError, match="cannot read"):
            cc.load_fit(path)


def test_a_file_that_cannot_be_written(tmp_path):
    found = CASES["low-pass"]()
    with pytest.raises(DataError, match="cannot write"):
        found.save(tmp_path / "no such folder" / "fit.json")
    found.save(tmp_path / "fit.json")
    assert [path.name for path in tmp_path.iterdir()] == ["fit.json"]
