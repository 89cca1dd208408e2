import math
import re
import shutil
import subprocess
import sys
import types
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import circuits as cc
from circuits.catalogue import CATALOGUE, make
from circuits.circuit import Circuit
from circuits.component import OHM
from circuits.errors import FrequencyError, GraphvizMissing, OptionError
from circuits.views.graphs import Graph, draw_graph
from circuits.views.graphs.dot_text import write

needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz's `dot` IS NOT INSTALLED: no picture of any graph was tested"
)
circuits = pytest.mark.parametrize("name", CATALOGUE)
SIGNATURES = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


OPERATION = " — "
GRAPHS = Path(__file__).parent / "graphs"
BOARDS = {
    "low-pass": lambda: cc.LowPass(500.0),
    "high-pass": lambda: cc.HighPass(500.0),
    "band-pass": lambda: cc.BandPass(40.0, 160.0),
    "loaded-band-pass": lambda: cc.LoadedBandPass(40.0, 160.0),
    "bode-band-pass": lambda: cc.BodeBandPass(4e3, 1e3),
    "bode": lambda: cc.Bode(2.0, poles=[1e3], zeros=[100.0]),
    "color-organ": lambda: cc.ColorOrgan(200.0, (40.0, 160.0), 32.0),
}
boards = pytest.mark.parametrize("name", BOARDS)


def labels(dot: str) -> list[str]:
    return re.findall(r'\[label="([^"]*)"', dot)


def leaves(dot: str) -> list[str]:
    """Labels of the components: what is no operation, and not the output."""
    return [label for label in labels(dot) if OPERATION not in label and not label.startswith(("|H", "output"))]


def operations(graph: Graph) -> dict[str, list[str]]:
    """The lines of each operation below its term."""
    return {label.splitlines()[0]: label.splitlines()[1:] for label in graph.labels if OPERATION in label}


def lines(graph: Graph) -> list[str]:
    """What each node is computed from, by label."""
    names = dict(re.findall(r'^    (n\d+) \[label="((?:[^"\\]|\\.)*)"', graph.dot, re.M))
    into: dict[str, list[str]] = {}
    for tail, head in re.findall(r"(n\d+) -> (n\d+)", graph.dot):
        into.setdefault(head, []).append(names[tail])
    return [f"{names[head]} <- {', '.join(tails)}" for head, tails in into.items()]


@boards
def test_the_whole_graph_is_the_one_that_was_read_by_eye(name):
    expected = (GRAPHS / f"{name}.txt").read_text("utf-8").splitlines()
    assert lines(draw_graph(BOARDS[name](), 1e3)) == expected


SYMBOLS = {"·": "*", "−": "-", "²": "**2", "^": "**", "log₁₀": "log10", "ln10": "log(10)", "πf": "*pi*f", "π": "*pi"}

DIGITS = str.maketrans("₁₂₃₄₅₆₇₈₉", "123456789")


def computed(term: str, known: dict[str, torch.Tensor]) -> torch.Tensor:
    """The value of a term as a reader would work it out."""
    for name in sorted(known, key=len, reverse=True):
        term = term.replace(name, plain(name))
    for symbol, python in SYMBOLS.items():
        term = term.replace(symbol, python)
    term = re.sub(r"√(\(|\w+)", lambda m: "sqrt(" if m[1] == "(" else f"sqrt({m[1]})", term).translate(DIGITS)
    functions = {name: getattr(torch, name) for name in ("sqrt", "relu", "log10")}
    values = {plain(name): value for name, value in known.items()}
    return eval(term, {"pi": torch.pi, "log": math.log, **functions, **values})


def plain(name: str) -> str:
    """A name as Python allows it."""
    return re.sub(r"\W", "_", name).translate(DIGITS)


@boards
def test_every_term_computes_the_value_of_its_node(name):
    circuit, f = BOARDS[name](), 1234.0
    known = {component: p.detach() for component, p in circuit.named_parameters()}
    known["f"] = torch.tensor(f, dtype=torch.float64)
    found = operations(draw_graph(circuit, f, values=True))
    pending = {line.partition(OPERATION)[2]: shown for line, shown in found.items() if not line.startswith("stack")}
    while pending:  # a term may use a name that another line gives
        before = len(pending)
        for line, shown in list(pending.items()):
            term = line.rpartition(" = ")[2]
            try:
                value = computed(term, known)
            except NameError:
                continue
            assert float(value) == pytest.approx(float(shown[0].removeprefix("= ").replace("−", "-")), rel=1e-3)
            if " = " in line:
                known[line.partition(" = ")[0]] = value
            del pending[line]
        assert len(pending) < before, pending


@boards
def test_the_gradients_are_those_of_autograd(name):
    circuit, f = BOARDS[name](), 1234.0
    components = dict(circuit.named_parameters())
    for p in components.values():
        p.requires_grad_()
    slopes = torch.autograd.grad(circuit(f).sum(), list(components.values()))
    shown = "\n".join(draw_graph(circuit, f, gradients=True).labels).replace("−", "-")
    units = circuit.units()
    for component, slope in zip(components, slopes, strict=True):
        number, unit = re.search(rf"∂Σ?\|H\|/∂{re.escape(component)} = (\S+)(.*)", shown).groups()
        assert float(number) == pytest.approx(slope.item(), rel=1e-3)
        assert unit == (f" /{units[component]}" if units[component] else "")


def test_values_and_gradients_inside_the_graph_are_those_worked_out_by_hand():
    found = operations(draw_graph(cc.LowPass(R=1e3, C=1e-6), 1000 / (2 * torch.pi), values=True, gradients=True))
    assert found == {  # x = 1, so that |H| = 1/√2 and d|H|/dx = −1/√8
        "reciprocal — 1/√(1+x²)": ["= 0.7071", "∂|H|/∂this = 1"],
        "hypot — √(1+x²)": ["= 1.414", "∂|H|/∂this = −0.5"],
        "clamp — x = 2πf·R·C": ["= 1", "∂|H|/∂x = −0.3536"],
        "mul — 2πf·R·C": ["= 1", "∂|H|/∂this = −0.3536"],
        "mul — 2π·R·C": ["= 0.006283", "∂|H|/∂this = −56.27"],
        "mul — R·C": ["= 0.001", "∂|H|/∂this = −353.6"],
    }


def test_of_several_frequencies_the_range_is_shown_and_the_gradient_of_the_sum():
    f = [100.0, 1e3, 1e4, 1e5]
    circuit = cc.LowPass(500.0)
    graph = draw_graph(circuit, f, values=True, gradients=True)
    x = 2 * torch.pi * torch.tensor(f) * 500e-6
    assert operations(graph)["clamp — x = 2πf·R·C"][0] == f"= {x[0]:.4g} … {x[-1]:.4g}"
    assert graph.labels[0].splitlines()[:2] == ["|H(f)|", "(4)"]
    slope = torch.autograd.grad(circuit(f).sum(), circuit.R)[0].item()
    assert f"∂Σ|H|/∂R = −{-slope:.4g} /Ω" in "\n".join(graph.labels)


def test_without_being_asked_there_are_neither_values_nor_gradients():
    graph = draw_graph(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), 1e3)
    assert "∂" not in graph.dot and set(map(tuple, operations(graph).values())) == {()}


def test_a_complex_output_has_values_and_no_gradient():
    class Complex(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor(2.0))

        def forward(self, x):
            return torch.complex(self.a * x, self.a)

    graph = draw_graph(Complex(), torch.tensor(3.0), values=True)
    assert graph.labels[0] == "output\n= 6 + 2j"
    with pytest.raises(OptionError, match="complex output has no single gradient"):
        draw_graph(Complex(), torch.tensor(3.0), gradients=True)


@circuits
def test_every_component_stands_in_the_graph_once_with_value_and_unit(name):
    circuit = make(name)
    shown = [label.split(" = ") for label in leaves(draw_graph(circuit, 1e3).dot)]
    assert sorted(part[0] for part in shown) == sorted(circuit.units())
    for component, value in shown:
        assert value.endswith(circuit.units()[component])


def test_values_are_written_as_engineers_do():
    dot = draw_graph(make("low-pass", {"R": "4k7", "C": "100n"}), 1e3).dot
    assert {"R = 4.7 kΩ", "C = 100 nF", "|H(1 kHz)|"} <= set(labels(dot))


@circuits
def test_text_is_the_same_each_time_and_of_any_object(name):
    first, second = (draw_graph(make(name), torch.tensor([10.0, 1e3, 1e5])).dot for _ in range(2))
    assert first == second
    assert set(re.findall(r"\bn?\d{4,}\b", first)) == set()  # no addresses in memory


def test_text_is_the_same_in_another_process():
    code = "import circuits as cc; print(cc.draw_graph(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), 1e3), end='')"
    other = subprocess.run([sys.executable, "-X", "utf8", "-c", code], capture_output=True, check=True).stdout
    organ = make("color-organ", {"low.R": 200.0, "band.R_low": 40.0, "band.R_high": 160.0, "high.R": 32.0})
    assert other.decode() == draw_graph(organ, 1e3).dot


@circuits
def test_no_label_begins_with_an_empty_line_and_every_edge_has_its_nodes(name):
    dot = draw_graph(make(name), [10.0, 1e3]).dot
    assert all(label and not label.startswith(("\\n", " ")) for label in labels(dot))
    nodes = set(re.findall(r"^    (n\d+) \[", dot, re.M))
    ends = {end for pair in re.findall(r"(n\d+) -> (n\d+)", dot) for end in pair}
    assert nodes == ends
    assert dot.count("label=") == len(nodes)


@circuits
def test_the_circuit_is_left_as_it_was(name):
    circuit = make(name)
    before = {n: (p, p.clone(), p.requires_grad, p._version) for n, p in circuit.named_parameters()}
    draw_graph(circuit, 1e3)
    for n, p in circuit.named_parameters():
        own, value, learns, version = before[n]
        assert p is own and torch.equal(p, value) and p.requires_grad == learns and p._version == version
        assert p.grad is None


def test_an_unnamed_tensor_has_no_empty_first_line():
    class Reshaped(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return (self.a * x).view(2, 2)  # torchviz shows the tensor beneath a view, and has no name for it

    shown = labels(draw_graph(Reshaped(), 2.0).dot)
    assert shown[0] == "output\\n(2, 2)" and "(4)" in shown


def test_fixed_components_look_different_from_learned_ones():
    line = {
        label: re.search(rf'label="{label}", (.*)\];', draw_graph(make("low-pass", {"R": 500.0}), 1e3).dot)[1]
        for label in ("R = 500 Ω", "C = 1 µF")
    }
    assert line == {"R = 500 Ω": "fillcolor=lightblue", "C = 1 µF": 'style="filled,dashed", fillcolor=white'}


def test_a_shared_component_is_one_leaf_with_all_its_names():
    organ = make("color-organ")
    organ.high.C = organ.low.C
    shown = [label for label in leaves(draw_graph(organ, 1e3).dot) if ".C = " in label and "low" in label[:4]]
    assert shown == ["low.C = high.C = 1 µF"]


class Unused(Circuit):
    components = {"R": OHM, "R_spare": OHM}

    def transfer(self, f):
        return torch.complex(self.R / 1e5 + 0 * f, 0 * f)


def test_a_component_that_nothing_uses_is_shown_and_said_to_be_unused():
    shown = labels(draw_graph(Unused({"R": 1e3, "R_spare": 2e3}), 1e3).dot)
    assert "R_spare = 2 kΩ\\nnot used" in shown


def test_any_module_with_named_parameters():
    module = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 1))
    mean = module[1].running_mean.clone()
    shown = labels(draw_graph(module, torch.rand(5, 2)).dot)
    assert {"0.weight\\n(3, 2)", "0.bias\\n(3)", "1.weight\\n(3)", "3.weight\\n(1, 3)", "output\\n(5, 1)"} <= set(shown)
    assert torch.equal(module[1].running_mean, mean)


def test_a_circuit_inside_a_module_keeps_its_units():
    assert "0.R = 4.7 kΩ" in labels(draw_graph(nn.Sequential(make("low-pass", {"R": "4.7k"})), 1e3).dot)


def test_a_batch_of_boards_shows_its_shape():
    circuit = type(make("low-pass"))(R=[100.0, 200.0])
    assert "R\\n(2)" in labels(draw_graph(circuit, [1e3, 2e3, 3e3]).dot)


def test_a_custom_function_with_saved_tensors_does_not_double_a_leaf():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, *gradients):
            return gradients[0] * 2 * ctx.saved_tensors[0]

    class Squared(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor(3.0))

        def forward(self, x):
            return Square.apply(self.a) * x

    shown = labels(draw_graph(Squared(), 2.0).dot)
    assert [label for label in shown if label.startswith("a")] == ["a = 3"]
    assert all(shown)


class Doubled(torch.autograd.Function):
    """Computes a term inside itself that would be 2⁶⁰ letters long."""

    @staticmethod
    def forward(ctx, x):
        y = x.clone()
        for _ in range(60):
            y = (y + y * y) / 2
        return y * 0 + 2 * x

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


def test_what_a_custom_function_computes_inside_itself_is_no_term_of_the_graph():
    class Double(nn.Module):
        def __init__(self):
            super().__init__()
            self.w = nn.Parameter(torch.tensor(0.5))

        def forward(self, x):
            return Doubled.apply(self.w) + x

    graph = draw_graph(Double(), torch.tensor(1.0), values=True)
    assert graph.labels[1:3] == ["add — doubled(w) + input\n= 2", "doubled — doubled(w)"]


def test_no_warning_escapes_and_none_is_silenced_for_others():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draw_graph(make("low-pass"), 1e3)
        assert [str(w.message) for w in caught] == []
        warnings.warn("distutils Version classes are deprecated", DeprecationWarning, stacklevel=1)
    assert len(caught) == 1


@needs_dot
@circuits
def test_dot_draws_every_circuit(name):
    svg = draw_graph(make(name), 1e3).render("svg").decode()
    assert all(f"{component} = " in svg for component in make(name).units())


@needs_dot
@pytest.mark.parametrize("format", SIGNATURES)
def test_pictures_are_written(format, tmp_path):
    path = tmp_path / f"graph.{format.upper()}"
    draw_graph(make("color-organ"), 1e3, path)
    assert path.read_bytes().startswith(SIGNATURES[format])
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@needs_dot
def test_a_notebook_shows_the_picture():
    shown = draw_graph(make("low-pass"), 1e3)._repr_mimebundle_()
    assert shown["image/svg+xml"].startswith("<?xml") and shown["text/plain"].startswith("digraph")


@needs_dot
def test_what_dot_refuses_is_said_in_one_sentence():
    with pytest.raises(OptionError, match="dot` could not draw the graph: .*syntax error"):
        Graph("digraph { [ }").render("svg")


def test_without_graphviz_a_picture_says_how_to_get_it_and_text_needs_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", None)  # which makes its import fail
    graph = draw_graph(make("low-pass"), 1e3, tmp_path / "graph.dot")
    assert (tmp_path / "graph.dot").read_text("utf-8") == graph.dot
    with pytest.raises(GraphvizMissing, match="apt-get install graphviz.*brew install graphviz.*or use .dot"):
        graph.save(tmp_path / "graph.svg")
    assert not (tmp_path / "graph.svg").exists()
    assert graph._repr_svg_() is None
    assert graph._repr_mimebundle_() == {"text/plain": graph.dot}


class Library:
    """What is used of pygraphviz."""

    def __init__(self, string):
        self.string = string

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def draw(self, path, format, prog, args):
        if "[ }" in self.string:
            raise ValueError("Invalid Input")
        return f"{format} by {prog} {args} of {self.string[:9]}".encode()


def test_without_dot_pygraphviz_draws_where_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "pygraphviz", types.SimpleNamespace(AGraph=Library))
    graph = draw_graph(make("low-pass"), 1e3, tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes() == b"png by dot -Gdpi=150 of digraph {"
    assert graph._repr_mimebundle_()["image/svg+xml"] == "svg by dot  of digraph {"
    with pytest.raises(OptionError, match="could not draw the graph: Invalid Input"):
        Graph("digraph { [ }").render("svg")


def test_the_real_pygraphviz_draws_too(monkeypatch, tmp_path):
    pytest.importorskip("pygraphviz")
    monkeypatch.setenv("PATH", str(tmp_path))
    for format, signature in SIGNATURES.items():
        assert draw_graph(make("color-organ"), 1e3).render(format).startswith(signature)


class Steps(nn.Module):
    """A module with one parameter `a`, that does what it is given."""

    def __init__(self, steps, a):
        super().__init__()
        self.steps, self.a = steps, nn.Parameter(torch.tensor(a))

    def forward(self, *inputs):
        return self.steps(self.a, *inputs)


def in_place(a, x):
    y = a * x
    y.mul_(2).add_(1)
    copy = y.clone()
    copy[0] = a
    copy[1:].mul_(3)
    return copy.sum()


def constant(a, x):
    with torch.no_grad():
        twice = a * 2
    return twice * a + torch.ones_like(x).sum()


def filled(a, x):
    numbers = torch.zeros_like(x)
    numbers[1] = x[0]
    return (numbers * a).sum()


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, *gradients):
        return gradients[0] * 3 * ctx.saved_tensors[0] ** 2


TWO = torch.tensor([1.0, 2.0])
CALLS = {
    "in place": (in_place, 1.5, (TWO,), {"mul — 2·a·input", "add — 1 + 2·a·input", "clone — 1 + 2·a·input"}),
    "results of one operation": (
        lambda a, x: torch.exp((a * x).unbind(0)[0]) / (a * x).unbind(0)[1] ** 2,
        [1.0, 2.0],
        (TWO,),
        {"exp — exp(unbind(a·input)[0])", "pow — a₁²", "unbind — unbind(a·input)"},
    ),
    "numbers on the left": (
        lambda a, x: 2 / (1 - a) + 3**a,
        0.3,
        (TWO,),
        {"rsub — 1 − a", "reciprocal — 1/(1 − a)", "mul — 2/(1 − a)", "pow — 3^a", "add — 2/(1 − a) + 3^a"},
    ),
    "an operation of one's own": (lambda a, x: Cube.apply(a) - x.sum(), 2.0, (TWO,), {"cube — cube(a)"}),
    "a constant": (constant, 2.0, (TWO,), {"mul — 2·a²"}),
    "a tensor filled in place": (filled, 2.0, (TWO,), {"mul — tensor(2)·a"}),
    "two inputs": (lambda a, x, y: a * x - y, 2.0, (TWO, TWO.sqrt()), {"sub — a·input_1 − input_2"}),
    "a transform": (
        lambda a, x: torch.func.vmap(lambda t: t * a)(x).sum(),
        2.0,
        (TWO,),
        {"sum — sum(mul(a))", "mul — mul(a)"},
    ),
    "a condition": (
        lambda a, x: torch.where(a > 1, a, -a) * 2,
        2.0,
        (TWO,),
        {"where — a if a > 1 else −a", "mul — 2·(a if a > 1 else −a)"},
    ),
    "clamps": (
        lambda a, x: a.clamp(max=1e20) + a.clamp(0.5, 3) + a.clamp_min(1) + a.clamp(max=7),
        2.0,
        (TWO,),
        {"clamp — a", "clamp — clamp(a, 0.5, 3)", "clamp_min — max(a, 1)", "clamp — min(a, 7)"},
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_any_operation_has_a_term_and_the_right_gradient(case):
    steps, a, inputs, expected = CALLS[case]
    module = Steps(steps, a)
    graph = draw_graph(module, inputs, values=True, gradients=True)
    assert expected <= set(operations(graph))
    slope = torch.autograd.grad(module(*inputs).sum(), module.a)[0]
    shown = re.search(r"∂Σ?output/∂a = (.*)", "\n".join(graph.labels))[1].replace("−", "-")
    assert [float(number) for number in shown.split(", ")] == pytest.approx(slope.flatten().tolist(), rel=1e-3)


def test_values_are_those_of_their_time_whatever_is_done_in_place_later():
    found = operations(draw_graph(Steps(in_place, 1.5), TWO, values=True))
    assert found["mul — a·input"] == ["= 1.5, 3"] and found["mul — 2·a·input"] == ["= 3, 6"]
    assert found["clone — 1 + 2·a·input"] == ["= 4, 7"]


def test_names_that_a_module_has_taken_are_not_given_to_terms():
    class Taken(nn.Module):
        def __init__(self):
            super().__init__()
            self.a_1 = nn.Parameter(torch.tensor(2.0))
            self.a = nn.Parameter(torch.tensor(3.0))

        def forward(self, x):
            total = self.a_1 + self.a * 5
            return total**2 + total

    assert "add — a₁ = a_1 + 5·a" in operations(draw_graph(Taken(), 1.0))


def test_a_quotation_mark_in_a_name_does_not_break_the_text():
    module = nn.Module()
    module.register_parameter('a"\\', nn.Parameter(torch.tensor(1.0)))
    module.forward = lambda x: next(iter(module.parameters())) * x
    graph = draw_graph(module, 2.0)
    assert 'a"\\ = 1' in graph.labels
    if shutil.which("dot"):
        assert b"a&quot;\\ = 1" in graph.render("svg")


BAD = {
    "not a module": (lambda: draw_graph("low-pass", 1e3), OptionError, "cannot draw a str"),
    "a frequency of zero": (lambda: draw_graph(make("low-pass"), 0.0), FrequencyError, "0 Hz"),
    "an unknown ending": (lambda: draw_graph(make("low-pass"), 1e3, "graph.bmp"), OptionError, ".dot, .svg, .png"),
    "an unknown format": (lambda: Graph("").render("bmp"), OptionError, "'bmp'"),
    "gradients of an unknown kind": (lambda: draw_graph(None, 1e3, gradients=True), OptionError, "cannot draw a None"),
    "no parameters": (lambda: draw_graph(nn.ReLU(), 1.0), OptionError, "depends on no parameter"),
    "two tensors": (lambda: draw_graph(nn.LSTM(1, 1), torch.zeros(2, 1)), OptionError, "returned a tuple"),
    "another torchviz": (lambda: write(["what is this"], {}), OptionError, "torchviz 0.0.3"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input(case):
    call, error, said = BAD[case]
    with pytest.raises(error, match=re.escape(said)):
        call()


def test_a_graph_too_deep_to_walk_is_an_error_of_ours():
    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Parameter(torch.tensor(1.0))

        def forward(self, x):
            for _ in range(3000):
                x = x + self.a
            return x

    with pytest.raises(OptionError, match="deeper than can be walked"):
        draw_graph(Deep(), 1.0)
