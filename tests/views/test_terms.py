import math

import pytest

from circuits.views.graphs.operations import operation, term_of
from circuits.views.graphs.terms import Term, called, decimal, hypotenuse, power, root, written

x, y, R, C, f = (Term.of(name) for name in "xyRCf")
two, half = Term(2.0), Term(0.5)
TERMS = {
    "x + y": x + y,
    "2·(x + y)": two * (x + y),
    "−(x + y)": -(x + y),
    "x − (x if y > 1 else y)": x - Term.loose("x if y > 1 else y"),
    "x − y − R": x - (y + R),
    "x − y + R": x - (y - R),
    "1 + x": x + Term(1.0),
    "x − 1": x + Term(-1.0),
    "3 + x": Term(1.0) + x + two,
    "x": x + Term(0.0),
    "0": x * Term(0.0),
    "x/2": half * x,
    "1/x": Term(1.0) / x,
    "1/(R·C)": Term(1.0) / (R * C),
    "x·C/R": x / (R / C),
    "−x/y": -x / y,
    "x/(x + y)": x / (x + y),
    "x/0": x / Term(0.0),
    "x²": x * x,
    "2πf·R·C": Term(2 * math.pi) * R * C * f,
    "2π·R·C": Term(2 * math.pi) * R * C,
    "20·f·R": Term(20.0) * f * R,
    "(x + y)²": power(x + y, two),
    "(2·x)³": power(two * x, Term(3.0)),
    "x^1.5": power(x, Term(1.5)),
    "√(x + y)": root(x + y),
    "√2": power(two, half),
    "√(4+x²)": hypotenuse(x, two),
    "√(x²+y²)": hypotenuse(x, y),
    "(ln10/20)·x": Term(math.log(10) / 20) * x,
    "relu(x + y)": called("relu", x + y),
}


@pytest.mark.parametrize("text", TERMS)
def test_terms_are_written_as_people_do(text):
    assert str(TERMS[text]) == text


OPERATIONS = {
    "x + 2·y": term_of("add", [x, y], {"alpha": two}),
    "y − x": term_of("rsub", [x, y], {}),
    "y/x": term_of(operation("__rtruediv__"), [x, y], {}),
    "10^x": term_of("exp", [Term(math.log(10)) * x], {}),
    "exp(2·x)": term_of("exp", [two * x], {}),
    "ln(1 + x)": term_of("log1p", [x], {}),
    "|x|": term_of("abs", [x], {}),
    "min(x, 3)": term_of("clamp", [x], {"max": Term(3.0)}),
    "max(x, 3)": term_of("clamp", [x, Term(3.0)], {}),
    "x": term_of("clamp", [x, Term(1e-139), Term(1e138)], {}),
    "(x, y)": term_of("stack", [[x, y], Term(-2.0)], {}),
    "y": term_of("broadcast_tensors", [x, y], {}, 1),
    "split(x)[1]": term_of("split", [x, two], {}, 1),
    "made_up(x, y)": term_of("made_up", [x, [y, x], None], {"other": y}),
    "mul(x)": term_of("mul", [x], {}),  # called in a way that is not known
}


@pytest.mark.parametrize("text", OPERATIONS)
def test_operations_compute_their_terms(text):
    assert str(OPERATIONS[text]) == text


NUMBERS = {-0.0: "0", 1e-9: "1e−9", -2.5e12: "−2.5e12", math.inf: "∞", -math.inf: "−∞", 1234.56: "1235"}


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_are_short(number):
    assert decimal(number) == NUMBERS[number]
    assert decimal(math.nan) == "NaN"


def test_constants_are_known_by_name():
    assert [written(number) for number in (math.pi, 2 * math.pi, -math.pi, 180 / math.pi)] == ["π", "2π", "−π", "180/π"]
    assert written(3.14) == "3.14"
