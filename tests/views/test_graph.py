import re
import shutil
import subprocess
import sys
import warnings

import pytest
import torch
from torch import nn

from circuits.catalogue import CATALOGUE, make
from circuits.circuit import Circuit
from circuits.component import OHM
from circuits.errors import FrequencyError, GraphvizMissing, OptionError
from circuits.views import Graph, draw_graph
from circuits.views.dot_text import write

needs_dot = pytest.mark.skipif(
    shutil.which("dot") is None, reason="Graphviz's `dot` IS NOT INSTALLED: no picture of any graph was tested"
)
circuits = pytest.mark.parametrize("name", CATALOGUE)
SIGNATURES = {"svg": b"<?xml", "png": b"\x89PNG", "pdf": b"%PDF"}


def labels(dot: str) -> list[str]:
    return re.findall(r'\[label="([^"]*)"', dot)


@circuits
def test_every_component_stands_in_the_graph_once_with_value_and_unit(name):
    circuit = make(name)
    shown = [label.split(" = ") for label in labels(draw_graph(circuit, 1e3).dot) if " = " in label]
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
    shown = [label for label in labels(draw_graph(organ, 1e3).dot) if "low.C" in label]
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
    graph = draw_graph(make("low-pass"), 1e3, tmp_path / "graph.dot")
    assert (tmp_path / "graph.dot").read_text("utf-8") == graph.dot
    with pytest.raises(GraphvizMissing, match="apt-get install graphviz.*brew install graphviz.*or use .dot"):
        graph.save(tmp_path / "graph.svg")
    assert not (tmp_path / "graph.svg").exists()
    assert graph._repr_svg_() is None
    assert graph._repr_mimebundle_() == {"text/plain": graph.dot}


BAD = {
    "not a module": (lambda: draw_graph("low-pass", 1e3), OptionError, "cannot draw a str"),
    "a frequency of zero": (lambda: draw_graph(make("low-pass"), 0.0), FrequencyError, "0 Hz"),
    "an unknown ending": (lambda: draw_graph(make("low-pass"), 1e3, "graph.bmp"), OptionError, ".dot, .svg, .png"),
    "an unknown format": (lambda: Graph("").render("bmp"), OptionError, "'bmp'"),
    "no parameters": (lambda: draw_graph(nn.ReLU(), 1.0), OptionError, "depends on no parameter"),
    "two tensors": (lambda: draw_graph(nn.LSTM(1, 1), torch.zeros(2, 1)), OptionError, "returned a tuple"),
    "another torchviz": (lambda: write(["what is this"], [], []), OptionError, "torchviz 0.0.3"),
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
