"""The `circuits` command: what `circuits.commands` hold. Torch is loaded once the options are understood."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from circuits.commands import BAD_INPUT, BROKEN_PIPE, COMMANDS, DONE, INTERRUPTED, module_of
from circuits.commands.options import read_options
from circuits.errors import OhmgradError, OptionError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; bad input is one line on standard error.

    >>> main(["graph", "low-pass", "R=500", "--at", "-1"])
    2
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Ω shall still see the rest of the line
    try:
        status = _run(argv)
        sys.stdout.flush()
        return status
    except (OhmgradError, MemoryError) as error:
        return _complain(str(error) or "not enough memory for this many points; use fewer", BAD_INPUT)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it closes the pipe
        return BROKEN_PIPE


def _run(argv: Sequence[str] | None) -> int:
    try:
        options = read_options(argv)
    except SystemExit as answered:  # --help
        return int(answered.code or DONE)
    if options.version:
        from circuits import __version__

        print(f"circuits (ohmgrad) {__version__}")
        return DONE
    if options.command is None:
        raise OptionError(f"no command; expected one of {', '.join(COMMANDS)}: see circuits --help")
    return module_of(options.command).run(options)


def _complain(message: str, status: int) -> int:
    print("circuits:", " ".join(message.split()), file=sys.stderr)
    return status
