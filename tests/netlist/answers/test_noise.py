import math
import random

import numpy as np
import pytest
import torch

from circuits.errors import OptionError, UnknownName
from circuits.netlist.answers.checks import check_solvable
from circuits.netlist.answers.impedances import impedance
from circuits.netlist.answers.noise_density import BOLTZMANN, TEMPERATURE, integrated, noise
from circuits.netlist.answers.pencil import free_values
from circuits.netlist.outputs import parse_output
from circuits.netlist.solver.system import System
from netlist.answers.benches import leaves, net, relative
from netlist.answers.spice_runs import run_real
from netlist.oracles.building import to_text
from netlist.oracles.ngspice import needs_ngspice
from netlist.oracles.random_nets import mixed, rlc

F = torch.logspace(0, 9, 19, dtype=torch.float64)
KT4 = 4 * BOLTZMANN * TEMPERATURE
V = "V1 in 0 AC 1"


def at(netlist, text="V(out)", f=F, **options):
    return noise(netlist, f, parse_output(text).resolved(netlist), **options)


def test_a_divider():
    bench = net(V, "R1 in out 3k", "R2 out 0 1k")
    found = at(bench)
    wanted = math.sqrt(KT4 * 750)
    assert found.density.shape == F.shape
    assert found.density.tolist() == pytest.approx([wanted] * 19, rel=1e-14)
    assert {name: share.item() for name, share in found.shares().items()} == pytest.approx({"R2": 0.75, "R1": 0.25})


def test_k_t_over_c():
    f = torch.logspace(-1, 13, 4001, dtype=torch.float64)
    for R in ("1k", "1meg"):
        total = at(net("I1 0 out 0", f"R1 out 0 {R}", "C1 out 0 1p"), f=f).total()
        assert total.item() == pytest.approx(math.sqrt(BOLTZMANN * TEMPERATURE / 1e-12), rel=1e-3)


def test_nyquist_holds_for_every_passive_net():
    """Johnson noise at a node is that of the real part of its impedance, whatever lies behind."""
    for seed in range(20):
        bench = mixed(seed, 8, kinds="RLCKVIT") if seed % 2 else rlc(8, seed)
        check_solvable(bench)
        free = (
            {n for e in bench.elements for n in e.nodes}
            - {"0"}
            - {n for e in bench.elements if e.kind == "V" for n in e.nodes}
        )
        node = random.Random(seed).choice(sorted(free))
        Z = impedance(bench, F, node)
        assert ((at(bench, f"V({node})").power - KT4 * Z.real).abs() <= 1e-10 * KT4 * Z.abs()).all(), seed


def test_nyquist_holds_for_elements_of_diffusion():
    bench = net(
        "X1 a 0 cpe q=1u alpha=0.7",
        "X2 a b warburg sigma=100",
        "X3 b 0 warburg_open r=1k tau=1m",
        "X4 b c warburg_short r=2k tau=1u",
        "R1 c 0 1k",
    )
    Z = impedance(bench, F, "a")
    found = at(bench, "V(a)")
    assert relative(found.power, KT4 * Z.real) < 1e-13
    assert set(found.powers) == {"X1", "X2", "X3", "X4", "R1"}
    current = at(bench, "V(a)/I(X1)")  # that it is an unknown makes no difference
    assert relative(current.power, found.power) < 1e-12


def test_the_current_of_an_element_has_its_own_noise_in_it():
    Z = 100 + 1 / (1e-6 * (2j * math.pi * F) ** 0.7)
    for element in ("X1 a 0 cpe q=1u alpha=0.7", "X1 0 a cpe q=1u alpha=0.7"):
        found = at(net(V, "R1 in a 100", element), "I(X1)")
        assert relative(found.power, KT4 * Z.real / Z.abs() ** 2) < 1e-13


def test_noise_of_a_current():
    found = at(net(V, "R1 in a 1k", "R2 a 0 3k"), "I(R1)")
    assert found.unit == "A"
    assert found.density.tolist() == pytest.approx([math.sqrt(KT4 / 4e3)] * 19, rel=1e-13)


def test_densities_of_the_user():
    """An inverting amplifier with the voltage and current noise of its input, one of them falling as 1/f."""
    bench = net(V, "R1 in m 1k", "R2 m out 10k", "Vn m x 0", "E1 out 0 x 0 -1e6", "I1 m 0 0")
    found = at(
        bench, voltages={"VN": lambda f: 5e-9 * torch.sqrt(1 + 100 / f)}, currents={"i1": 1e-12}, temperature=0.0
    )
    assert relative(found.powers["Vn"], (11 * 5e-9) ** 2 * (1 + 100 / F)) < 1e-4
    assert found.powers["I1"].tolist() == pytest.approx([(1e-12 * 10e3) ** 2] * 19, rel=1e-4)
    assert float(found.powers["R1"].abs().max()) == 0.0


def test_a_voltage_in_series_with_a_part():
    bench = net(V, "L1 in a 1m", "R1 a out 1k", "R2 out 0 1k", "C1 out 0 1n")
    plain = at(bench)
    found = at(bench, voltages={"L1": 1e-9, "R1": 2e-9})
    system = System(bench)
    H = system.response(free_values(bench), F, [{system.formulation.node("out"): 1.0}])[0]
    assert relative(found.powers["L1"], 1e-18 * H.abs() ** 2) < 1e-13
    assert relative(found.powers["R1"], plain.powers["R1"] + 4e-18 * H.abs() ** 2) < 1e-12


def test_temperature_scales_the_power():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u")
    assert relative(at(bench, temperature=2 * TEMPERATURE).power, 2 * at(bench).power) < 1e-14


def test_referred_to_the_input():
    bench = net(V, "R1 in x 1k", "R2 x 0 1k", "E1 out 0 x 0 100", "R3 out 0 1k")
    found = at(bench).referred(torch.full_like(F, 50).to(torch.complex128))
    assert found.density.tolist() == pytest.approx([math.sqrt(KT4 * 2e3)] * 19, rel=1e-13)


@needs_ngspice
def test_against_ngspice():
    compared = 0
    for seed in range(40):
        bench = mixed(seed, 8, kinds="RLCVEFGH") if seed % 2 else rlc(8, seed)
        node = random.Random(seed).choice(sorted({n for e in bench.elements for n in e.nodes} - {"0"}))
        card = f".noise v({node}) V{next(e.name for e in bench.elements if e.kind == 'V')[1:]} dec 2 1 1meg 1\n.end"
        text = to_text(bench).replace(".end", card).replace(".ac dec 1 0.001 1000000000.0\n", "")
        columns = run_real(text, "Noise Spectral Density Curves")
        found = at(bench, f"V({node})", torch.from_numpy(columns["frequency"].copy()))
        theirs = columns["onoise_spectrum"]
        seen = theirs > 1e-15
        assert np.allclose(found.density.numpy()[seen], theirs[seen], rtol=1e-5, atol=0), seed
        for name, power in found.powers.items():
            own = columns[f"onoise_{name.lower()}"]
            seen = own > 1e-3 * theirs.max()
            assert np.allclose(power.sqrt().numpy()[seen], own[seen], rtol=1e-5, atol=0), (seed, name)
        compared += bool(seen.any())
    assert compared > 10


def test_integration_of_power_laws_is_exact():
    f = torch.logspace(0, 4, 9, dtype=torch.float64)
    for m in (-2.0, -1.0, -0.5, 0.0, 1.0, 2.0):
        wanted = math.log(1e4) if m == -1 else (1e4 ** (m + 1) - 1) / (m + 1)
        assert integrated(f, 3 * f**m).item() == pytest.approx(3 * wanted, rel=1e-12)
    assert integrated(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 3.0])).item() == pytest.approx(4.0)
    assert integrated(f, torch.zeros_like(f)).item() == 0.0


def test_gradients():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u", "R2 out x 5k", "X1 x 0 cpe q=1u alpha=0.8")
    values = leaves(bench)
    f = torch.logspace(1, 4, 5, dtype=torch.float64)

    def answer(r, c, kelvins, own):
        moved = {**values, "R1": r * 1e3, "C1": c * 1e-6}
        found = at(bench, f=f, values=moved, temperature=kelvins * 300, currents={"R2": own * 1e-12})
        return found.density * 1e9, found.total() * 1e6

    ones = [torch.ones((), dtype=torch.float64, requires_grad=True) for _ in range(4)]
    assert torch.autograd.gradcheck(answer, ones)


def test_boards():
    bench = net(V, "R1 in out 1k", "C1 out 0 1u")
    R = torch.tensor([[1e3], [2e3], [3e3]], dtype=torch.float64)
    found = at(bench, values={"R1": R})
    assert found.density.shape == (3, 1, 19) and found.total().shape == (3, 1)
    assert relative(found.density[1, 0], at(bench, values={"R1": torch.tensor(2e3)}).density) < 1e-15


@pytest.mark.parametrize(
    ("text", "options", "error", "words"),
    [
        ("Z(out)", {}, OptionError, "Z.out. is an impedance and has no noise"),
        ("V(out)", {"voltages": {"C1": 1e-9}}, OptionError, "C1 has no place for a voltage in series"),
        ("V(out)", {"currents": {"R9": 1e-9}}, UnknownName, "no element 'R9'; known: V1, R1, C1"),
    ],
)
def test_what_cannot_be_asked(text, options, error, words):
    with pytest.raises(error, match=words):
        at(net(V, "R1 in out 1k", "C1 out 0 1u"), text, **options)


def test_shown():
    found = at(net(V, "R1 in out 3k", "R2 out 0 1k"), f=torch.tensor([1.0, 1e6]))
    assert str(found) == "3.526 µV RMS between 1 Hz and 1 MHz\n  R2            75.00 %\n  R1            25.00 %"
