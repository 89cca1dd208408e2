"""A netlist as a circuit: its components and their names, what is learned, its outputs, and its derivatives."""

import copy
import pickle

import pytest
import torch

import circuits as cc
from circuits.circuit import point_is_a_board
from circuits.component import make_parameters
from circuits.errors import ComponentError, NetlistError, OptionError, ShapeError, UnknownName
from circuits.netlist import NetlistCircuit, read_netlist
from circuits.netlist.language import parse_netlist
from circuits.netlist.naming import paths_of

DIVIDER = "a divider\nV1 in 0 AC 1\nR1 in out 1k\nR2 out 0 3k\n"
NESTED = """nested
V1 in 0 AC 1
R1 in a {2*Rx}
.param Rx=500
X1 a b section C=2u
X2 b out section
C3 out 0 1u  ; @tol=10% @min=100n @max=10u @learn
T1 out far 0 0 Z0=50 TD=1n
R5 far 0 50
.subckt section in out R=1k C=1u
Rs in out {R}
Cs out 0 {C}
Rload out 0 100k
.ends
"""


@pytest.fixture
def f():
    return torch.logspace(0.013, 5.97, 23, dtype=torch.float64)


# names


def test_components_are_parameters_under_the_names_of_the_netlist():
    circuit = read_netlist(NESTED)
    assert list(dict(circuit.named_parameters())) == list(circuit.units()) == list(circuit.state_dict())
    expected = {"Rx", "C3", "R5", "X1.R", "X1.C", "X1.Rload", "X2.R", "X2.C", "X2.Rload", "T1.Z0", "T1.TD"}
    assert {name.lower() for name in circuit.units()} == {name.lower() for name in expected}
    assert circuit.X2.Rload.item() == 100e3 and circuit.X1.C.item() == 2e-6
    assert isinstance(circuit.C3, torch.nn.Parameter) and circuit.C3.dtype == torch.float64


def test_a_name_in_brackets_is_found_in_upper_or_lower_case():
    circuit = read_netlist(NESTED)
    assert circuit["c3"] is circuit.C3
    assert circuit["x1.rload"] is circuit.X1.Rload
    assert circuit["rX"] is circuit.Rx
    assert circuit["v1.AC"].item() == 1.0
    with pytest.raises(UnknownName, match=r"no component 'R9'; known: .*C3"):
        circuit["R9"]


def test_a_value_that_follows_from_others_has_their_graph():
    circuit = read_netlist(NESTED)
    assert circuit.learn("Rx")["r1"].item() == 1000.0
    assert torch.autograd.grad(circuit["r1"], circuit.Rx)[0].item() == 2.0
    assert circuit["X1.Rs"] is circuit.X1.R


def test_what_a_circuit_needs_for_itself_gets_an_underscore(f):
    circuit = read_netlist("names\nV1 in 0 AC 1\nresponse in out 1k\nCUDA out 0 1u\nlearn out 0 1m\n", learn="learn")
    assert list(circuit.units()) == ["response_", "CUDA", "learn_"]
    assert circuit["response"] is circuit.response_
    assert circuit["LEARN"] is circuit.learn_ and circuit.learn_.requires_grad
    assert circuit.response(f).shape == f.shape


def test_names_that_two_would_share_and_parts_of_a_path_that_are_empty():
    paths = paths_of(["X1", "X1.R", "x1.C", "X1_", "a..b", ".c", "T1.z0", "T1"], {"half"})
    assert len(set(paths.values())) == len(paths)
    assert paths["X1.R"] == "X1.R" and paths["x1.C"] == "X1.C" and paths["X1"] == "X1_"
    assert paths["a..b"] == "a._.b"


def test_a_name_that_is_no_python_name(f):
    netlist = parse_netlist("odd\nV1 in 0 AC 1\nR+ in out 1k\nC-2 out 0 1u\n")
    circuit = NetlistCircuit(netlist, learn="R+")
    assert circuit["r+"].item() == 1000.0
    assert [name for name, p in circuit.named_parameters() if p.requires_grad] == ["R+"]
    jacobian = circuit.linearize(f, "magnitude", ["R+", "C-2"])[1]
    torch.testing.assert_close(jacobian[0] * 1000, jacobian[1] * 1e-6)


def test_a_subcircuit_has_no_response_of_its_own():
    with pytest.raises(OptionError, match="ask the whole circuit"):
        read_netlist(NESTED).X1(100.0)


# what is learned


def learned(circuit):
    return {name for name, p in circuit.named_parameters() if p.requires_grad}


@pytest.mark.parametrize(
    "learn, names",
    [
        ("R2", {"R2"}),
        ("r2", {"R2"}),
        (["R1", "R2"], {"R1", "R2"}),
        ("R*", {"R1", "R2"}),
        ("r?", {"R1", "R2"}),
        ("[R]1", {"R1"}),
        ([], set()),
        ("*", {"R1", "R2"}),
    ],
    ids=lambda value: str(sorted(value) if isinstance(value, set) else value),  # the same in every process
)
def test_names_and_globs(learn, names):
    assert learned(read_netlist(DIVIDER, learn=learn)) == names


def test_the_netlist_itself_may_ask_to_learn():
    assert learned(read_netlist(NESTED)) == {"C3"}
    circuit = read_netlist(NESTED, learn="x?.c").hold("C3").learn("Rx")
    assert learned(circuit) == {"Rx", "X1.C", "X2.C"}


@pytest.mark.parametrize(
    "name, error, said",
    [
        ("R1", OptionError, "R1 follows from Rx; name it"),
        ("r1*", OptionError, "r1 follows from Rx; name it"),
        ("V1.ac", OptionError, "V1.ac is a fixed number of the netlist; give it as a .param"),
        ("R9", UnknownName, "no component 'R9'; known: "),
        ("Q*", UnknownName, "no component like 'Q.'; known: "),
    ],
)
def test_what_cannot_be_learned_is_said(name, error, said):
    with pytest.raises(error, match=said.replace("*", r"\*")):
        read_netlist(NESTED, learn=name)
    with pytest.raises(error):
        read_netlist(NESTED).hold(name)


def test_a_value_that_is_a_parameter_is_that_parameter():
    assert learned(read_netlist(NESTED, learn="X1.Rs").hold("C3")) == {"X1.R"}
    assert learned(read_netlist(NESTED, learn="x?.rs").hold("C3")) == {"X1.R", "X2.R"}


def test_how_strongly_the_circuit_is_driven():
    circuit = read_netlist(DIVIDER.replace("AC 1", "AC {A}") + ".param A=2\n", "V(out)", learn="A")
    response, jacobian = circuit.linearize([100.0], "response", ["A", "R2"])
    assert response.item() == pytest.approx(1.5)
    assert jacobian[0].item() == pytest.approx(0.75)


def test_a_tie_by_a_parameter_is_one_component(f):
    tied = "tied\nV1 in 0 AC 1\n.param R=1k\nR1 in a {R}\nC1 a 0 1u\nR2 a out {R}\nC2 out 0 1u\n"
    circuit = read_netlist(tied, learn="R")
    assert set(circuit.units()) == {"R", "C1", "C2"}
    free = read_netlist(tied.replace(".param R=1k\n", "").replace("{R}", "1k"))
    own, both = circuit.linearize(f, "decibels", ["R"])[1], free.linearize(f, "decibels", ["R1", "R2"])[1]
    torch.testing.assert_close(own[0], both.sum(0), rtol=1e-11, atol=1e-15)


# values and batches


def test_values_take_the_place_of_the_netlists():
    circuit = read_netlist(DIVIDER, values={"r2": "1k"})
    assert circuit.R2.item() == 1000.0 and circuit.response(1.0).item() == 0.5
    with pytest.raises(ComponentError, match="R2 = -5 Ω; expected a positive"):
        read_netlist(DIVIDER, values={"R2": -5.0})
    with pytest.raises(UnknownName, match="no component 'R3'"):
        read_netlist(DIVIDER, values={"R3": 5.0})


def test_a_value_with_a_shape_is_a_batch_of_boards(f):
    R = torch.tensor([1e3, 3e3, 9e3], dtype=torch.float64)
    circuit = read_netlist(DIVIDER, values={"R2": R}, learn="R1")
    assert circuit.batch_shape == (3,)
    assert circuit(f).shape == (3, len(f))
    torch.testing.assert_close(circuit(f)[:, 0], R / (R + 1e3))
    assert circuit.R1.shape == (3,)  # a fit gives every board its own
    assert read_netlist(DIVIDER, batch=(2, 4))(f).shape == (2, 4, len(f))
    with pytest.raises(ShapeError):
        read_netlist(DIVIDER, values={"R2": [1.0, 2.0], "R1": [1.0, 2.0, 3.0]})


def test_a_component_may_be_assigned():
    circuit = read_netlist(DIVIDER)
    circuit.R2 = torch.nn.Parameter(torch.tensor([1e3, 3e3], dtype=torch.float64))
    assert circuit.response(10.0).real.tolist() == pytest.approx([0.5, 0.75])
    assert circuit.batch_shape == (2,) and circuit["r2"] is circuit.R2


def test_a_parameter_is_shared_as_it_is():
    R = cc.LowPass(R=470.0).R
    circuit = read_netlist(DIVIDER, values={"R1": R})
    assert circuit.R1 is R and circuit["r1"] is R


def test_float32_stays_float32(f):
    circuit = read_netlist(DIVIDER, dtype=torch.float32)
    assert circuit.response(f).dtype == torch.complex64
    assert circuit.linearize(f, "response", ["R1"])[1].dtype == torch.complex64


def test_zero_ohms_and_signed_gains(f):
    circuit = read_netlist("amp\nV1 in 0 AC 1\nR1 in a 0\nE1 out 0 a 0 -2\nR2 out 0 1k\n", learn="*")
    kinds = circuit.kinds()
    assert not kinds["R1"].positive and kinds["R1"].bounds == (0.0, None)
    assert not kinds["E1"].positive and kinds["R2"].positive
    assert circuit(f)[0].item() == pytest.approx(2.0)
    assert circuit.linearize(f, "response", ["E1"])[1][0, 0].item() == pytest.approx(1.0)


# outputs


@pytest.mark.parametrize("node", ["out", "OUT", "output", "vout"])
def test_the_output_is_the_node_of_that_name_over_the_source(node):
    circuit = read_netlist(f"divider\nV1 in 0 AC 5 30\nR1 in {node} 1k\nR2 {node} 0 3k\n")
    assert circuit.response(10.0).item() == pytest.approx(0.75)
    assert circuit.outputs == ()


def test_the_default_over_a_current_source_or_over_several_sources():
    norton = read_netlist("norton\nI1 0 out AC 2\nR1 out 0 100\n")
    assert norton.response(10.0).item() == pytest.approx(100.0)
    two = read_netlist("two\nV1 a 0 AC 1\nV2 b 0 AC 1\nR1 a out 1k\nR2 b out 1k\nR3 out 0 1k\n")
    assert two.response(10.0).item() == pytest.approx(2 / 3)
    floating = read_netlist("floating\nV1 a b AC 1\nR1 a 0 1k\nR2 b out 1k\nR3 out 0 1k\n")
    assert floating.response(10.0).item() == pytest.approx(-1 / 3)


def test_a_voltage_that_sources_give_once_and_for_all_is_divided_by_only_once():
    text = "rails\nV1 a 0 AC 2\nV2 b a AC 3 {0}\nR1 b out 1k\nR2 out 0 1k\n"
    for phase in ("", "90"):
        circuit = read_netlist(text.format(phase), ["V(out)/V(b)", "V(out)/V(b,a)", "V(out)/V(b,out)", "V(out)"])
        b = 2 + 3 * (1j if phase else 1)
        expected = torch.tensor([0.5, 0.5 * b / (b - 2), 1.0, 0.5 * b], dtype=torch.complex128)
        torch.testing.assert_close(circuit.response(10.0), expected, rtol=1e-14, atol=1e-15)
    scaled = read_netlist(text.format("").replace("AC 2", "AC {A}") + ".param A=2\n", "V(out)/V(b)", learn="A")
    assert scaled.response(10.0).item() == pytest.approx(0.5)
    assert scaled.linearize([10.0], "response", ["A"])[1].abs().item() == pytest.approx(0.0, abs=1e-15)


def test_several_outputs_are_called_by_their_nodes_or_as_asked():
    asked = ["V(out)/V(in)", "V(in,out)", "I(R1)", "Z(out)", "v(in)"]
    circuit = read_netlist(DIVIDER, asked)
    assert circuit.outputs == ("out", "V(in,out)", "I(R1)", "Z(out)", "in")
    expected = torch.tensor([0.75, 0.25, 0.25e-3, 750.0, 1.0], dtype=torch.complex128)
    torch.testing.assert_close(circuit.response(10.0), expected, rtol=1e-14, atol=0)
    assert read_netlist(DIVIDER, ["V(out)", "V(out)/V(in)"]).outputs == ("V(out)", "V(out)/V(in)")
    named = read_netlist(DIVIDER, {"gain": "V(out)/V(in)", "load": "I(R2)"})
    assert named.outputs == ("gain", "load") == named.output_names
    assert read_netlist(DIVIDER, "V(out)").output_names == ("out",)


@pytest.mark.parametrize(
    "text, output, error, said",
    [
        (DIVIDER.replace(" AC 1", " DC 1"), None, OptionError, "'a divider' has no AC source; add AC 1 to one"),
        ("open\nR1 a out 1k\nR2 out a 1k\nR3 a 0 1\n", None, OptionError, "has no AC source"),
        (DIVIDER.replace("out", "x"), None, OptionError, r"no node called out; say what to measure.*in, 0, x"),
        (DIVIDER, "V(nowhere)", UnknownName, "no node 'nowhere'; known: in, 0, out"),
        (DIVIDER, "I(R9)", UnknownName, "no element 'R9'"),
        (DIVIDER, "gain", OptionError, "cannot read 'gain' in output 'gain'"),
        (DIVIDER, [], OptionError, "output is empty"),
        (DIVIDER, ["V(out)", "v(OUT)"], OptionError, "asked for twice"),
    ],
)
def test_outputs_that_cannot_be(text, output, error, said):
    with pytest.raises(error, match=said):
        read_netlist(text, output)


def test_an_impedance_needs_no_source(f):
    cell = read_netlist("cell\nR0 a b 10\nR1 b 0 90\nC1 b 0 1u\n", "Z(a)", learn="*")
    expected = 10 + 90 / (1 + 2j * torch.pi * f * 90e-6)
    torch.testing.assert_close(cell.response(f), expected, rtol=1e-13, atol=0)


def test_at_zero_hertz_a_prediction_is_the_direct_current_value():
    circuit = read_netlist("rl\nV1 in 0 AC 1\nR1 in out 1k\nL1 out x 1m\nR2 x 0 3k\nC1 out 0 1u\n")
    assert circuit.predict(0.0, "response").item() == 0.75
    with pytest.raises(cc.OhmgradError, match="frequency 0 Hz"):
        circuit.response(0.0)


# derivatives


@pytest.mark.parametrize("quantity", ["response", "magnitude", "led", "decibels", "phase", "group_delay"])
def test_derivatives_through_expressions_lines_and_ratios(f, quantity):
    circuit = read_netlist(NESTED, ["V(out)/V(in)", "V(b)", "I(R1)/I(C3)"], batch=(2,))
    with torch.no_grad():
        circuit.Rx[1] *= 3
        circuit.X1.C[0] *= 0.5
    names = list(circuit.units())
    found, expected = circuit.linearize(f, quantity, names), point_is_a_board(circuit, f, quantity, names)
    scale = torch.stack([circuit.get_parameter(name).detach() for name in names], -1).reshape(2, -1, 1, 1)
    torch.testing.assert_close(found[0], expected[0], rtol=1e-11, atol=1e-12)
    torch.testing.assert_close(found[1] * scale, expected[1] * scale, rtol=1e-8, atol=1e-10)


# copies and files


def test_copies_share_nothing_but_the_solution(f, tmp_path):
    outputs = ["V(out)/V(in)", "Z(in)", "V(b)"]
    circuit = read_netlist(NESTED, outputs, learn="X*")
    before = circuit(f)
    for other in (copy.deepcopy(circuit), pickle.loads(pickle.dumps(circuit))):
        torch.testing.assert_close(other(f), before, rtol=1e-14, atol=0)
        assert learned(other) == learned(circuit)
        with torch.no_grad():
            other.X1.R.mul_(2)
        assert not torch.equal(other(f), before)
        torch.testing.assert_close(circuit(f), before, rtol=0, atol=0)
        assert other["x1.r"].item() == 2 * circuit["x1.r"].item()
    torch.save(circuit.state_dict(), tmp_path / "state.pt")
    again = read_netlist(NESTED, outputs, values={"Rx": 1.0})
    again.load_state_dict(torch.load(tmp_path / "state.pt"))
    torch.testing.assert_close(again(f), before, rtol=1e-14, atol=0)


def test_a_recipe_makes_it_again(f):
    from circuits.catalogue import make_again

    for output in (["V(out)/V(in)", "Z(in)"], "V(b)", None):
        circuit = read_netlist(NESTED, output, values={"Rx": 123.0})
        state = {name: p.detach() for name, p in circuit.named_parameters()}
        again = make_again(circuit.recipe(), state)
        assert (again.outputs, list(again.units())) == (circuit.outputs, list(circuit.units()))
        torch.testing.assert_close(again(f), circuit(f), rtol=1e-14, atol=0)
    with pytest.raises(UnknownName, match="no kind of recipe 'cake'"):
        make_again({"kind": "cake"}, {})


# what it says of itself


def test_what_it_is_called_and_made_of():
    circuit = read_netlist("* " + NESTED.replace("nested", "Nested: two sections", 1), "V(out)/V(in)")
    assert circuit.title == "Nested"
    assert "V(out)/V(in)" in repr(circuit) and "R5=50 Ω fixed" in repr(circuit)
    assert circuit.tolerances == {"C3": 0.1}
    assert circuit.kinds()["C3"].bounds == (100e-9, 10e-6)
    assert circuit.cutoffs() == {}
    html = circuit._repr_html_()
    assert "X1.Rload" in html and "Schematic of Nested" in html


def test_the_frequencies_of_its_own():
    assert read_netlist(DIVIDER).sweep() is None
    swept = read_netlist(DIVIDER + ".ac dec 10 1 100k\n")
    assert swept.sweep().shape == (51,) and swept.span() == (1.0, 100e3)
    low_pass = read_netlist("rc\nV1 in 0 AC 1\nR1 in out 1k\nC1 out 0 1u\n")
    low, high = low_pass.span()
    assert 1.0 < low < 100.0 and 300.0 < high < 1e5
    assert read_netlist(DIVIDER).span() == (1.0, 1e6)


def test_where_its_parts_are():
    wiring = read_netlist(NESTED, values={"Rx": [500.0, 250.0]}).wiring(1)
    by_name = {part.name: part for part in wiring}
    assert by_name["C3"].nodes == ("out", "0") and by_name["C3"].components == {"value": "C3"}
    assert by_name["R1"].components == {} and by_name["R1"].value == "R1 = 500 Ω"
    assert by_name["V1"].value == "V1.ac = 1 V"


# the stock filters


def test_the_stock_filters_agree_with_their_netlists(f):
    low = "V1 in 0 AC 1\nR1 in out 200\nC1 out 0 1u\n"
    high = "V1 in 0 AC 1\nC1 in out 1u\nR1 out 0 33\n"
    loaded = "V1 in 0 AC 1\nR1 in a 39\nC1 a 0 1u\nC2 a out 1u\nR2 out 0 160\n"
    buffered = "V1 in 0 AC 1\nR1 in a 39\nC1 a 0 1u\nE1 b 0 a 0 1\nC2 b out 1u\nR2 out 0 160\n"
    pairs = [
        (cc.LowPass(R=200.0), low),
        (cc.HighPass(R=33.0), high),
        (cc.LoadedBandPass(39.0, 160.0), loaded),
        (cc.BandPass(39.0, 160.0), buffered),
    ]
    for stock, text in pairs:
        circuit = read_netlist(f"{type(stock).__name__}\n{text}")
        torch.testing.assert_close(circuit.response(f), stock.response(f), rtol=1e-12, atol=0)
        torch.testing.assert_close(circuit.group_delay(f), stock.group_delay(f), rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize(
    "cards, said",
    [
        ("V1 a 0 AC 1\nV2 a 0 AC 1\nR1 a out 1k\nR2 out 0 1k\n", "bad:3: V1 and V2 form a loop without resistance"),
        ("V1 in 0 AC 1\nR1 in 0 1k\nR2 out x 1k\n", "bad:4: nodes out and x have no path to ground"),
        ("V1 in 0 AC 1\nR1 in out 1k\nE1 a 0 a 0 1\nR2 a out 1k\n", "bad:"),
    ],
)
def test_circuits_that_have_no_single_solution_are_refused_when_they_are_read(cards, said):
    with pytest.raises(NetlistError, match=said):
        NetlistCircuit(parse_netlist(f"singular\n{cards}", name="bad"))


# answers


def test_answers_take_the_values_that_the_circuit_has(f):
    circuit = read_netlist("rc\nV1 in 0 5 AC 1\nR1 in out 1k\nR2 out 0 1k\nC1 out 0 1u\n", learn="R1")
    with torch.no_grad():
        circuit.R2.mul_(3)
    assert circuit.operating_point().voltages["out"].item() == pytest.approx(3.75)
    assert circuit.impedance(f, "OUT").shape == f.shape
    assert circuit.impedance(1e-3, "out").real.item() == pytest.approx(750.0)
    assert torch.autograd.grad(circuit.impedance(1e-3, "out").real, circuit.R1)[0].item() == pytest.approx(0.5625)
    pole = circuit.poles_and_zeros().poles
    assert pole.real.item() == pytest.approx(-1 / 750e-6)
    torch.testing.assert_close(circuit.natural_frequencies(), pole)
    assert circuit.noise(f).density[0].item() == pytest.approx((4 * 1.380649e-23 * 300.15 * 750) ** 0.5, rel=1e-4)
    assert circuit.noise(f, "V(in)").density.abs().max() == 0
    S = circuit.sensitivities(f, ["R2", "C1"])
    assert S.magnitude.shape == (2, len(f)) and S.magnitude[0, 0].item() == pytest.approx(0.25, rel=1e-4)
    found = circuit.what_ifs(f)
    opened = [str(change) for change in found.changes].index("R2 open")
    assert found.response[opened, 0, 0].abs().item() == pytest.approx(1.0, rel=1e-4)
    assert circuit.port_parameters(f, "Z", ["in", "out"]).shape == (len(f), 2, 2)
    assert circuit.port_parameters(100.0, "ABCD", ["in", "out"]).shape == (2, 2)


def test_answers_of_boards_and_of_outputs_by_name():
    circuit = read_netlist(DIVIDER, {"gain": "V(out)/V(in)", "drop": "V(in,out)"}, values={"R2": [1e3, 3e3]})
    assert circuit.poles_and_zeros("gain").gain.tolist() == pytest.approx([0.5, 0.75])
    assert circuit.poles_and_zeros("V(in)").gain.tolist() == pytest.approx([1.0, 1.0])
    assert circuit.operating_point().currents["R1"].shape == (2,)
    with pytest.raises(UnknownName, match="no output 'loss'; known: gain, drop"):
        circuit.poles_and_zeros("loss")
    with pytest.raises(cc.OhmgradError, match="frequency 0 Hz"):
        circuit.impedance(0.0, "out")


def test_the_parameters_of_a_circuit_without_components():
    circuit = read_netlist("fixed\nV1 in 0 AC 1\nR1 in out {2*50}\nR2 out 0 {300}\n")
    if not circuit.units():
        assert circuit.response(1.0).item() == 0.75
    assert make_parameters({}, {}) == {}
