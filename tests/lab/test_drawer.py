"""Drawers as people write them down, what is wrong with some, and what can be made of two parts."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from pathlib import Path

import pytest

from circuits.errors import DataError, OhmgradError, OptionError, UnknownName
from circuits.lab.parts.drawer import Drawer, Part, drawer_of, drawer_of_series, read_drawer
from circuits.lab.parts.pairing import choices_for

EXAMPLE = Path(__file__).parents[2] / "examples" / "data" / "drawer.csv"


def drawer_from(folder: Path, text: str | bytes) -> Drawer:
    path = folder / "drawer.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_drawer(path)


SAME = {
    "commas": "value,tolerance,count,price\n4k7 Ω,5%,3,0.02\n100nF,10%,2,0.1\n",
    "semicolons and decimal commas": "value;tolerance;count;price\n4,7kΩ;5 %;3;0,02 €\n0,1 µF;10%;2;0,1\n",
    "tabs, a kind, another order": "kind\tcount\tvalue\tprice\ttol\nR\t3\t4700\t$0.02\t0.05\nC\t2\t100n\t0.1\t0.1\n",
    "a column unit": "value,unit,qty,cost,tolerance\n4.7k,Ω,3,0.02,5%\n0.1u,F,2,0.1,10%\n",
    "comments and blanks": "# mine\n\nvalue,tolerance,count,price\n# R\n4k7ohm,5%,3,0.02\n\n100 nF,10%,2,0.1\n",
    "other columns": "box,value,tolerance,count,price\nA1,4.7 kΩ,5%,3,0.02\nB2,100 nF,10%,2,0.10\n",
    "capitals": "Value,Tolerance,Count,Price\n4k7Ω,5%,3,0.02\n100nF,10%,2,0.1\n",
}


@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_one_drawer_written_in_many_ways(tmp_path: Path, text: str):
    assert drawer_from(tmp_path, text).parts == (Part("Ω", 4700.0, 0.05, 3, 0.02), Part("F", 1e-7, 0.1, 2, 0.1))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_whatever_program_wrote_it(tmp_path: Path, encoding: str):
    assert drawer_from(tmp_path, "value,count\r\n2.2 µF,1\r\n".encode(encoding)).parts == (Part("F", 2.2e-6, None, 1),)


def test_what_is_not_said_is_not_known(tmp_path: Path):
    drawer = drawer_from(tmp_path, "value,price\n10Ω,\n18mH,0.5\n")
    assert drawer.parts == (Part("Ω", 10.0), Part("H", 0.018, None, None, 0.5))
    assert not drawer.limited


BAD = {
    "empty": ("", ["nothing in this file", "value,tolerance,count,price"]),
    "no value": ("part,count\nR,1\n", ["line 1", "no column value among part, count"]),
    "only a header": ("value,count\n", ["no parts"]),
    "two values": ("value,count,value\n1,2,3\n", ["line 1", "two columns for value"]),
    "short row": ("value,count\n10Ω,1\n22Ω\n", ["line 3", "1 cells under a header of 2"]),
    "no unit": ("value\n10Ω\n4700\n", ["line 3", "'4700' of what?", "4700Ω", "kind: R, C, L"]),
    "no number": ("value\nten Ω\n", ["line 2", "cannot read"]),
    "hertz": ("value\n10 Hz\n", ["line 2", "Hz"]),
    "another unit than its kind": ("value,kind\n10nF,R\n", ["line 2", "'10nF' is in F, expected Ω"]),
    "no such kind": ("value,kind\n10,diode\n", ["line 2", "'diode'", "R, C or L"]),
    "zero": ("value\n0 Ω\n", ["line 2", "positive"]),
    "negative": ("value\n-10 Ω\n", ["line 2", "positive"]),
    "no count": ("# mine\nvalue,count\n10Ω,\n", ["line 3", "count ''", "0 for none"]),
    "half a part": ("value,count\n10Ω,1.5\n", ["line 2", "count '1.5'"]),
    "negative count": ("value,count\n10Ω,-1\n", ["line 2", "count '-1'"]),
    "tolerance of five": ("value,tolerance\n10Ω,5\n", ["line 2", "5% or 0.05"]),
    "price in words": ("value,price\n10Ω,cheap\n", ["line 2", "'cheap'"]),
    "a picture": (b"\x89PNG\r\n\0\0\0\x0dIHDR", ["no text file"]),
}


@pytest.mark.parametrize(("text", "words"), BAD.values(), ids=BAD)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str | bytes, words: list[str]):
    with pytest.raises(DataError) as caught:
        drawer_from(tmp_path, text)
    message = str(caught.value)
    assert "drawer.csv" in message
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_mutated_drawers_are_read_or_refused(tmp_path: Path):
    draw, original = random.Random(3), EXAMPLE.read_text("utf-8")
    for _ in range(300):
        text = list(original)
        for _ in range(draw.randint(1, 6)):
            at = draw.randrange(len(text))
            text[at : at + draw.randint(0, 3)] = draw.choice(["", "\n", ",", ";", "%", "Ω", "-", "9", "\t", '"', "é"])
        try:
            drawer = drawer_from(tmp_path, "".join(text))
        except OhmgradError:
            continue
        assert all(part.value > 0 and (part.count is None or part.count >= 0) for part in drawer.parts)


def test_no_such_file_and_no_such_series(tmp_path: Path):
    with pytest.raises(DataError, match="cannot read .*; expected a CSV file of parts, or E3"):
        drawer_of(tmp_path / "none.csv")
    with pytest.raises(UnknownName, match="no series 'E13'"):
        drawer_of("E13")
    assert drawer_of("e24").name == "E24"


def test_the_example_is_a_drawer_of_thirty():
    drawer = read_drawer(EXAMPLE)
    assert len(drawer.parts) == 30
    assert Counter(part.unit for part in drawer.parts) == {"Ω": 24, "F": 6}
    assert drawer.limited


# pairs


def brute_force(drawer: Drawer, unit: str) -> list[float]:
    """Every value from one or two parts, each part of the drawer taken in the hand."""
    hand = [(i, part.value) for i, part in enumerate(drawer.parts) if part.unit == unit for _ in range(part.count or 0)]
    found: dict[tuple[int, ...], list[float]] = {(i,): [value] for i, value in hand}
    for (i, a), (j, b) in itertools.combinations(hand, 2):
        found[tuple(sorted((i, j)))] = [a + b, 1 / (1 / a + 1 / b)]
    return sorted(value for values in found.values() for value in values)


@pytest.mark.parametrize("unit", ["Ω", "F"])
def test_pairs_of_the_example(unit: str):
    drawer = read_drawer(EXAMPLE)
    assert choices_for(drawer, unit, pairs=True).values.tolist() == pytest.approx(brute_force(drawer, unit), rel=1e-14)


def test_two_of_the_same_need_two():
    drawer = Drawer("box", (Part("Ω", 10.0, count=1), Part("Ω", 40.0, count=2), Part("Ω", 99.0, count=0)))
    assert choices_for(drawer, "Ω", pairs=True).values.tolist() == [8.0, 10.0, 20.0, 40.0, 50.0, 80.0]
    assert choices_for(drawer, "Ω").values.tolist() == [10.0, 40.0]


def test_capacitors_add_up_in_parallel():
    choices = choices_for(Drawer("box", (Part("F", 1e-6), Part("F", 3e-6))), "F", pairs=True)
    by_value = {round(choice.value * 1e9): choice for choice in map(choices.choice, range(len(choices)))}
    assert by_value[4000].written == "3 µF ∥ 1 µF"
    assert by_value[4000].connection == "parallel"
    assert by_value[750].written == "3 µF + 1 µF"
    assert by_value[750].connection == "series"


def test_of_the_same_value_the_single_part_is_taken_then_the_cheap_pair():
    parts = (
        Part("Ω", 10.0, price=5.0),
        Part("Ω", 20.0, price=1.0),
        Part("Ω", 15.0, price=0.1),
        Part("Ω", 5.0, price=3.0),
    )
    choices = choices_for(Drawer("shop", parts), "Ω", pairs=True)
    by_value = {choice.value: choice for choice in map(choices.choice, range(len(choices)))}
    assert by_value[20.0].written == "20 Ω"
    assert by_value[30.0].written == "15 Ω + 15 Ω"
    assert len(by_value) == len(choices)


def test_a_drawer_without_the_kind():
    with pytest.raises(OptionError, match="box does not have any inductor"):
        choices_for(Drawer("box", (Part("Ω", 1.0),)), "H")
    with pytest.raises(OptionError, match="2 resistors of one value"):
        choices_for(Drawer("box", (Part("Ω", 1.0, count=1),)), "Ω", copies=2)


def test_a_series_is_a_shop_with_all_kinds():
    drawer = drawer_of_series("E3")
    assert {part.unit for part in drawer.parts} == {"Ω", "F", "H"}
    assert all(part.tolerance == 0.4 and part.count is None for part in drawer.parts)
