"""Expressions: their grammar and their values are those of ngspice, over numbers and over tensors."""

from __future__ import annotations

import math

import pytest
import torch

from circuits.errors import NetlistError
from circuits.netlist.expressions import FUNCTIONS, Call, Expression, Name, Number, evaluate, names, to_text
from circuits.netlist.language import parse_netlist
from circuits.netlist.language.formulas import parse_formula
from circuits.netlist.language.functions import expand
from circuits.netlist.language.lines import Line
from netlist.language.spice import numbers, value

GIVEN = {"a": 3.0, "b": 5.0}
VALUES = {
    "2*3+4": 10,
    "2+3*4": 14,
    "2 * 3": 6,
    "2-3-4": -5,
    "2/3/4": 2 / 3 / 4,
    "2^3": 8,
    "2**3": 8,
    "2^3^2": 64,
    "-2^2": -4,
    "(-2)^2": 4,
    "(-2)^3": 8,  # |x|ʸ
    "2^-2": 0.25,
    "2*-3^2": 18,
    "2*-3": -6,
    "2--3": 5,
    "--2": 2,
    "-a*b": -15,
    "-a^2": -9,
    "- 2": -2,
    "+2": 2,
    "-(-2)": 2,
    "7%3": 1,
    "-7%3": -1,
    "(-7)%3": -1,
    "7\\2": 3,
    "-7\\2": -3,
    "(-7)\\2": 3,
    "5 % 3 * 2": 4,
    "1==1": 1,
    "1!=2": 1,
    "1<>2": 1,
    "a<b": 1,
    "a>b": 0,
    "a<=3": 1,
    "a>=4": 0,
    "1>2>3": 0,
    "1<2==1": 1,
    "3>-1": 1,
    "!0": 1,
    "!a": 0,
    "!!a": 1,
    "!a==0": 1,
    "!0+1": 2,
    "1&&0": 0,
    "1||0&&0": 1,
    "1?2:3": 2,
    "0?2:3+4": 7,
    "a>2?b:a": 5,
    "1+1?2:3": 2,
    "1?-2:-3": -2,
    "0?1:0?2:0?3:4": 4,
    "0?1:1?2:0?3:4": 2,
    "1?1:1?2:1?3:4": 1,
    "0?1:1?2:1?3:4": 2,
    "(1?0:1)+10": 10,
    "1?(0?7:8):9": 8,
    "max(1,b)": 5,
    "min(-1,-a)": -3,
    "max( 1 , 2 )": 2,
    "int(-2.5)": -2,
    "nint(2.5)": 2,
    "nint(3.5)": 4,
    "floor(-2.5)": -3,
    "ceil(-2.5)": -2,
    "sgn(-3)": -1,
    "sgn(0)": 0,
    "log(10)": math.log(10),
    "ln(10)": math.log(10),
    "log10(1000)": 3,
    "exp(1)": math.e,
    "sqr(3)": 9,
    "sqrt(2)": math.sqrt(2),
    "pow(-2,3)": -8,
    "pwr(-2,3)": 8,
    "abs(-3)": 3,
    "sin(1)": math.sin(1),
    "cos(1)": math.cos(1),
    "tan(1)": math.tan(1),
    "asin(0.5)": math.asin(0.5),
    "acos(0.5)": math.acos(0.5),
    "atan(1)": math.atan(1),
    "arctan(1)": math.atan(1),
    "sinh(1)": math.sinh(1),
    "cosh(1)": math.cosh(1),
    "tanh(1)": math.tanh(1),
    "asinh(1)": math.asinh(1),
    "acosh(2)": math.acosh(2),
    "atanh(0.5)": math.atanh(0.5),
    "ternary_fcn(0,2,3)": 3,
    "SQRT(4)+Max(1,2)": 4,
    "1k": 1e3,
    "1meg": 1e6,
    "1M": 1e-3,
    "1kohm": 1e3,
    "2µ*a": 6e-6,
    "1.5e-3k": 1.5,
    ".5": 0.5,
    "5.": 5,
    "1e": 1,
    "0^0": 1,
    "((((a))))": 3,
    "1/(2*3.14159*a*b)": 1 / (2 * 3.14159 * 15),
}
REFUSED = {  # ngspice takes those of the first group for something else than they look like, and refuses the second
    "a*-b+2": "stands before numbers only",
    "2+--3": "stands before numbers only",
    "1?0?7:8:9": "needs parentheses",
    "1mil": "0.001 to ngspice",
    "max(1,2,3)": "takes 2 arguments, found 3",
    "abs(1,2)": "takes 1 arguments, found 2",
    "pow(2)": "takes 2 arguments, found 1",
    "limit(1,2)": "random",
    "1=1": "no meaning",
    "0x10": "expected an operator",
    "1a2": "expected an operator",
    "a*-b": "stands before numbers only",
    "a>-b": "stands before numbers only",
    "2*+3": "expected a number",
    "2k7": "expected an operator",
    "2 3": "expected an operator",
    "a b": "expected an operator",
    "1d3": "expected an operator",
    "1.5.5": "expected an operator",
    "": "found the end",
    "()": "expected a number",
    "1+": "found the end",
    "*2": "expected a number",
    "(1": "expected ')'",
    "1)": "expected an operator or the end",
    "max(1": "expected ',' or ')'",
    "a?b": "expected ':'",
    "a?b:": "found the end",
    "1?2:3:4": "expected an operator or the end",
    "atan2(1,2)": "no function 'atan2'",
    "u-(1)": "no function|expected|neither",
    "v(n)": "depend on a voltage",
    "neg(1)": "no function 'neg'",
    "f()": "no function 'f'",
    "pi": "neither a number nor a parameter",
    "temper": "neither a number nor a parameter",
    "a.b": "no meaning|expected",
    "a@b": "no meaning",
    "1/0": "not finite",
    "0/0": "not finite",
    "sqrt(-1)": "not finite",
    "log(0)": "not finite",
    "log(-1)": "not finite",
    "exp(1000)": "not finite",
    "1e400": "beyond what a number can hold",
    "10^400": "not finite",
    "1%0": "not finite",
    "1\\0": "not finite",
}


def read(text: str) -> float:
    netlist = parse_netlist(f"t\n.param a=3 b=5\nI1 0 n DC {{{text}}}\nR1 n 0 1\n")
    return value(netlist, "I1", "dc")


@pytest.mark.parametrize("text", VALUES, ids=repr)
def test_an_expression_has_its_value(text: str):
    assert read(text) == pytest.approx(VALUES[text], rel=1e-14, abs=1e-300)


def test_ngspice_finds_the_same_values():
    found = numbers([f"{{{text}}}" for text in VALUES], ".param a=3 b=5")
    pairs = zip(VALUES.items(), found, strict=True)
    assert {text: v for (text, ours), v in pairs if v != pytest.approx(ours, rel=1e-14)} == {}


def test_ngspice_reads_what_is_written_back():
    trees = {text: parse_formula(text) for text in VALUES}
    again = numbers([f"{{{to_text(tree)}}}" for tree in trees.values()], ".param a=3 b=5")
    pairs = zip(VALUES.items(), again, strict=True)
    assert {text: v for (text, ours), v in pairs if v != pytest.approx(ours, rel=1e-14)} == {}


@pytest.mark.parametrize("text", VALUES, ids=repr)
def test_what_is_written_back_is_read_again(text: str):
    tree = parse_formula(text)
    assert evaluate(parse_formula(to_text(tree)), GIVEN) == evaluate(tree, GIVEN)


@pytest.mark.parametrize("text", REFUSED, ids=repr)
def test_what_ngspice_refuses_or_misreads_is_an_error(text: str):
    with pytest.raises(NetlistError) as caught:
        read(text)
    assert str(caught.value).startswith("netlist:3: ")
    assert any(part in str(caught.value) for part in REFUSED[text].split("|"))


def test_numbers_keep_every_digit_when_written():
    assert [to_text(Number(x)) for x in (0.1, 1e-7, -2.0, 4.7e3)] == ["0.1", "1e-07", "-2.0", "4700.0"]
    assert to_text(Number(torch.tensor(0.1, dtype=torch.float64).numpy()[()])) == "0.1"


SMOOTH = ["sqrt(a)*exp(-b/9)", "log(a)+log10(b)", "sin(a)*cos(b)+tan(a/9)", "asin(a/9)+acos(b/9)+atan(a)", "a^b/9"]
SMOOTH += ["sinh(a)+cosh(b)*tanh(a)", "asinh(a)+acosh(b)+atanh(a/9)", "pow(a,b)+pwr(-a,b)", "sqr(a)/b-abs(-a)"]
SMOOTH += ["max(a,b)*min(a,b)", "a>b?a*a:b*b", "7.5%a*b", "-a*(2-b)", "2^a", "max(a,1)+min(2,b)", "!a+a*b"]


@pytest.mark.parametrize("text", SMOOTH)
def test_tensors_have_the_same_value_and_the_right_derivatives(text: str):
    tree = parse_formula(text)
    a = torch.tensor([3.0, 4.1], dtype=torch.float64, requires_grad=True)
    b = torch.tensor([5.0, 3.3], dtype=torch.float64, requires_grad=True)
    one_by_one = [evaluate(tree, {"a": x, "b": y}) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    torch.testing.assert_close(evaluate(tree, {"a": a, "b": b}), torch.tensor(one_by_one, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda a, b: evaluate(tree, {"a": a, "b": b}), (a, b))
    assert torch.autograd.gradgradcheck(lambda a, b: evaluate(tree, {"a": a, "b": b}), (a, b))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_agrees_on_numbers_and_tensors(function: str):
    arguments = [0.25, 0.75, -0.5][: FUNCTIONS[function].arity]
    if function == "acosh":
        arguments = [2.25]
    mixed = [*map(lambda x: torch.tensor(x, dtype=torch.float64), arguments[:1]), *arguments[1:]]
    names_ = [Name(str(k)) for k in range(len(arguments))]
    tree = Call(function, tuple(names_))
    plain = evaluate(tree, {str(k): x for k, x in enumerate(arguments)})
    assert isinstance(plain, float)
    assert float(evaluate(tree, {str(k): x for k, x in enumerate(mixed)})) == pytest.approx(plain, rel=1e-14)
    as_tensors = {str(k): torch.tensor(x, dtype=torch.float64) for k, x in enumerate(arguments)}
    assert float(evaluate(tree, as_tensors)) == pytest.approx(plain, rel=1e-14)


def test_a_branch_that_does_not_count_spoils_no_gradient():
    x = torch.tensor(-1.0, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(evaluate(parse_formula("x>0?sqrt(x):2*x"), {"x": x}), x)
    assert slope.item() == 2.0


def test_expressions_work_under_vmap():
    tree = parse_formula("x>0?x*x:(-x)")
    x = torch.tensor([1.0, -2.0])
    assert torch.func.vmap(lambda x: evaluate(tree, {"x": x}))(x).tolist() == [1.0, 2.0]


def test_a_value_that_is_not_finite_is_an_error_for_tensors_too():
    with pytest.raises(NetlistError, match=r"1.0/x is not finite"):
        evaluate(parse_formula("1/x"), {"x": torch.tensor([1.0, 0.0])})


def test_a_missing_value_and_shapes_that_differ_are_errors():
    with pytest.raises(NetlistError, match="^no value for 'x'; give one"):
        evaluate(parse_formula("1+x"), {})
    with pytest.raises(NetlistError, match="has no value"):
        evaluate(parse_formula("x+y"), {"x": torch.ones(2), "y": torch.ones(3)})


def test_names_are_found_once_from_left_to_right():
    assert names(parse_formula("max(b, a)*b + c")) == ("b", "a", "c")


def _deepest() -> Expression:
    tree: Expression = Name("x")
    for k in range(200):
        tree = Call(("u-", "!", "+")[k % 3], (tree, Number(1.0))[: 2 if k % 3 == 2 else 1])
    return tree


def test_whatever_the_parser_accepts_can_be_walked():
    deep = "+".join(["x"] * 201)
    for tree in (parse_formula(deep), _deepest()):
        assert isinstance(evaluate(tree, {"x": 1.0}), float)
        assert to_text(tree)
        assert expand(tree, lambda name: None, Line("t", "", (0,), (1,))) == tree
    with pytest.raises(NetlistError, match="more than 200 operations"):
        parse_formula(deep + "+x")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 51 + "x" + ")" * 51, "more than 50 parentheses"),
        ("(" * 100_000, "more than 10000 parts"),
        ("(" * 9_000, "more than 50 parentheses"),
        ("!" * 9_000 + "x", "more than 200 operations"),
        ("sqrt(" * 60 + "x" + ")" * 60, "more than 50 parentheses"),
        ("1?x:" * 3_000 + "x", "more than 10000 parts|more than 200 operations"),
        ("1?x:" * 300 + "x", "more than 200 operations"),
        ("+".join(["x"] * 6_000), "more than 10000 parts"),
        ("x" * 201, "a name of more than 200"),
        ("1" * 5_000, "beyond what a number can hold"),
    ],
    ids=lambda text: text[:12],
)
def test_a_hostile_expression_is_a_typed_error(text: str, message: str):
    with pytest.raises(NetlistError, match=message):
        parse_formula(text)
