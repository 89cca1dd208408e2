"""A new instrument is one new file: it is found, asked before the plain table, and given the quantity."""

from __future__ import annotations

import pytest

from circuits.data import read, readers
from circuits.data.readers import binary
from circuits.errors import DataError

INSTRUMENT = """
from circuits.data import Measurements
from circuits.errors import DataError


def recognise(text):
    return text.startswith("ACME 3000")


def parse(text, quantity=None, naming=None):
    if "broken" in text:
        raise DataError("line 2: the sweep was interrupted")
    return Measurements([2.0, 1.0], "decibels", [-20.0, 0.0], meta={"asked": quantity})
"""


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A folder of readers with one more in it."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "zz_acme.py").write_text(INSTRUMENT)
    monkeypatch.setattr(readers, "__path__", [*readers.__path__, str(folder)])
    readers.installed.cache_clear()
    yield tmp_path / "sweep.txt"
    readers.installed.cache_clear()


def names():
    return [reader.__name__.rpartition(".")[2] for reader in readers.installed()]


def test_the_plain_table_is_asked_last():
    assert names()[-1] == "table"
    assert names()[:-1] == sorted(names()[:-1])


def test_a_new_file_is_found(acme):
    assert names()[-2:] == ["zz_acme", "table"]
    acme.write_text("ACME 3000\nf,gain\n1,1\n")
    data = read(acme)
    assert (data.quantity, data.values.tolist()) == ("decibels", [-20.0, 0.0])
    assert data.meta == {"file": "sweep.txt", "asked": None}


def test_another_quantity_is_converted_for_it(acme):
    acme.write_text("ACME 3000")
    data = read(acme, "magnitude")
    assert data.values.tolist() == pytest.approx([0.1, 1.0])
    assert data.meta["asked"] == "magnitude"


def test_its_errors_get_the_path(acme):
    acme.write_text("ACME 3000 broken")
    with pytest.raises(DataError, match=r"sweep.txt: line 2: the sweep was interrupted"):
        read(acme)


def test_other_files_are_not_its_business(acme):
    acme.write_text("f,gain\n1,1\n")
    assert read(acme).quantity == "magnitude"


@pytest.mark.parametrize("reader", binary.installed(), ids=lambda reader: reader.__name__)
def test_every_reader_of_bytes_keeps_the_contract(reader):
    for data in (b"", b"\0", b"Title:", b"\xff\xfeT\0i\0", b"f,gain"):
        assert reader.recognise(data) is False


@pytest.mark.parametrize("reader", readers.installed(), ids=lambda reader: reader.__name__)
def test_every_reader_keeps_the_contract(reader):
    for text in ("", "\n", "x", "# measurements by ohmgrad ", "\ufeff", "{" * 10_000):
        assert reader.recognise(text) in (True, False)
