import io
import json
import os
import signal
import subprocess
import sys

import pytest

import circuits as cc
from circuits import cli
from circuits.lab import Session

NOMINAL = ["color-organ", "low.R=200", "band.R_low=40", "band.R_high=160", "high.R=32"]
LADDER = "ladder\nV1 in 0 AC 1\nR1 in a 200 ; @learn\nC1 a 0 1u\nR2 a out 400\nC2 out 0 1u\n"


def true_organ():
    return cc.ColorOrgan(low=331.0, band=(31.0, 187.0), high=47.0)


def lit(board, tone):
    return (board(tone) > 0.5**0.5).tolist()


@pytest.fixture
def tune(capsys, monkeypatch):
    """Type lines to `circuits tune`; its status, output and complaints."""

    def tune(lines, *words):
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
        status = cli.main(["tune", *map(str, words)])
        return status, *capsys.readouterr()

    return tune


def answers(count):
    """What a person would type, the tones being those that are proposed."""
    session, lines = Session(cc.ColorOrgan(200.0, (40.0, 160.0), 32.0), until=0.2), []
    while not session.done and len(lines) < count:
        tone = session.propose()
        seen = lit(true_organ(), tone)
        session.tell(tone, seen)
        lines.append("".join("dl"[one] for one in seen))
    return lines


def test_the_command_goes_all_the_way_and_on_from_its_log(tune, tmp_path):
    lines = answers(60)
    words = [*NOMINAL, "--until", "20%", "--log", tmp_path / "log"]
    status, out, _ = tune(lines[:5], *words)
    assert status == 1 and "keeps the 5 answers" in out
    status, out, _ = tune(lines[5:], *words)
    assert status == 0 and "going on after 5 answers" in out
    assert f"every component is within ±20 %, after {len(lines)} tones" in out
    assert len((tmp_path / "log").read_text().splitlines()) == len(lines) + 1


def test_every_way_to_answer(tune, tmp_path):
    lines = [
        "l d d",
        "lit dark -",
        "at 820 ldd",
        "undo",
        "at 1k2 1 0 0",
        "help",
        "l d",
        "loud",
        "at",
        "",
        "quit",
        "ldd",
    ]
    status, out, _ = tune(lines, *NOMINAL, "--log", tmp_path / "log")
    assert status == 1
    log = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()[1:]]
    assert [one.get("seen", "undo") for one in log] == [[1, 0, 0], [1, 0, None], [1, 0, 0], "undo", [1, 0, 0]]
    assert [log[2]["tone"], log[4]["tone"]] == [820.0, 1200.0]
    assert "taken back: 820 Hz" in out and "'loud' is no answer" in out and "2 answers; expected one" in out


def test_readings_on_the_terminal(tune):
    status, out, _ = tune(["-3.1", "-3.0 dB", "AT 1k2 -2.5", "x"], "low-pass", "R=200", "--readings", "decibels")
    assert status == 1 and "after 3 tones" in out and "cannot read 'x'" in out


def test_the_tone_and_the_sweep_are_written(tune, tmp_path):
    status, out, _ = tune([], *NOMINAL, "--tone", tmp_path / "a.wav", "--sweep", tmp_path / "s.wav")
    assert status == 1 and "20 Hz to 20000 Hz" in out
    assert {path.name for path in tmp_path.iterdir()} == {"a.wav", "s.wav"}
    status, _, err = tune([], *NOMINAL, "--tone", tmp_path / "a.wav", "--to", "30k")
    assert status == 2 and "24 kHz" in err


def test_a_netlist_on_the_terminal(tune, tmp_path):
    (tmp_path / "l.cir").write_text(LADDER)
    status, out, _ = tune(["l", "d"], "--netlist", tmp_path / "l.cir", "--learn", "R2")
    assert status == 1 and "R1 = " in out and "R2 = " in out
    status, _, err = tune([], "low-pass", "--learn", "R")
    assert status == 2 and "--netlist" in err


def test_ctrl_c_shows_what_is_known_and_keeps_it(tune, tmp_path, monkeypatch):
    typed = iter(["l", "d"])

    def interrupted(prompt):
        answer = next(typed, None)
        if answer is None:
            raise KeyboardInterrupt
        return answer

    monkeypatch.setattr("builtins.input", interrupted)
    status, out, _ = tune([], "low-pass", "R=500", "--log", tmp_path / "log")
    assert status == 130 and "R = " in out and "keeps the 2 answers" in out


@pytest.mark.skipif(os.name == "nt", reason="there are no POSIX signals")
def test_a_session_that_is_killed_keeps_its_answers(tmp_path):
    command = [sys.executable, "-u", "-m", "circuits", "tune", "low-pass", "R=500", "--log", str(tmp_path / "log")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write("l\nd\n")
        process.stdin.flush()
        for line in process.stdout:
            if line.startswith("3. play"):
                break
        process.send_signal(signal.SIGKILL)
    assert len(Session(cc.LowPass(R=500.0), tmp_path / "log").observations) == 2


def test_a_swap_list_for_the_values_that_were_typed_or_found(tune):
    status, out, _ = tune(["l", "quit"], "low-pass", "R=331", "--stock", "E12")
    assert status == 1 and "parts for the values that were typed:" in out
    assert "R 331 Ω 330 Ω 330 Ω -0.3 %" in [" ".join(line.split()) for line in out.splitlines()]
    assert "parts for what was found:" in tune(["l", "quit"], "low-pass", "--stock", "E12")[1]
    status, _, complaints = tune([], "low-pass", "--pairs")
    assert status == 2 and "--pairs goes with --stock" in str(complaints)


def test_a_session_ends_in_a_report(tune, tmp_path):
    board, session, lines = cc.LowPass(R=321.0), Session(cc.LowPass(R=300.0), until=0.05), []
    while not session.done:
        seen = bool(board(session.propose()) > 0.5**0.5)
        session.tell(session.propose(), seen)
        lines.append("l" if seen else "d")
    wanted, page = tmp_path / "wanted.csv", tmp_path / "report.html"
    wanted.write_text("frequency_hz,led\n300,on\n1000,off\n")
    words = ["low-pass", "R=300", "--until", "5%", "--stock", "E12", "--wanted", wanted, "--report", page]
    status, out, _ = tune(lines, *words)
    assert status == 0 and f"report: {page}" in out and "100.00 % of 10,000 boards pass" in out
    text = page.read_text("utf-8")
    for heading in ("The session", "Parts to use", "Yield", "Every answer"):
        assert f">{heading}</h2>" in text
    assert text.count(" Hz   lit") + text.count(" Hz   dark") == len(lines)


def test_a_report_needs_answers_on_both_sides(tune, tmp_path):
    status, out, complaints = tune(["l", "quit"], "low-pass", "--report", tmp_path / "report.html")
    assert status == 1 and "no report yet: " in str(complaints) and not (tmp_path / "report.html").exists()
    status, _, complaints = tune([], "low-pass", "--report", tmp_path / "report.pdf")
    assert status == 2 and "must end in .html" in str(complaints)
