"""What the data cannot tell apart is said by name, and no σ is printed for it."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import circuits as cc

F = cc.log_grid(60, 10.0, 1e5)


def freed(circuit: cc.Circuit) -> cc.Circuit:
    for parameter in circuit.parameters():
        parameter.requires_grad_(True)
    return circuit


def row(text: str, name: str) -> str:
    """Print of one fitted value."""
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


LOW = (lambda: cc.LowPass(R=500.0), lambda: cc.LowPass(R=200.0), {"R·C": 2e-4})
HIGH = (lambda: cc.HighPass(R=500.0), lambda: cc.HighPass(R=200.0), {"R·C": 2e-4})
BAND = (
    lambda: cc.BandPass(R_low=100.0, R_high=900.0),
    lambda: cc.BandPass(R_low=40.0, R_high=160.0),
    {"R_low·C_low": 4e-5, "R_high·C_high": 1.6e-4},
)


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize(("start", "truth", "products"), [LOW, HIGH, BAND], ids=["low", "high", "band"])
@pytest.mark.parametrize("quantity", ["magnitude", "decibels", "phase", "response"])
def test_only_products_are_determined(start, truth, products: dict[str, float], quantity: str, noise: float):
    found = cc.fit(freed(start()), cc.simulate(truth(), F, quantity, noise=noise, seed=2))
    verdict, text = found.identifiability, str(found)
    assert not verdict.complete and verdict.determined == () and verdict.invisible == ()
    assert {combination.name for combination in verdict.together} == set(products)
    for combination in verdict.together:
        expected, allowed = products[combination.name], 5 * combination.relative_error + 1e-9
        assert combination.value == pytest.approx(expected, rel=allowed)
        assert combination.unit == "s"
        assert "±" in row(text, combination.name)
        for name in combination.exponents:
            assert found.errors[name].isinf()
            assert "±" not in row(text, name)
            assert f"only {combination.name} is determined" in row(text, name)
    joined = " and ".join(c.name for c in verdict.together)
    assert f"only {joined} {'is' if len(products) == 1 else 'are'} determined by these data" in text
    assert all(error.isfinite() and error > 0 for _, error in found.cutoffs.values())


@pytest.mark.parametrize("coordinates", ["linear", {"R": "linear"}], ids=str)
def test_the_product_is_named_in_any_coordinates(coordinates):
    found = cc.fit(freed(cc.LowPass(R=500.0)), cc.simulate(cc.LowPass(R=200.0), F, noise=0.01), coordinates=coordinates)
    assert [c.name for c in found.identifiability.together] == ["R·C"]
    assert found.errors["R"].isinf() and found.errors["C"].isinf()
    assert "only R·C is determined by these data" in str(found)


def test_holding_one_factor_determines_the_other():
    found = cc.fit(freed(cc.LowPass(R=500.0)), cc.simulate(cc.LowPass(R=200.0), F, noise=0.01), fixed={"C": 2e-6})
    assert found.identifiability.complete
    assert found.values["R"].item() == pytest.approx(100.0, rel=0.05)
    assert "held fixed: C = 2 µF" in str(found) and "is determined" not in str(found)


def test_part_of_a_band_pass_held():
    found = cc.fit(freed(BAND[0]()), cc.simulate(BAND[1](), F, noise=0.001), fixed=["C_low"])
    assert found.identifiability.determined == ("R_low",)
    assert [c.name for c in found.identifiability.together] == ["R_high·C_high"]
    assert "±" in row(str(found), "R_low") and "±" not in row(str(found), "R_high")


def test_loaded_band_pass_knows_its_resistors_by_its_capacitors():
    truth, board = cc.LoadedBandPass(R_low=40.0, R_high=160.0), cc.LoadedBandPass(R_low=100.0, R_high=900.0)
    found = cc.fit(board, cc.simulate(truth, F, noise=0.001))
    assert found.identifiability.complete
    assert found.values["R_low"].item() == pytest.approx(40.0, abs=5 * found.errors["R_low"].item())
    assert found.values["R_high"].item() == pytest.approx(160.0, abs=5 * found.errors["R_high"].item())


def test_loaded_band_pass_with_all_four_free_knows_three_combinations():
    """The load couples the stages, so that C_low/C_high is known as well; the level of impedance is not."""
    found = cc.fit(
        freed(cc.LoadedBandPass(R_low=100.0, R_high=900.0)),
        cc.simulate(cc.LoadedBandPass(R_low=40.0, R_high=160.0), F, noise=0.001),
    )
    verdict = found.identifiability
    assert verdict.determined == () and len(verdict.together) == 3
    truth = {"R_low": 40.0, "R_high": 160.0, "C_low": 1e-6, "C_high": 1e-6}
    for combination in verdict.together:
        expected = 1.0
        for name, exponent in combination.exponents.items():
            expected *= truth[name] ** float(exponent)
        assert combination.value == pytest.approx(expected, rel=5 * combination.relative_error)
    assert all(error.isinf() for error in found.errors.values())


def test_a_component_of_an_output_that_was_not_measured_is_invisible():
    truth = cc.ColorOrgan(200.0, (40.0, 160.0), 32.0)
    data = cc.simulate(truth, F, noise=0.01).select(("low", "band"))
    board = cc.ColorOrgan(500.0, (500.0, 500.0), 500.0)
    found = cc.fit(board, data)
    assert found.identifiability.invisible == ("high.R",)
    assert board.high.R.item() == pytest.approx(500.0, rel=1e-12)
    assert found.errors["high.R"].isinf() and found.cutoffs["high.cutoff"][1].isinf()
    assert "not seen by these data" in row(str(found), "high.R")
    assert "nothing in these data depends on high.R" in str(found)
    assert found.errors["low.R"].isfinite()


def test_an_elbow_beyond_the_data_is_invisible():
    truth = cc.Bode(1.0, poles=[1e3])
    found = cc.fit(cc.Bode(2.0, poles=[300.0, 1e9]), cc.simulate(truth, F, "decibels", noise=0.1))
    assert found.identifiability.invisible == ("pole_2",)
    assert found.identifiability.determined == ("gain", "pole_1")


def test_every_board_of_a_batch_has_its_own_verdict():
    """One board was measured, of the other every value is missing."""
    data = cc.simulate(cc.LowPass(R=[200.0, 200.0]), F, noise=0.01)
    values = data.values.clone()
    values[1] = torch.nan
    found = cc.fit(cc.LowPass(R=[300.0, 300.0]), cc.Measurements(F, "magnitude", values, sigma=0.01))
    assert [verdict.complete for verdict in found.identifiability] == [True, False]
    assert found.identifiability[1].invisible == ("R",)
    assert found.errors["R"].isfinite().tolist() == [True, False]
    assert "nothing in these data depends on R" in str(found)


def test_correlated_components_are_pointed_out():
    """Two poles that nearly coincide: each is known, badly, and almost only their product."""
    found = cc.fit(
        cc.Bode(1.0, poles=[900.0, 1200.0]).requires_grad_(True),
        cc.simulate(cc.Bode(1.0, poles=[1000.0, 1100.0]), cc.log_grid(200, 2e3, 1e5), "decibels", noise=0.1),
        fixed=["gain"],
    )
    pair = found.strong_correlations or [c.name for c in found.identifiability.together]
    assert len(pair) == 1 and "pole_1" in pair[0] and "pole_2" in pair[0]


def test_collinear_columns_of_a_module_are_undetermined_and_no_product():
    x = torch.randn(30, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).repeat(1, 2)
    found = cc.fit(nn.Linear(2, 1).double(), (x, 3 * x[:, :1] + 1))
    assert found.errors["weight"].isinf().all() and found.errors["bias"].isfinite().all()
    assert not found.identifiability.complete
    assert "weight[0,0]·weight[0,1]" not in str(found)  # their sum is known, not their product
