"""Circuits under `torch.func`, `torch.compile` and on a GPU."""

import os
import shutil

import pytest
import torch
from torch.func import functional_call, jacfwd, jacrev, vmap

from circuits.color_organ import ColorOrgan
from circuits.filters import LowPass


def states(circuit):
    return {name: parameter.detach() for name, parameter in circuit.named_parameters()}


def test_vmap_over_boards_is_a_batch(make, f):
    batched, single = make(batch=(3,), seed=1), make()
    values = states(batched)
    found = vmap(lambda state: functional_call(single, state, (f,)))(values)
    torch.testing.assert_close(found, batched(f), rtol=1e-14, atol=0)
    values = states(single)
    found = vmap(lambda tone: functional_call(single, values, (tone,)), out_dims=-1)(f)
    torch.testing.assert_close(found, single(f), rtol=1e-14, atol=0)


@pytest.mark.parametrize("view", ["response", "magnitude", "decibels", "phase", "group_delay"])
def test_vmap_of_every_view(make, f, view):
    circuit = make(seed=2)
    torch.testing.assert_close(
        vmap(getattr(circuit, view), out_dims=-1)(f), getattr(circuit, view)(f), rtol=1e-13, atol=0
    )


# torch's own, when forward mode or the compiler is first used
TORCH_JIT = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


@TORCH_JIT
def test_forward_and_reverse_mode_agree_to_second_order(make, f):
    circuit, f = make(seed=3), f[::7]

    def loss(state):
        return functional_call(circuit, state, (f,)).square().sum()

    forward, reverse = jacfwd(loss)(states(circuit)), jacrev(loss)(states(circuit))
    torch.testing.assert_close(forward, reverse, rtol=1e-10, atol=1e-13)
    over, under = jacfwd(jacrev(loss))(states(circuit)), jacrev(jacrev(loss))(states(circuit))
    for name, row in over.items():
        for other in row:
            scale = circuit.get_parameter(name) * circuit.get_parameter(other)
            torch.testing.assert_close(row[other] * scale, under[name][other] * scale, rtol=1e-9, atol=1e-12)


def test_compiled_is_the_same_in_one_graph(make, f):
    torch.compiler.reset()
    circuit = make(seed=4)
    compiled = torch.compile(circuit, backend="aot_eager", fullgraph=True)
    found, expected = compiled(f), circuit(f)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)
    learned = [p for p in circuit.parameters() if p.requires_grad]
    gradients = torch.autograd.grad(found.sum(), learned), torch.autograd.grad(expected.sum(), learned)
    torch.testing.assert_close(*gradients, rtol=1e-11, atol=1e-18)


@TORCH_JIT
@pytest.mark.skipif(not shutil.which("g++"), reason="NOT RUN: torch.compile needs g++, which is not installed")
@pytest.mark.skipif("OHMGRAD_COMPILE" not in os.environ, reason="NOT RUN: takes 10–50 s; set OHMGRAD_COMPILE=1")
def test_compiled_by_the_real_compiler(f):
    torch.compiler.reset()
    circuit = LowPass(R=1000.0)
    with torch.no_grad():
        torch.testing.assert_close(torch.compile(circuit, fullgraph=True)(f), circuit(f), rtol=1e-12, atol=0)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="NOT RUN: there is no CUDA device here")
def test_on_cuda_as_on_the_cpu(make, f):
    circuit = make(batch=(2,), seed=5)
    here = {view: getattr(circuit, view)(f).detach() for view in ("response", "decibels", "phase", "group_delay")}
    jacobian = circuit.linearize(f, "magnitude", list(circuit.units()))[1]
    circuit.cuda()
    for view, expected in here.items():
        found = getattr(circuit, view)(f)
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), expected, rtol=1e-11, atol=1e-12)
    found = circuit.linearize(f, "magnitude", list(circuit.units()))[1]
    torch.testing.assert_close(found.cpu(), jacobian, rtol=1e-11, atol=1e-12)
    assert ColorOrgan(seed=1, device="cuda").low.R.cpu() == ColorOrgan(seed=1).low.R
