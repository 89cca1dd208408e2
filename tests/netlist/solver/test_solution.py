"""Responses and derivatives of the solver, by every executor, against definitions, differences and each other."""

from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck
from torch.func import jacfwd, jacrev, vmap

from circuits.netlist.solver import engine as engines
from circuits.netlist.solver import native, torch_executor
from circuits.netlist.solver.system import System
from netlist.oracles import precise
from netlist.solver.netlists import NETS, passive, values_of, voltages

F = torch.tensor([0.01, 50.0, 1e3, 2e4, 1e7], dtype=torch.float64)
TORCH_JIT = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Distrustful:
    """An executor that flags every lane, so that all is done by full pivoting."""

    @staticmethod
    def _flagged(results):
        *found, flagged = results
        return *(None if one is None else torch.zeros_like(one) for one in found), torch.ones_like(flagged)

    def __getattr__(self, name):
        return lambda *arguments: self._flagged(getattr(torch_executor, name)(*arguments))


@pytest.fixture(params=["torch", "native", "pivoted"])
def executor(request, monkeypatch):
    """Each way of carrying a plan out."""
    if request.param == "native" and not native.available():
        pytest.skip(f"NOT RUN: no native kernel, {native.why_not()}")
    if request.param == "torch":
        monkeypatch.setattr(engines, "executor_for", lambda q: torch_executor)
    if request.param == "pivoted":
        monkeypatch.setattr(engines, "executor_for", lambda q: Distrustful())
    return request.param


@pytest.fixture(params=NETS)
def netlist(request):
    return NETS[request.param]()


def exact(netlist, f, values, *nodes):
    """Node voltages by the independent high-precision solver, `(nodes, n)`."""
    solved = [precise.solve(netlist, hertz, values={k: float(v) for k, v in values.items()}) for hertz in f.tolist()]
    return torch.tensor([[one.voltages[node] for one in solved] for node in nodes], dtype=torch.complex128)


def test_responses_are_those_of_the_definition(netlist, executor):
    system, values = System(netlist), values_of(netlist)
    found = system.response(values, F, voltages(system, "a", "b"))
    expected = exact(netlist, F, values, "a", "b")
    assert (found - expected).abs().max() <= 1e-12 * expected.abs().max()


def test_a_batch_is_a_loop_over_boards(netlist, executor):
    system, values = System(netlist), values_of(netlist, (2, 3))
    own = F * torch.arange(1.0, 7.0, dtype=torch.float64).reshape(2, 3, 1)
    asked = voltages(system, "a", "b")
    for f in (F, own):
        together = system.response(values, f, asked)
        assert together.shape == (2, 3, 2, 5)
        for i in range(2):
            for j in range(3):
                one = {name: value[i, j] for name, value in values.items()}
                alone = System(netlist).response(one, f if f.ndim == 1 else f[i, j], asked)
                torch.testing.assert_close(together[i, j], alone, rtol=1e-11, atol=1e-13)


def test_derivatives_are_those_of_the_definition(netlist, executor):
    system, values = System(netlist), values_of(netlist)
    f, names = F[1:3], list(values)
    _, jacobian = system.jacobian(values, f, voltages(system, "a", "b"), names)
    leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
    response = system.response(leaves, f, voltages(system, "a", "b"))
    for k, node in enumerate(("a", "b")):
        for j, hertz in enumerate(f.tolist()):
            slopes = precise.derivatives(netlist, hertz, names)
            expected = torch.tensor([slopes[name].voltages[node] for name in names], dtype=torch.complex128)
            scale = torch.stack([values[name] for name in names])
            biggest = (expected * scale).abs().max()
            assert ((jacobian[:, k, j] - expected) * scale).abs().max() <= 1e-11 * biggest
            for part in ("real", "imag"):
                one = torch.autograd.grad(getattr(response[k, j], part), list(leaves.values()), retain_graph=True)
                assert ((torch.stack(one) - getattr(expected, part)) * scale).abs().max() <= 1e-11 * biggest


def relative(system, values, asked):
    """The response as a function of f over given frequencies, and values over given ones."""
    names, scales, f = list(values), list(values.values()), F[1:4]

    def respond(stretch, *factors):
        scaled = {name: scale * x for name, scale, x in zip(names, scales, factors, strict=True)}
        return system.response(scaled, stretch * f, asked)

    ones = [torch.ones_like(scale, requires_grad=True) for scale in scales]
    return respond, (torch.ones(3, dtype=torch.float64, requires_grad=True), *ones)


def test_first_derivatives_by_differences(netlist, executor):
    system = System(netlist)
    respond, point = relative(system, values_of(netlist), voltages(system, "a", "b"))
    assert gradcheck(respond, point, fast_mode=netlist.title == "everything")
    system = System(netlist)
    respond, point = relative(system, values_of(netlist, (2,)), voltages(system, "a", "b"))
    assert gradcheck(respond, point, fast_mode=netlist.title == "everything")


@TORCH_JIT
def test_forward_mode_and_second_derivatives_by_differences(netlist):
    system = System(netlist)
    respond, point = relative(system, values_of(netlist), voltages(system, "a", "b"))
    assert gradcheck(respond, point, check_forward_ad=True, check_backward_ad=False)
    assert gradgradcheck(respond, point, fast_mode=netlist.title == "everything")


@TORCH_JIT
def test_transforms_of_functions(netlist):
    system, values = System(netlist), values_of(netlist)
    respond, point = relative(system, values, voltages(system, "a"))
    point = [one.detach() for one in point]

    def power(stretch, *factors):
        return respond(stretch, *factors).abs().square()

    forward, reverse = (jacobian(power, argnums=(0, 1, 2))(*point) for jacobian in (jacfwd, jacrev))
    torch.testing.assert_close(forward, reverse, rtol=1e-9, atol=1e-10)
    second = [
        outer(inner(power, argnums=1), argnums=2)(*point) for outer, inner in ((jacfwd, jacrev), (jacrev, jacrev))
    ]
    torch.testing.assert_close(*second, rtol=1e-8, atol=1e-10)
    many = torch.linspace(0.5, 2.0, 4, dtype=torch.float64)
    mapped = vmap(lambda x: respond(point[0], x, *point[2:]))(many)
    torch.testing.assert_close(
        mapped, torch.stack([respond(point[0], x, *point[2:]) for x in many]), rtol=1e-11, atol=0
    )
    stretched = vmap(lambda x: respond(x * point[0], *point[1:]))(many)
    alone = torch.stack([respond(x * point[0], *point[1:]) for x in many])
    torch.testing.assert_close(stretched, alone, rtol=1e-11, atol=0)


def test_solutions_of_any_right_hand_side_and_their_derivatives(netlist, executor):
    system, values = System(netlist), values_of(netlist)
    n = len(system.formulation.unknowns)
    chance = torch.Generator().manual_seed(1)
    rhs = torch.randn(2, n, dtype=torch.complex128, generator=chance)
    weight = torch.randn(3, n, dtype=torch.complex128, generator=chance)
    x, y = system.solve(values, F, rhs), system.solve(values, F, weight, transposed=True)
    left = torch.einsum("wn,rnf->rwf", weight, x)
    right = torch.einsum("wnf,rn->rwf", y, rhs)
    torch.testing.assert_close(left, right, rtol=1e-9, atol=1e-12 * left.abs().max().item())
    names, f = list(values)[:3], F[1:3]
    rest = {name: value for name, value in values.items() if name not in names}

    for transposed in (False, True):

        def solve(b, *factors, transposed=transposed):
            scaled = {name: values[name] * x for name, x in zip(names, factors, strict=True)}
            # in units that make all numbers alike, which differences need
            return system.solve({**rest, **scaled}, f, b, transposed) * 1e-3

        point = (
            rhs.clone().requires_grad_(),
            *(torch.ones((), dtype=torch.float64, requires_grad=True) for _ in names),
        )
        assert gradcheck(solve, point, atol=1e-4, rtol=1e-3)


def test_zero_hertz_and_a_terahertz(executor):
    system, values = System(passive()), values_of(passive())
    asked = voltages(system, "a", "b")
    found = system.response(values, torch.tensor([0.0, 1e12], dtype=torch.float64), asked)
    torch.testing.assert_close(found[:, 0].real, torch.full((2,), 50 / 1050, dtype=torch.float64), rtol=1e-14, atol=0)
    expected = exact(passive(), torch.tensor([1e12], dtype=torch.float64), values, "a", "b")
    torch.testing.assert_close(found[:, 1:], expected, rtol=1e-13, atol=0)
    leaves = {name: value.clone().requires_grad_() for name, value in values.items()}
    at_rest = system.response(leaves, torch.zeros(1, dtype=torch.float64), asked)[0, 0].real
    slopes = dict(zip(leaves, torch.autograd.grad(at_rest, list(leaves.values())), strict=True))
    assert slopes["R2"].item() == pytest.approx(1000 / 1050**2, rel=1e-12)
    assert slopes["R1"].item() == pytest.approx(-50 / 1050**2, rel=1e-12)
    assert slopes["L1"] == slopes["C1"] == slopes["C2"] == 0


def test_a_lossless_resonance_is_solved_and_not_flattened(executor):
    """At the resonance of L and C the branches of their node cancel to the last digit."""
    from netlist.oracles.building import Bench

    bench = Bench("trap")
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("R", "1", "in a", 1e6)
    bench.add("L", "1", "a 0", 1e-3)
    bench.add("C", "1", "a 0", 1e-9)
    netlist = bench.netlist()
    f0 = 1 / (2 * math.pi * math.sqrt(1e-12))
    f = torch.tensor([f0 * (1 + x) for x in (-1e-9, 0.0, 1e-12, 1e-3)], dtype=torch.float64)
    system, values = System(netlist), values_of(netlist)
    found = system.response(values, f, voltages(system, "a"))
    expected = exact(netlist, f, values, "a")
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=0)
    assert found[0, 1].abs() > 0.99


def test_single_precision_and_empty_sweeps(netlist):
    system, values = System(netlist), values_of(netlist)
    asked = voltages(system, "a")
    assert system.response(values, F[:0], asked).shape == (1, 0)
    single = {name: value.float() for name, value in values.items()}
    torch.testing.assert_close(
        system.response(single, F, asked), system.response(values, F, asked), rtol=1e-4, atol=1e-6
    )
