"""`circuits tune`: an hour at the bench, tone by tone."""

from __future__ import annotations

import argparse
import copy
import math
import sys
from typing import TYPE_CHECKING, Any

from circuits.commands import DONE, INTERRUPTED, NOT_EXPLAINED
from circuits.commands.arguments import add_circuit, assignments, check_report, seed, share, tolerances, value_in
from circuits.commands.choosing import circuit_to_tune
from circuits.commands.swapping import add_stock, stock_of, swap_list
from circuits.errors import NotationError, OhmgradError, OptionError

if TYPE_CHECKING:
    from circuits.circuit import Circuit
    from circuits.lab.dialogue.session import Session
    from circuits.lab.parts.drawer import Drawer

SUMMARY = "find the components of a board, from tones that are proposed one by one"
CIRCUIT = "words"
READINGS = ("led", "decibels", "magnitude")
AUDIBLE = (20.0, 20e3)
"""Hertz between which tones are proposed where a laptop plays them."""

WORDS = {"l": 1.0, "lit": 1.0, "1": 1.0, "d": 0.0, "dark": 0.0, "0": 0.0, "-": None}
USUAL = {"R": 0.05, "C": 0.10}
"""Tolerances of parts where nobody says."""
HELP = {
    "led": "l or lit, d or dark, - not looked at; for several LEDs all in a row, such as l d d or ldd",
    "decibels": "the level of the output over that of the input in decibels, such as -3.1; - not read",
    "magnitude": "the amplitude of the output over that of the input, such as 0.71; - not read",
}
ALSO = "at 820 before the answer: another tone was played; undo: take the last answer back; quit: leave"


def add_options(parser: argparse.ArgumentParser) -> None:
    """What may be typed after the command."""
    add_circuit(parser)
    add = parser.add_argument
    add("--learn", metavar="R*", action="append", default=[], help="parts of the netlist to find (may be repeated)")
    add("--free", metavar="C", action="append", default=[], help="find a component that is held by default, too")
    add("--log", metavar="FILE", help="keep every answer there; a session that was left goes on from it")
    add("--until", metavar="1%", type=_width, default=0.01, help="how well every component shall be known; 1%%")
    add("--readings", choices=READINGS, default="led", help="what is looked at; led")
    add("--sigma", metavar="S", type=value_in(None), help="standard deviation of a reading; 0.01, or 0.1 dB")
    add("--tone", metavar="FILE", help="write every proposed tone to this .wav file, to be played")
    add("--sweep", metavar="FILE", help="write a sweep over all tones to this .wav file first")
    add("--from", dest="low", metavar="HZ", type=value_in("Hz"), help="lowest tone; 1, or 20 with --tone")
    add("--to", dest="high", metavar="HZ", type=value_in("Hz"), help="highest tone; 1M, or 20k with --tone")
    add("--seed", metavar="N", type=seed, default=0, help="of everything random; 0")
    add_stock(parser)
    add("--wanted", metavar="FILE", help="a table of tones and LEDs that a board has to show: say how many would")
    add("--tolerance", metavar="R=5%%", action="append", default=[], help="with --wanted: of the parts; R=5%%, C=10%%")
    add("--report", metavar="FILE", help="write a page with all that was found and answered to a .html file")


def _width(text: str) -> float:
    """A relative width: 1%, 0.5 %, 0.01."""
    try:
        value = share(text)
    except NotationError:
        value = -1.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no width; expected one such as 1% or 0.01")
    return value


def run(options: argparse.Namespace) -> int:
    """Propose, listen and show until all is known or nobody answers."""
    drawer = stock_of(options)
    check_report(options.report)
    session, circuit = _session(options)
    _write_sweep(session, options)
    if session.note:
        print(session.note, file=sys.stderr)
    if session.observations:
        print(f"going on after {len(session.observations)} answers")
    print(f"answers: {HELP[options.readings]}\n{ALSO}")
    status = None
    try:
        while not session.done and _ask(session, options):
            _show(session)
    except KeyboardInterrupt:
        status = INTERRUPTED
    notes = [("The session", result(session)), *_advice(session, circuit, drawer, options)]
    print("".join(f"\n{text}\n" for _, text in notes), end="")
    if options.report is not None and session.observations:
        _write_report(session, options.report, notes)
    if options.log is not None and not session.done:
        print(f"{options.log}: keeps the {len(session.observations)} answers; the same command goes on from them")
    return status or (DONE if session.good else NOT_EXPLAINED)


def result(session: Session) -> str:
    """What is known in the end, as a table, and what that rests on."""
    lines = [f"  {name} = {one}" for name, one in session.state().items()]
    count = len(session.observations)
    told = f"after {count} tone{'s' * (count != 1)}"
    if session.good:
        return "\n".join([f"every component is within ±{100 * session.until:g} %, {told}:", *lines])
    lines.insert(0, f"{told}, each component with 95 %:")
    if session.stuck:
        lines.append(f"no tone between the two ends tells more about {', '.join(session.open)}")
        lines += [f"  {hint}" for hint in session.hints()]
    return "\n".join(lines)


# the dialogue


def _ask(session: Session, options: argparse.Namespace) -> bool:
    """One question, asked until it is answered; False where the person leaves."""
    print(f"\n{_proposal(session, options)}")
    while True:
        try:
            words = input("> ").split()
        except EOFError:
            return False
        if len(words) == 1 and words[0].lower() in ("quit", "q"):
            return False
        try:
            if _answered(session, words, options.readings):
                return True
        except OhmgradError as error:
            print(error)


def _answered(session: Session, words: list[str], readings: str) -> bool:
    """Follow one line; whether the next tone is due."""
    from circuits.notation import parse

    first = words[0].lower() if words else "help"
    if first in ("help", "?"):
        print(f"{HELP[readings]}\n{ALSO}")
        return False
    if first == "undo":
        last = session.undo()
        print(f"taken back: {last.tone:g} Hz")
        return True
    tone = session.propose()
    if first == "at":
        if len(words) < 3:
            raise OptionError("expected a tone and an answer, such as: at 820 l d d")
        tone, words = parse(words[1], "Hz"), words[2:]
    session.tell(tone, _values(words, readings, len(session.outputs)))
    return True


def _values(words: list[str], readings: str, outputs: int) -> list[Any]:
    """The answers in a line.

    >>> _values(["LDD"], "led", 3), _values(["-3.1", "dB"], "decibels", 1)
    ([1.0, 0.0, 0.0], [-3.1])
    """
    from circuits.notation import parse

    if readings == "led":
        words = [word.lower() for word in words]
        if len(words) == 1 and words[0] not in WORDS and len(words[0]) == outputs:
            words = list(words[0])
        unknown = [word for word in words if word not in WORDS]
        if unknown:
            raise OptionError(f"{unknown[0]!r} is no answer; expected {HELP['led']}")
        return [WORDS[word] for word in words]
    words = [word for word in words if word.lower() != "db"]
    try:
        return [None if word == "-" else parse(word, "dB" if readings == "decibels" else "") for word in words]
    except NotationError as error:
        raise OptionError(f"{error}; expected {HELP[readings]}") from None


def _proposal(session: Session, options: argparse.Namespace) -> str:
    """The tone to play, and what to expect there."""
    choice = session.choice
    if options.tone is not None:
        from circuits.lab.dialogue.tones_wav import write_tone

        write_tone(options.tone, choice.tone)
    said = []
    for name, value, spread in zip(session.outputs, choice.expected, choice.spread, strict=True):
        unit = " dB" if options.readings == "decibels" else ""
        what = f"lit with {100 * value:.0f} %" if options.readings == "led" else f"{value:.3g} ± {spread:.2g}{unit}"
        said.append(f"{name} {what}".strip())
    where = f" ({options.tone})" if options.tone is not None else ""
    return f"{len(session.observations) + 1}. play {choice.tone:g} Hz{where}; expected: {', '.join(said)}"


def _show(session: Session) -> None:
    """Every component's interval, a line each."""
    for name, one in session.state().items():
        mark = "✓" if one.relative <= session.until else " "
        print(f"  {mark} {name} = {one}")


# the session


def _advice(
    session: Session, circuit: Circuit, drawer: Drawer | None, options: argparse.Namespace
) -> list[tuple[str, str]]:
    """Real parts, for the values that were typed or where some were not for those that were found; and the yield."""
    from circuits.data import log_grid

    if not session.observations:
        return []
    typed = {name.lower() for name in assignments(options.values, "value")}
    as_typed = typed.issuperset(name.lower() for name in session.state())
    whose = "the values that were typed" if as_typed else "what was found"
    wanted, notes = circuit if as_typed else session.fitted(), []
    if drawer is not None:
        f = log_grid(200, session.low, session.high)
        swaps = swap_list(wanted, [*session.state()], f, "magnitude", drawer, options)
        notes.append(("Parts to use", f"parts for {whose}: {swaps}"))
    if options.wanted is not None:
        notes.append(("Yield", f"built anew with {whose}: {_yield(wanted, options)}"))
    return notes


def _yield(circuit: Circuit, options: argparse.Namespace) -> str:
    """How many boards with these nominal values show the LEDs that are wanted."""
    from circuits.data import read
    from circuits.lab import estimate_yield, leds_as_limits, tolerances_of
    from circuits.lab.production.answers import threshold_of

    parts = tolerances_of(circuit, tolerances(options.tolerance) or USUAL)
    limits = leds_as_limits(read(options.wanted, "led"), threshold_of(circuit))
    return str(estimate_yield(circuit, limits, parts, seed=options.seed))


def _write_report(session: Session, path: str, notes: list[tuple[str, str]]) -> None:
    """The page of a fit to all answers, with what the session found beside it."""
    from circuits.data import Measurements
    from circuits.fitting import fit

    seen = session.observations
    table = [[math.nan if value is None else value for value in one.values] for one in seen]
    columns = [list(column) for column in zip(*table, strict=True)]
    named = session.circuit.outputs
    values: Any = columns if named else columns[0]
    tones: Any = [one.tone for one in seen]
    data = Measurements(tones, session.posterior.look.quantity, values, outputs=named).sorted()
    lines = [[f"{one.tone:>10g} Hz  ", *(_told(session, value) for value in one.values)] for one in seen]
    answers = ("Every answer", "\n".join(" ".join(line) for line in lines))
    try:
        found = fit(session.fitted(), data)
    except OhmgradError as error:  # so far the answers bound the components on one side only
        print(f"no report yet: {error}", file=sys.stderr)
        return
    found.report(path, notes=[*notes, answers])
    print(f"report: {path}")


def _told(session: Session, value: float | None) -> str:
    """An answer as it was given."""
    if value is None:
        return "-"
    return ("lit" if value else "dark") if session.posterior.look.quantity == "led" else f"{value:g}"


def _session(options: argparse.Namespace) -> tuple[Session, Circuit]:
    """The session, and the circuit as it was typed."""
    from circuits.lab.dialogue.session import Session

    circuit, within = circuit_to_tune(options)
    plays = options.tone is not None or options.sweep is not None
    low, high = AUDIBLE if plays else (1.0, 1e6)
    low, high = (low if options.low is None else options.low), (high if options.high is None else options.high)
    if plays and high >= 24e3:
        raise OptionError(f"--to {high:g} with --tone or --sweep; a sound card plays tones below 24 kHz")
    session = Session(
        circuit,
        options.log,
        readings=options.readings,
        until=options.until,
        low=low,
        high=high,
        within=within,
        sigma=options.sigma,
        seed=options.seed,
    )
    return session, copy.deepcopy(circuit)


def _write_sweep(session: Session, options: argparse.Namespace) -> None:
    if options.sweep is not None:
        from circuits.lab.dialogue.tones_wav import write_sweep

        write_sweep(options.sweep, session.low, session.high)
        print(f"sweep: {options.sweep}, {session.low:g} Hz to {session.high:g} Hz in 10 s")
