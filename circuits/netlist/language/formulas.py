r"""From the text of an expression to its tree, by the grammar of ngspice's `.param`.

Weakest first: `a ? b : c`, `||`, `&&`, comparisons, `+ -`, `* / % \`, `^ **`, `!`; equals bind from left to right,
even `^`. A sign stands at the beginning of an expression or of parentheses, or before a number. What ngspice takes
without complaint for something else than it looks like (`a*-b`, a choice within a choice's first branch, `1mil`) is an
error here.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from circuits.errors import NetlistError
from circuits.netlist.expressions import LEVELS, Call, Expression, Name, Number
from circuits.netlist.language.limits import MAX_DEPTH, MAX_NAME, MAX_NODES, MAX_PARENTHESES
from circuits.netlist.language.lines import Line
from circuits.netlist.language.numerals import value_of

_TOKEN = re.compile(
    r"\s*(?:(?P<number>([0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE]([+-]?[0-9]+))?([^\W\dΜ]*))|(?P<name>[^\W\d]\w*)"
    r"|(?P<mark>\*\*|==|!=|<>|<=|>=|&&|\|\||[-+*/%\\^<>!?:(),])|(?P<end>$))"
)
_SPELLED = {"**": "^", "<>": "!="}
_PRODUCT = LEVELS["*"]


class _Token(NamedTuple):
    kind: str  # "number", "name", "mark" or "end"
    text: str
    offset: int
    value: float = 0.0


def parse_formula(text: str, line: Line | None = None, offset: int = 0) -> Expression:
    """The tree of an expression; functions are in lower case, names as written.

    Args:
        text: without its braces.
        line: the line that it stands on, at `offset`, for messages.

    Raises:
        NetlistError: anything but an expression; names the line, what is wrong, and what to write.

    >>> parse_formula("2*(Rf + 1k)")
    Call(function='*', arguments=(Number(value=2.0), Call(function='+', arguments=(Name(name='Rf'),
    Number(value=1000.0)))))
    """
    line = line or Line("expression", text, (0,), (1,))
    parser = _Parser(_tokens(text, line, offset), line)
    tree = parser.formula()
    parser.expect("end", "")
    if depth_of(tree) > MAX_DEPTH:
        raise line.fault(f"an expression of more than {MAX_DEPTH} operations within each other; use .param", offset)
    return tree


def depth_of(expression: Expression) -> int:
    """How many operations stand within each other.

    >>> depth_of(parse_formula("1+2+3*4"))
    2
    """
    deepest, waiting = 0, [(expression, 0)]
    while waiting:
        part, depth = waiting.pop()
        deepest = max(deepest, depth)
        if isinstance(part, Call):
            waiting.extend((argument, depth + 1) for argument in part.arguments)
    return deepest


def _tokens(text: str, line: Line, offset: int) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while not found or found[-1].kind != "end":
        match = _TOKEN.match(text, position)
        if match is None:
            start = len(text) - len(text[position:].lstrip())
            raise line.fault(f"{text[start]!r} has no meaning in an expression; remove it", offset + start)
        position, kind = match.end(), str(match.lastgroup)
        token = _Token(kind, match[kind], offset + match.start(kind))
        found.append(_measured(token, match, line) if kind == "number" else token)
        if len(found) > MAX_NODES:
            raise line.fault(f"an expression of more than {MAX_NODES} parts; divide it by .param", offset)
        if kind == "name" and len(token.text) > MAX_NAME:
            raise line.fault(f"a name of more than {MAX_NAME} characters; choose a shorter one", token.offset)
    return found


def _measured(token: _Token, match: re.Match[str], line: Line) -> _Token:
    """A number with its value; within expressions ngspice knows no `mil`, and reads it as a thousandth."""
    _, mantissa, power, suffix, *_ = match.groups()
    if suffix.lower().startswith("mil"):
        raise line.fault(f"{token.text!r} is 0.001 to ngspice inside an expression; write 25.4u", token.offset)
    try:
        return token._replace(value=value_of(mantissa, power or "0", suffix, token.text))
    except ValueError as error:
        raise line.fault(str(error), token.offset) from None


class _Parser:
    """Precedence climbing over the tokens of one expression."""

    def __init__(self, tokens: list[_Token], line: Line):
        self.tokens, self.line, self.at, self.nesting = tokens, line, 0, 0

    @property
    def token(self) -> _Token:
        return self.tokens[self.at]

    def takes(self, *marks: str) -> bool:
        """Step over one of these marks, if it comes next."""
        if self.token.kind == "mark" and self.token.text in marks:
            self.at += 1
            return True
        return False

    def expect(self, kind: str, text: str) -> None:
        if self.token.kind != kind or (text and self.token.text != text):
            raise self.fault(f"expected {repr(text) if text else 'an operator or the end'} here")
        self.at += 1

    def fault(self, message: str, todo: str = "correct the expression") -> NetlistError:
        found = "the end of the expression" if self.token.kind == "end" else repr(self.token.text)
        return self.line.fault(f"{message}, found {found}; {todo}", self.token.offset)

    def formula(self) -> Expression:
        """A whole expression, or what stands between parentheses."""
        self.nesting += 1
        if self.nesting > MAX_PARENTHESES:
            raise self.fault(f"more than {MAX_PARENTHESES} parentheses within each other", "use .param")
        tree = self.binary(1, self.signed())
        if self.takes("?"):
            tree = self.choice(tree)
        self.nesting -= 1
        return tree

    def signed(self) -> Expression:
        """The first term, whose sign covers its whole product: -a*b is -(a*b)."""
        if self.takes("-"):
            return Call("u-", (self.binary(_PRODUCT, self.operand()),))
        self.takes("+")
        return self.operand()

    def choice(self, condition: Expression) -> Expression:
        """`condition ? a : b`, where b may be another choice."""
        cases: list[tuple[Expression, Expression]] = []
        while True:
            chosen = self.binary(1, self.operand())
            if self.token.text == "?":
                raise self.fault("a choice within a choice needs parentheses", "write a ? (b ? c : d) : e")
            self.expect("mark", ":")
            cases.append((condition, chosen))
            condition = self.binary(1, self.operand())
            if not self.takes("?"):
                break
        tree = condition
        for condition, chosen in reversed(cases):
            tree = Call("?:", (condition, chosen, tree))
        return tree

    def binary(self, weakest: int, left: Expression) -> Expression:
        """`left` and all operators after it that bind at least this tightly."""
        while self.token.kind == "mark":
            operator = _SPELLED.get(self.token.text, self.token.text)
            level = LEVELS.get(operator, 0)
            if level < max(weakest, 1):
                break
            self.at += 1
            left = Call(operator, (left, self.binary(level + 1, self.operand())))
        return left

    def operand(self) -> Expression:
        """A number, a name, a function or parentheses, and the `!` before it."""
        inversions = 0
        while self.takes("!"):
            inversions += 1
        tree = self.negative() if self.token.text == "-" and not inversions else self.atom()
        for _ in range(inversions):
            tree = Call("!", (tree,))
        return tree

    def negative(self) -> Expression:
        """A negative number after an operator; before anything else ngspice loses the sign or moves it."""
        self.at += 1
        if self.token.kind != "number":
            raise self.fault("a minus after an operator stands before numbers only", "write a*(-b)")
        self.at += 1
        return Number(-self.tokens[self.at - 1].value)

    def atom(self) -> Expression:
        token = self.token
        if token.kind == "number":
            self.at += 1
            return Number(token.value)
        if token.kind == "name":
            self.at += 1
            return Call(token.text.lower(), self.arguments()) if self.takes("(") else Name(token.text)
        if self.takes("("):
            tree = self.formula()
            self.expect("mark", ")")
            return tree
        raise self.fault("expected a number, a name or parentheses")

    def arguments(self) -> tuple[Expression, ...]:
        """The arguments of a function, whose opening parenthesis is behind us."""
        found: list[Expression] = []
        if self.takes(")"):
            return ()
        while True:
            found.append(self.formula())
            if self.takes(")"):
                return tuple(found)
            if not self.takes(","):
                raise self.fault("expected ',' or ')'")
