"""What is written runs in ngspice as it is and gives the circuit's own response."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from circuits.bode import Bode, BodeBandPass
from circuits.circuit import Circuit
from circuits.color_organ import ColorOrgan
from circuits.component import OHM
from circuits.errors import NetlistError, OptionError, UnknownName
from circuits.filters import BandPass, HighPass, LoadedBandPass, LowPass
from circuits.netlist.elements import Element, Netlist, Parameter, Sweep
from circuits.netlist.expressions import FUNCTIONS, Call, Name, Number, evaluate
from circuits.netlist.language import parse_netlist, read_file
from circuits.netlist.netlist_circuit import NetlistCircuit
from circuits.netlist.writing import to_netlist, to_spice
from circuits.netlist.writing.fractional import HIGHEST, LOWEST
from circuits.netlist.writing.spelling import element_names, parameter_names
from circuits.netlist.writing.spice import WHOLE
from netlist.oracles.building import Bench, to_text
from netlist.oracles.ngspice import Sweep as Answers
from netlist.oracles.ngspice import needs_ngspice, run_ac
from netlist.oracles.precise import solve
from netlist.oracles.random_nets import mixed

STOCK = {
    "low-pass": LowPass(R=198.944),
    "high-pass": HighPass(R=31.83, C=2.2e-6),
    "band-pass": BandPass(R_low=39.789, R_high=159.155),
    "loaded-band-pass": LoadedBandPass(R_low=39.789, R_high=159.155, C_high=4.7e-7),
    "color-organ": ColorOrgan(low=200.0, band=(40.0, 160.0), high=32.0),
    "color-organ-loaded": ColorOrgan(low=200.0, band=LoadedBandPass(40.0, 160.0), high=32.0),
    "drawn-at-random": ColorOrgan(seed=3),
    "single-precision": LowPass(R=198.944, dtype=torch.float32),
}
stock = pytest.mark.parametrize("name", STOCK)


EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "netlists").glob("*.cir"))


def said(answers: Answers) -> list[str]:
    return re.findall(r"(?i).*(?:warning|error|unknown|unsupported).*", answers.said)


@needs_ngspice
@stock
def test_stock_filters_answer_in_ngspice_as_they_do_here(name: str):
    circuit = STOCK[name]
    answers = run_ac(to_spice(circuit))
    ours = circuit.double().response(torch.from_numpy(answers.f)).numpy(force=True)
    theirs = np.stack([answers.voltages[node] for node in circuit.outputs or ("out",)]).reshape(ours.shape)
    assert said(answers) == []
    assert len(answers.f) > 100
    assert np.abs(theirs - ours).max() < 1e-9


@stock
def test_a_netlist_of_a_stock_filter_has_its_components_and_its_response(name: str):
    circuit = STOCK[name].double()
    output = [f"V({node})/V(in)" for node in circuit.outputs] or "V(out)/V(in)"
    made = NetlistCircuit(to_netlist(circuit), output)
    assert made.state_dict().keys() == circuit.state_dict().keys()
    assert made.units() == circuit.units()
    learned = {name for name, p in circuit.named_parameters() if p.requires_grad}
    assert {name for name, p in made.named_parameters() if p.requires_grad} == learned
    f = torch.logspace(0, 6, 50, dtype=torch.float64)
    assert (made.response(f) - circuit.response(f)).abs().max() < 1e-12


def test_one_board_of_a_batch_is_asked_for():
    boards = ColorOrgan(low=[100.0, 200.0], band=(40.0, 160.0), high=[[32.0], [33.0], [34.0]])
    with pytest.raises(
        OptionError, match=r"boards of shape \(3, 2\); expected the index of one such as board=\(0, 0\)"
    ):
        to_spice(boards)
    with pytest.raises(OptionError, match=r"board=\(3, 0\)"):
        to_spice(boards, board=(3, 0))
    text = to_spice(boards, board=(2, 1))
    assert "Rlow in low 200.0 " in text
    assert "Rhigh high 0 34.0 " in text
    assert "R in out 200.0 " in to_spice(LowPass(R=[100.0, 200.0]), board=-1)
    for single in (LowPass(R=100.0), NetlistCircuit(to_netlist(LowPass(R=1.0)), "V(out)")):
        with pytest.raises(OptionError, match="single board, leave it out|single board; leave it out"):
            to_spice(single, board=0)


class Divider(Circuit):
    components = {"R": OHM}


@pytest.mark.parametrize(
    ("circuit", "words"),
    [
        (Bode(gain=10.0, poles=[1e3]), "straight-line plot and no circuit"),
        (BodeBandPass(4e3, 1e3), "straight-line plot and no circuit"),
        (Divider({"R": 1.0}), "a Divider says nothing about how its parts are joined; expected LowPass"),
        (ColorOrgan(low=1.0, band=BodeBandPass(4e3, 1e3), high=2.0), "straight-line plot"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Circuit) else "",
)
def test_what_is_no_circuit_of_parts_says_so(circuit: Circuit, words: str):
    with pytest.raises(OptionError, match=words):
        to_spice(circuit)


def test_every_digit_is_kept_and_no_number_is_numpys():
    value = 198.94367886486918
    text = to_spice(LowPass(R=torch.tensor(value, dtype=torch.float64), C=1.1e-7), tolerances={"r": np.float64(0.07)})
    assert f"R in out {value!r}  ; @tol=7% @learn" in text
    assert "np." not in text
    with pytest.raises(UnknownName, match="no component 'Q'"):
        to_spice(LowPass(R=1.0), tolerances={"Q": 0.1})


# netlist circuits


def described(netlist: Netlist) -> list[tuple]:
    """Kind, nodes and values of every element, whatever its name; a resistor of zero as the short that it is."""
    values: dict[str, float] = {}
    for name, parameter in netlist.parameters.items():
        values[name] = float(evaluate(parameter.value, values))  # type: ignore[arg-type]
    found = []
    for e in netlist.elements:
        own = {role: float(evaluate(value, values)) for role, value in e.values.items()}  # type: ignore[arg-type]
        short = e.kind in "RV" and not any(own.values())
        found.append(("short" if short else e.kind, e.nodes, {} if short else own))
    return found


def marked(netlist: Netlist) -> list[tuple]:
    """What is said of the parameters that anything is said of."""
    said = [(p.tolerance, p.low, p.high, p.learn, p.unit) for p in netlist.parameters.values()]
    return sorted((marks for marks in said if marks[:-1] != (None, None, None, False)), key=str)


def nested() -> Netlist:
    """A divider whose parts are in subcircuits, with parameters that follow from others."""
    bench = Bench("nested: names, parameters, a short")
    bench.add("V", "1", "in 0", ac=2.0, phase=45.0)
    bench.add("R", "1", "in X1.mid", 0.0)
    bench.add("L", "1", "X1.mid a", 1e-3)
    bench.add("L", "2", "b 0", 4e-3)
    bench.add("K", "1", "", 0.5, of=["L1", "L2"])
    bench.add("R", "2", "a 0", 330.0)
    bench.add("F", "1", "0 b", -0.5, of=["V1"])
    bench.add("T", "1", "b 0 out 0", roles={"z0": 75.0, "td": 1e-8})
    bench.parameters["T1.z0"] = Parameter("T1.z0", Number(75.0), "Ω", tolerance=0.02, learn=True)
    bench.parameters["R2"] = Parameter("R2", Number(330.0), "Ω", tolerance=0.05, learn=True)
    bench.parameters["X1.r"] = Parameter("X1.r", Number(100.0), "Ω", low=10.0, high=1e3)
    bench.parameters["log"] = Parameter("log", Call("*", (Name("X1.r"), Number(2.0))))
    load = Call("+", (Name("log"), Call("u-", (Number(-50.0),))))
    bench.elements.append(Element("R", "X1.R1", ("out", "X1.n"), {"value": load}))
    bench.elements.append(Element("R", "X1.X2.R1", ("X1.n", "0"), {"value": Name("X1.r")}))
    return bench.netlist(Sweep("dec", 5, 10.0, 1e6))


def test_names_are_spelled_for_spice_and_marks_written():
    lines = to_spice(nested()).splitlines()
    assert lines[0] == "nested: names, parameters, a short"
    for line in (
        "V1 in 0 DC 0.0 AC 2.0 45.0",
        "VR1 in X1.mid 0  ; R1, a resistor of 0 Ω",
        "K1 L1 L2 0.5",
        "R2 a 0 330.0  ; @tol=5% @learn",
        "F1 0 b V1 -0.5",
        "T1 b 0 out 0 z0=75.0 td=1e-08  ; @z0.tol=2% @z0.learn",
        ".param X1_r=100.0  ; X1.r @min=10.0 @max=1000.0 @unit=Ω",
        ".param log_={X1_r*2.0}  ; log",
        "RX1_1 out X1.n {log_+(-(-50.0))}  ; X1.R1",
        "RX1_X2_1 X1.n 0 {X1_r}  ; X1.X2.R1",
        ".ac dec 5 10.0 1000000.0",
    ):
        assert line in lines


def test_names_never_clash():
    letters = [("R", name) for name in ("X1.R2", "RX1_2", "rx1_2_2", "x1.r2_", "R+", "R-")]
    spelled = element_names(letters)
    assert len({name.lower() for name in spelled.values()}) == len(letters)
    assert all(re.fullmatch(r"(?i)R\w+", name) for name in spelled.values())
    assert spelled["RX1_2"] == "RX1_2"
    parameters = parameter_names(["a.b", "A_B", *FUNCTIONS, "temper"])
    assert len({name.lower() for name in parameters.values()}) == len(FUNCTIONS) + 3
    assert not {name.lower() for name in parameters.values()} & {*FUNCTIONS, "temper"}


@needs_ngspice
def test_a_nested_netlist_answers_in_ngspice_as_it_does_here():
    netlist = nested()
    answers = run_ac(to_spice(netlist))
    assert said(answers) == []
    for k in range(0, len(answers.f), 6):
        truth = solve(netlist, float(answers.f[k])).voltages
        for node, voltage in truth.items():
            assert answers.voltages[node.lower()][k] == pytest.approx(voltage, rel=1e-11)
    made = NetlistCircuit(netlist, "V(out)/V(in)")
    ours = made.response(torch.from_numpy(answers.f)).numpy(force=True)
    assert np.abs(answers.voltages["out"] / answers.voltages["in"] - ours).max() < 1e-9


def test_the_values_of_now_are_written():
    made = NetlistCircuit(nested(), "V(out)/V(in)", learn="X1.r", values={"R2": [1.0, 2.0]})
    with torch.no_grad():
        made.get_parameter("X1.r").fill_(1 / 3)
    lines = to_spice(made, board=1, tolerances={"X1.r": 0.01}).splitlines()
    assert "R2 a 0 2.0  ; @tol=5% @learn" in lines
    assert ".param X1_r=0.3333333333333333  ; X1.r @tol=1% @min=10.0 @max=1000.0 @learn @unit=Ω" in lines
    assert ".param log_={X1_r*2.0}  ; log" in lines
    held = NetlistCircuit(nested(), "V(out)/V(in)").hold("R2", "T1.z0")
    assert "@learn" not in to_spice(held)


@needs_ngspice
@pytest.mark.parametrize("seed", range(20))
def test_random_nets_survive_being_written(seed: int):
    netlist = mixed(seed)
    written, plain = run_ac(to_spice(netlist)), run_ac(to_text(netlist))
    assert written.voltages.keys() == plain.voltages.keys()
    assert all((written.voltages[node] == plain.voltages[node]).all() for node in plain.voltages)


ROUND = {
    **{name: to_netlist(circuit) for name, circuit in STOCK.items()},
    **{path.stem: read_file(path) for path in EXAMPLES},
    **{f"seed {seed}": mixed(seed) for seed in range(10)},
    "nested": nested(),
}


@pytest.mark.parametrize("name", ROUND)
def test_what_is_written_is_read_as_the_same_circuit(name: str):
    again = parse_netlist(to_spice(ROUND[name]))
    assert described(again) == described(ROUND[name])
    assert marked(again) == marked(ROUND[name])
    assert again.sweep == (ROUND[name].sweep or WHOLE)
    assert to_spice(parse_netlist(to_spice(again))) == to_spice(again)


@needs_ngspice
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_written_anew_answers_as_before(path: Path):
    before, after = run_ac(path.read_text("utf-8"), folder=path.parent), run_ac(to_spice(read_file(path)))
    assert said(after) == []
    for node in after.voltages:
        assert after.voltages[node] == pytest.approx(before.voltages[node], rel=1e-9, abs=1e-15)


# elements that ngspice does not have


FRACTIONAL = [
    *(("CPE", {"q": 2e-6, "alpha": alpha}, 1e-4) for alpha in (0.05, 0.5, 0.8, 0.97)),
    ("WARBURG", {"sigma": 30.0}, 1e-4),
    *((f"WARBURG_{end}", {"r": 50.0, "tau": tau}, 2e-4) for end in ("OPEN", "SHORT") for tau in (1e-6, 1e-3, 1.0, 1e4)),
]


@needs_ngspice
@pytest.mark.parametrize(("kind", "roles", "accuracy"), FRACTIONAL, ids=str)
@pytest.mark.parametrize("foot", ["0", "b"])
def test_networks_stand_in_for_what_ngspice_does_not_have(kind: str, roles: dict, accuracy: float, foot: str):
    bench = Bench("a cell")
    bench.add("V", "1", "in 0", ac=1.0)
    bench.add("R", "1", "in a", 100.0)
    bench.add(kind, "1", f"a {foot}", roles=roles)
    if foot != "0":
        bench.add("R", "2", f"{foot} 0", 10.0)
    netlist = bench.netlist(Sweep("dec", 4, LOWEST, HIGHEST))
    answers = run_ac(to_spice(netlist))
    assert said(answers) == []
    for k, f in enumerate(answers.f):
        truth = solve(netlist, float(f)).voltages
        for node in truth:
            assert abs(answers.voltages[node][k] - truth[node]) < accuracy
        across = truth["a"] - truth.get("b", 0)
        if abs(across) > 1e-2 and abs(1 - truth["a"]) > 1e-2:  # elsewhere one of the two is lost beside the other
            theirs = answers.voltages["a"][k] - (0 if foot == "0" else answers.voltages["b"][k])
            assert theirs / -answers.currents["v1"][k] == pytest.approx(across / (1 - truth["a"]) * 100, rel=accuracy)


@pytest.mark.parametrize(("kind", "roles", "accuracy"), FRACTIONAL[3:6], ids=str)
def test_the_language_reads_the_element_and_not_its_network(kind: str, roles: dict, accuracy: float):
    bench = Bench("a cell")
    bench.add("I", "1", "0 a", ac=1.0)
    bench.add(kind, "1", "a 0", roles=roles)
    again = parse_netlist(to_spice(bench.netlist()))
    assert described(again) == described(bench.netlist())


def test_a_constant_phase_beyond_a_capacitor_is_refused():
    bench = Bench()
    bench.add("I", "1", "0 a", ac=1.0)
    bench.add("CPE", "1", "a 0", roles={"q": 1e-6, "alpha": 1.0})
    with pytest.raises(NetlistError, match="^X1 has alpha = 1, .* less than 1"):
        to_spice(bench.netlist())
