"""Writing a file so that nothing is ever lost: the whole new file is there, or the old one still is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from circuits.errors import DataError


def replace_file(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write text or bytes to a file beside the target and move it into place in one step.

    Raises:
        DataError: a place that cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     replace_file(f"{folder}/note.txt", "kept")
    ...     Path(f"{folder}/note.txt").read_text()
    'kept'
    """
    with replacing_file(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def replacing_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A file to write bytes to, little by little, that takes the place of the target once all is written.

    Raises:
        DataError: a place that cannot be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with replacing_file(f"{folder}/note.txt") as file:
    ...         _ = file.write(b"kept")
    ...     Path(f"{folder}/note.txt").read_text()
    'kept'
    """
    path = Path(path)
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise DataError(
            f"cannot write {path}: {error.strerror}; choose a folder that exists and may be written"
        ) from error
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, path.stat().st_mode if path.exists() else 0o644)
        os.replace(temporary, path)
    except BaseException as error:
        Path(temporary).unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise DataError(f"cannot write {path}: {error.strerror}; choose another place") from error
        raise
