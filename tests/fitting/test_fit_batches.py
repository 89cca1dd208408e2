"""Boards of a batch: each is fitted as if it were alone, stops for itself, and keeps its place."""

from __future__ import annotations

import pytest
import torch

import circuits as cc
import losses

F = cc.log_grid(60, 10.0, 1e5)
GENERATOR = 11


def drawn(shape, low: float, high: float, seed: int) -> torch.Tensor:
    share = torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return low * (high / low) ** share


def batch(kind: str, shape: tuple[int, ...], seed: int) -> cc.Circuit:
    parts = [drawn(shape, *ends, seed + i) for i, ends in enumerate([(20.0, 90.0), (150.0, 900.0)] * 2)]
    if kind == "organ":
        return cc.ColorOrgan(parts[1], (parts[0], parts[3]), parts[2])
    if kind == "bode":
        return cc.Bode(parts[0] / 50, poles=[10 * parts[1]])
    two = {"band-pass": cc.BandPass, "loaded": cc.LoadedBandPass}
    return two[kind](R_low=parts[0], R_high=parts[1]) if kind in two else cc.LowPass(R=parts[1])


def alone(circuit: cc.Circuit, index: tuple[int, ...]) -> cc.Circuit:
    """One board of a batch as a circuit of its own."""
    parts = {name: p.detach() for name, p in circuit.named_parameters()}
    one = {name: p[index] if p.ndim else p for name, p in parts.items()}
    if isinstance(circuit, cc.ColorOrgan):
        return cc.ColorOrgan(one["low.R"], (one["band.R_low"], one["band.R_high"]), one["high.R"])
    if isinstance(circuit, cc.Bode):
        return cc.Bode(one["gain"], poles=[one["pole_1"]])
    return type(circuit)(**one)


def row(data: cc.Measurements, index: tuple[int, ...]) -> cc.Measurements:
    f = data.f if data.f.ndim == 1 else data.f[index]
    sigma = None if data.sigma is None else data.sigma.expand(data.values.shape)[index]
    return cc.Measurements(f, data.quantity, data.values[index], sigma, data.outputs)


CASES = {
    "magnitude": ("magnitude", 0.01, None, {}),
    "response": ("response", 0.01, None, {}),
    "LEDs": ("led", 0.2, None, {}),
    "Huber": ("magnitude", 0.01, losses.Huber(losses.Magnitude(), 1.345), {}),
    "LBFGS": ("magnitude", 0.01, None, {"method": cc.LBFGS()}),
    "descent": ("magnitude", 0.01, None, {"method": cc.GradientDescent(1e-4, 0.5), "stop": cc.Stop(steps=40)}),
    "signs": ("magnitude", 0.01, None, {"method": cc.SignDescent(0.3, shrink=0.5), "stop": cc.Stop(step=1e-3)}),
    "Adam": (
        "magnitude",
        0.01,
        None,
        {"method": lambda x: torch.optim.Adam(x, lr=0.1), "stop": cc.Stop(steps=40)},
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("kind", ["low-pass", "band-pass", "loaded", "bode", "organ"])
@pytest.mark.parametrize("shape", [(3,), (2, 2)], ids=str)
def test_a_batch_is_fitted_board_by_board(shape: tuple[int, ...], kind: str, case: str):
    quantity, noise, loss, options = CASES[case]
    if kind == "bode" and quantity != "magnitude":
        pytest.skip("an asymptote serves magnitudes")
    data = cc.simulate(batch(kind, shape, seed=1), F, quantity, noise=noise, seed=GENERATOR)
    together = cc.fit(batch(kind, shape, seed=7), data, loss, **options)
    assert together.batch_shape == shape
    assert together.reason.shape == shape and together.loss.shape == torch.Size(shape)
    for index in torch.cartesian_prod(*map(torch.arange, shape)).reshape(-1, len(shape)).tolist():
        at = tuple(index)
        single = cc.fit(alone(batch(kind, shape, seed=7), at), row(data, at), loss, history=True, **options)
        assert together.reason[at] == single.reason
        # a board without jitter left to sharpen for waits while the others try the next stage
        assert case == "LEDs" or int(together.steps[at]) == single.steps
        assert together.loss[at].item() == pytest.approx(single.loss, rel=1e-9)
        for name, value in single.values.items():
            assert together.values[name][at].item() == pytest.approx(value.item(), rel=1e-9)
            assert together.errors[name][at].item() == pytest.approx(single.errors[name].item(), rel=1e-7)


def test_every_board_keeps_the_stage_that_it_would_have_kept_alone():
    """A little jitter leaves some boards separable and others not: they end at different sharpnesses."""
    data = cc.simulate(cc.LowPass(R=[200.0] * 40), cc.tones(200, seed=2), "led", noise=0.05, seed=6)
    together = cc.fit(cc.LowPass(R=[500.0] * 40), data)
    single = [cc.fit(cc.LowPass(R=500.0), row(data, (i,))) for i in range(40)]
    alone = torch.stack([found.values["R"] for found in single])
    torch.testing.assert_close(together.values["R"], alone, rtol=1e-9, atol=0)
    torch.testing.assert_close(together.errors["R"], torch.stack([f.errors["R"] for f in single]), rtol=1e-6, atol=0)


def test_boards_stop_for_themselves_and_keep_their_places():
    """Seven boards arrive within a few steps and leave; the walk of the last goes on alone and lands in its row."""
    truth = torch.tensor([200.0] * 7 + [300.0], dtype=torch.float64)
    start = torch.tensor([200.0] * 4 + [201.0] * 3 + [1e6], dtype=torch.float64)
    board = cc.LowPass(R=start)
    found = cc.fit(board, cc.simulate(cc.LowPass(R=truth), F), history=True)
    torch.testing.assert_close(board.R.detach(), truth, rtol=1e-9, atol=0)
    assert found.steps[:4].max() <= 1 and found.steps[4:7].max() < found.steps[7]
    walk = found.history.of("R")
    assert walk.shape == (int(found.steps.max()) + 1, 8)
    torch.testing.assert_close(walk[0], start)
    torch.testing.assert_close(walk[-1], truth, rtol=1e-9, atol=0)
    after = walk[int(found.steps[4]) + 1 :, 4]
    assert (after == after[0]).all()


def test_boards_accept_and_refuse_steps_on_their_own():
    """In raw ohms from far away some steps are refused, at different times on different boards."""
    starts = [20.0, 150.0, 3e3, 4e4, 1e6]
    noisy = cc.simulate(cc.LowPass(R=200.0), F, noise=0.01)
    options = {"coordinates": "linear", "method": cc.LevenbergMarquardt(), "history": True}
    together = cc.fit(cc.LowPass(R=starts), noisy, **options)
    refused = set()
    for i, start in enumerate(starts):
        single = cc.fit(cc.LowPass(R=start), noisy, **options)
        walk = single.history.of("R")[:, 0]
        refused |= {(i, step) for step in (walk.diff() == 0).nonzero().flatten().tolist()}
        torch.testing.assert_close(together.history.of("R")[: len(walk), i], walk, rtol=1e-9, atol=0)
        assert (together.reason[i], int(together.steps[i])) == (single.reason, single.steps)
    assert refused, "no step was refused: choose starts from farther away"


def test_every_board_has_its_own_fixed_capacitor():
    C = torch.tensor([1e-6, 2.2e-6, 4.7e-7], dtype=torch.float64)
    data = cc.simulate(cc.LowPass(R=[200.0, 300.0, 400.0], C=C), F)
    board = cc.LowPass(R=[500.0] * 3, C=C)
    found = cc.fit(board, data)
    torch.testing.assert_close(board.R.detach(), torch.tensor([200.0, 300.0, 400.0], dtype=torch.float64))
    assert torch.equal(board.C, C) and list(found.values) == ["R"]
    assert "one value a board" in str(found)


def test_every_board_has_its_own_capacitor_while_boards_leave():
    """Rows of what is held fixed have to leave together with the boards."""
    C = torch.logspace(-7, -5, 9, dtype=torch.float64)
    start = torch.tensor([200.0] * 8 + [1e5], dtype=torch.float64)
    board = cc.LowPass(R=start, C=C)
    cc.fit(board, cc.simulate(cc.LowPass(R=[200.0] * 9, C=C), F))
    torch.testing.assert_close(board.R.detach(), torch.full((9,), 200.0, dtype=torch.float64))


def test_every_board_has_its_own_tones_and_sigma():
    f = torch.stack([cc.tones(50, 10.0, 1e5, seed=seed) for seed in range(4)])
    data = cc.simulate(cc.LowPass(R=[100.0, 200.0, 300.0, 400.0]), f, noise=0.01)
    sigma = torch.logspace(-3, -1, 50, dtype=torch.float64).expand(4, 50)
    data = cc.Measurements(f, "magnitude", data.values, sigma)
    together = cc.fit(cc.LowPass(R=[500.0] * 4), data)
    for i in range(4):
        single = cc.fit(cc.LowPass(R=500.0), row(data, (i,)))
        assert together.values["R"][i].item() == pytest.approx(single.values["R"].item(), rel=1e-9)
        assert together.errors["R"][i].item() == pytest.approx(single.errors["R"].item(), rel=1e-7)


def test_one_measurement_serves_every_board():
    found = cc.fit(cc.LowPass(R=[1.0, 30.0, 1e5]), cc.simulate(cc.LowPass(R=200.0), F))
    torch.testing.assert_close(found.values["R"], torch.full((3,), 200.0, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(3,), (2, 3)], ids=str)
def test_a_plain_pair_serves_a_batch(shape: tuple[int, ...]):
    truth = drawn(shape, 100.0, 1000.0, seed=3)
    board = cc.LowPass(R=torch.full(shape, 500.0, dtype=torch.float64))
    cc.fit(board, (F, cc.LowPass(R=truth)(F).detach()))
    torch.testing.assert_close(board.R.detach(), truth)


@pytest.mark.parametrize("loss", [None, lambda p, t: (p - t).square().mean()], ids=["least squares", "own function"])
def test_missing_values_differ_from_board_to_board(loss):
    values = cc.LowPass(R=[200.0, 300.0])(F).detach().clone()
    values[1, ::3] = torch.nan
    board = cc.LowPass(R=[100.0, 100.0])
    cc.fit(board, cc.Measurements(F, "magnitude", values), loss)
    torch.testing.assert_close(board.R.detach(), torch.tensor([200.0, 300.0], dtype=torch.float64), rtol=1e-4, atol=0)


def test_a_board_that_leaves_the_numbers_does_not_disturb_the_others():
    data = cc.simulate(cc.LowPass(R=[200.0, 200.0]), F)
    values = data.values.clone()
    values[0] = 1e200  # its square is beyond the range of numbers
    board = cc.LowPass(R=[150.0, 150.0])
    found = cc.fit(board, cc.Measurements(F, "magnitude", values), method=cc.LevenbergMarquardt())
    assert found.reason.tolist()[0] == "not finite" and found.converged.tolist() == [False, True]
    assert board.R[1].item() == pytest.approx(200.0)
    assert board.R[0].item() == pytest.approx(150.0)


def test_the_print_of_a_batch_shows_boards_and_their_spread():
    found = cc.fit(cc.LowPass(R=[500.0] * 40), cc.simulate(cc.LowPass(R=[200.0] * 40), F, noise=0.01))
    text = str(found)
    assert "… and 28 more" in text and "40 of 40 boards converged" in text and "explain their data" in text
    assert all(word in text for word in ("lowest", "median", "highest", "±", "Ω"))
