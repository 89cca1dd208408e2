"""Other files: `.include` and `.lib`, never from outside the netlist's own folder unless it is allowed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from circuits.errors import NetlistError
from circuits.netlist.language import files, limits, parse_netlist, read_file
from netlist.language.spice import value

LIB = """junk that nobody reads
.lib Slow
R1 a 0 1
.endl
.lib 'fast'
R1 a 0 2
.include more/c.inc
.endl fast
.lib other
R1 a 0 {
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A netlist's folder inside another one, in which there is a secret."""
    inside = tmp_path / "project"
    (inside / "more").mkdir(parents=True)
    (tmp_path / "secret.inc").write_text("Rsecret a 0 1\n")
    (inside / "r.inc").write_text("R1 a 0 1k\n")
    (inside / "with blank.inc").write_text("R1 a 0 1k\n")
    (inside / "parts.lib").write_text(LIB)
    (inside / "more" / "c.inc").write_text("C1 a 0 1\n")
    (inside / "more" / "deep.inc").write_text(".include c.inc\n.inc r.inc\n")
    return inside


READ = {
    ".include r.inc": ["R1"],
    ".INC r.inc": ["R1"],
    ".include 'with blank.inc'": ["R1"],
    '.include "with blank.inc" ; a remark': ["R1"],
    ".include ./more/../r.inc": ["R1"],
    ".include more/deep.inc": ["C1", "R1"],  # beside the file that asks, or else in the netlist's folder
    ".lib parts.lib slow": ["R1"],
    ".lib 'parts.lib' FAST": ["R1", "C1"],
    ".lib parts.lib 'fast'": ["R1", "C1"],
    ".subckt s a\n.include r.inc\n.ends\nX1 a s": ["X1.R1"],
}


@pytest.mark.parametrize("text", READ, ids=repr)
def test_files_are_read(text: str, folder: Path):
    (folder / "main.cir").write_text(f"t\n{text}\n")
    assert [e.name for e in read_file(folder / "main.cir").elements] == READ[text]
    assert [e.name for e in parse_netlist(f"t\n{text}\n", folder=folder).elements] == READ[text]


def test_a_file_may_be_included_in_the_first_line(folder: Path):
    netlist = parse_netlist(".include r.inc\nR2 a 0 1", folder=folder)
    assert (netlist.title, [e.name for e in netlist.elements]) == (".include r.inc", ["R1", "R2"])


def test_an_included_file_has_no_title_and_its_end_is_its_own(folder: Path):
    (folder / "end.inc").write_text("R1 a 0 1\n.end\n")
    assert [e.name for e in parse_netlist("t\n.include end.inc\nR2 a 0 1", folder=folder).elements] == ["R1", "R2"]


def outside(folder: Path) -> dict[str, str]:
    (folder / "link.inc").symlink_to(folder.parent / "secret.inc")
    (folder / "linked").symlink_to(folder.parent)
    (folder / "loop.inc").symlink_to("loop.inc")
    (folder / "dangling.inc").symlink_to("nowhere.inc")
    os.mkfifo(folder / "pipe.inc")
    (folder / "zero.inc").symlink_to("/dev/zero")
    (folder / "binary.inc").write_bytes(b"\x00\x01\x02")
    return {
        "../secret.inc": "outside the netlist's folder",
        f"{folder.parent}/secret.inc": "outside the netlist's folder",
        "more/../../secret.inc": "outside the netlist's folder",
        "link.inc": "outside the netlist's folder",
        "linked/secret.inc": "outside the netlist's folder",
        "/dev/zero": "outside the netlist's folder",
        "zero.inc": "outside the netlist's folder",
        "/etc/passwd": "outside the netlist's folder",
        "../no_such_file": "outside the netlist's folder",
        "nowhere.inc": "cannot read 'nowhere.inc' (No such file or directory)",
        "dangling.inc": "cannot read 'nowhere.inc' (No such file or directory)",
        "loop.inc": "cannot",
        "more": "is no regular file",
        ".": "is no regular file",
        "..": "outside the netlist's folder",
        "pipe.inc": "is no regular file",
        "binary.inc": "is no text",
        "x" * 5000: "cannot look for|cannot read",
        "''": "expected the name of a file",
        "": "expected the name of a file",
        "r.inc r.inc": "takes one file",
    }


def test_what_lies_outside_or_is_no_file_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    opened: list[str] = []
    really = os.open
    monkeypatch.setattr(
        files.os, "open", lambda path, *rest: opened.append(os.path.realpath(path)) or really(path, *rest)
    )
    for name, message in outside(folder).items():
        with pytest.raises(NetlistError) as caught:
            parse_netlist(f"t\n\n.include {name}\n", folder=folder)
        assert str(caught.value).startswith("netlist:3: "), name
        assert any(part in str(caught.value) for part in message.split("|")), (name, str(caught.value))
    assert [path for path in opened if not Path(path).is_relative_to(folder)] == []


def test_outside_may_be_allowed(folder: Path):
    names = outside(folder)
    for name in ("../secret.inc", f"{folder.parent}/secret.inc", "link.inc"):
        assert len(parse_netlist(f"t\n.include {name}\n", folder=folder, allow_outside=True).elements) == 1
    (folder / "main.cir").write_text("t\n.include ../secret.inc\n")
    assert len(read_file(folder / "main.cir", allow_outside=True).elements) == 1
    for name in ("/dev/zero", "pipe.inc", "more"):
        assert name in names
        with pytest.raises(NetlistError, match="is no regular file"):
            parse_netlist(f"t\n.include {name}\n", folder=folder, allow_outside=True)


def test_text_alone_includes_nothing():
    with pytest.raises(NetlistError, match="^netlist:2: .*no folder.*pass folder="):
        parse_netlist("t\n.include /etc/hosts\n")
    with pytest.raises(NetlistError, match="^netlist:2: .*no folder"):
        parse_netlist("t\n.include /etc/hosts\n", allow_outside=True)


def test_errors_name_the_file_within_the_folder_and_its_line(folder: Path):
    (folder / "more" / "bad.inc").write_text("* remark\nR1 a 0\n+\n+ 4k7\n")
    (folder / "main.cir").write_text("t\n.include more/bad.inc\n")
    with pytest.raises(NetlistError, match="^more/bad.inc:4: R1: '4k7' is no number"):
        read_file(folder / "main.cir")
    netlist = parse_netlist("t\n.include more/c.inc\n", folder=folder, name="main.cir")
    assert str(netlist.elements[0].place) == "more/c.inc:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".lib parts.lib nothing", "^netlist:2: section 'nothing' is not in that file"),
        (".lib parts.lib other", "^netlist:2: section 'other' is not in that file, or never ends"),
        (".lib parts.lib", "^netlist:2: .lib takes a file and a section"),
        (".lib ../secret.inc x", "^netlist:2: .*outside"),
        (".lib nested.lib a", "^nested.lib:2: a section within a section"),
        (".lib", "^netlist:2: expected the name of a file"),
    ],
)
def test_sections(text: str, message: str, folder: Path):
    (folder / "nested.lib").write_text(".lib a\n.lib b\n.endl\n.endl\n")
    with pytest.raises(NetlistError, match=message):
        parse_netlist(f"t\n{text}\n", folder=folder)


def test_files_that_include_each_other_are_named(folder: Path):
    (folder / "a.inc").write_text("*\n.include b.inc\n")
    (folder / "b.inc").write_text(".include more/../a.inc\n")
    with pytest.raises(NetlistError, match=r"^b.inc:1: files include each other: a.inc → b.inc → a.inc"):
        parse_netlist("t\n.include a.inc\n", folder=folder)
    (folder / "main.cir").write_text("t\n.include main.cir\n")
    with pytest.raises(NetlistError, match=r"^main.cir:2: files include each other: main.cir → main.cir"):
        read_file(folder / "main.cir")


def test_deep_and_many_files_are_refused(folder: Path):
    for k in range(30):
        (folder / f"d{k}.inc").write_text(f".include d{k + 1}.inc\n")
    with pytest.raises(NetlistError, match="more than 20 deep"):
        parse_netlist("t\n.include d0.inc\n", folder=folder)
    for k in range(15):
        (folder / f"e{k}.inc").write_text(f".include e{k + 1}.inc\n" * 2)
    (folder / "e15.inc").write_text("* nothing\n")
    with pytest.raises(NetlistError, match="more than 500 files"):
        parse_netlist("t\n.include e0.inc\n", folder=folder)


def test_large_files_are_refused(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(files, "MAX_TEXT", 10_000)
    (folder / "large.inc").write_text("* " + "x" * 6_000 + "\n")
    assert parse_netlist("t\n.include large.inc\n", folder=folder).elements == ()
    with pytest.raises(NetlistError, match="^netlist:3: .*is too large"):
        parse_netlist("t\n.include large.inc\n.include large.inc\n", folder=folder)
    (folder / "main.cir").write_text("x" * 10_001)
    with pytest.raises(NetlistError, match="^main.cir: .*is too large"):
        read_file(folder / "main.cir")
    with pytest.raises(NetlistError, match="^netlist:1: a netlist of more than"):
        parse_netlist("x" * (limits.MAX_TEXT + 1))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "latin-1"])
def test_old_encodings_are_read(encoding: str, tmp_path: Path):
    (tmp_path / "main.cir").write_bytes("t\nC1 a 0 1µF\n".encode(encoding))
    assert value(read_file(tmp_path / "main.cir"), "C1") == 1e-6


@pytest.mark.parametrize("what", ["nothing", "folder", "pipe", "binary"])
def test_a_main_file_that_cannot_be_read(what: str, tmp_path: Path):
    path = tmp_path / "main.cir"
    if what == "folder":
        path.mkdir()
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "binary":
        path.write_bytes(b"\x00\xff" * 10)
    with pytest.raises(NetlistError, match="^main.cir: "):
        read_file(path)


def test_a_path_may_be_a_text(folder: Path):
    (folder / "main.cir").write_text("A title\n.include r.inc\n")
    netlist = read_file(str(folder / "main.cir"))
    assert (netlist.title, netlist.source, len(netlist.elements)) == ("A title", "main.cir", 1)
