"""Before processes walk together they compare what they were given; what is wrong in one is said by all."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from circuits import errors
from circuits.errors import OhmgradError, OptionError, ShapeError, UnknownName, WorkerError
from circuits.fitting.distributed.group import Group

T = TypeVar("T")
Terms = Mapping[str, str]
"""What has to be the same in all processes, in words, by what it is called."""


def together(group: Group, act: Callable[[], T]) -> T:
    """Do something in every process; where it fails in one, all of them raise its sentence.

    Raises:
        OhmgradError: what was raised here, or in the first process in which something was.
    """
    result, failure = None, None
    try:
        result = act()
    except Exception as error:  # whatever it is, nobody shall wait for this process
        failure = error
    raise_together(group, failure)
    return result  # type: ignore[return-value]


def raise_together(group: Group, failure: Exception | None) -> None:
    """Tell each other what went wrong here, if anything, and raise if anything did anywhere."""
    said = group.gather(None if failure is None else (type(failure).__name__, str(failure)))
    if failure is not None:
        raise failure
    for rank, words in enumerate(said):
        if words is not None:
            raise _error_of(rank, group.size, *words)


def _error_of(rank: int, size: int, kind: str, text: str) -> OhmgradError:
    """The error of another process, of its own kind where it is one of ours."""
    where = f"process {rank} of {size}"
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, OhmgradError) and known is not UnknownName:
        return known(f"{text} (in {where})")
    return WorkerError(f"{where} raised {kind}: {text}")


def check_agreement(group: Group, terms: Terms) -> None:
    """Compare the terms of all processes.

    Raises:
        ShapeError: different shapes. OptionError: anything else that differs.
    """
    everybody = group.gather(dict(terms))
    first = everybody[0]
    for rank, theirs in enumerate(everybody):
        for what in first:
            if theirs.get(what) != first[what]:
                kind = ShapeError if "shape" in what else OptionError
                raise kind(
                    f"the processes disagree on the {what}: {theirs.get(what)} in process {rank} of {group.size}, and "
                    f"{first[what]} in process 0; give the same in every process"
                )


def words_of(thing: Any) -> str:
    """How something writes itself, without the addresses at which this process happens to hold it.

    >>> words_of(object())
    '<object object>'
    """
    return re.sub(r" at 0x[0-9a-fA-F]+", "", repr(thing))


def mark_of(tensors: Mapping[str, Tensor | None]) -> str:
    """A short mark of the values of tensors, the same wherever these are the same.

    >>> mark_of({"R": torch.tensor([1.0, 2.0])}) == mark_of({"R": torch.tensor([1.0, 2.1])})
    False
    """
    digest = hashlib.blake2b(digest_size=6)
    for name, tensor in tensors.items():
        if tensor is not None:
            table = tensor.detach().cpu().contiguous().reshape(-1)
            digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(table.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def module_terms(module: nn.Module) -> Terms:
    """What has to be the same of a circuit: its kind, its components and their values."""
    state = {**dict(module.named_parameters(remove_duplicate=False)), **dict(module.named_buffers())}
    learned = {name for name, p in module.named_parameters(remove_duplicate=False) if p.requires_grad}
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return {
        "circuit": type(module).__qualname__,
        "shapes of the components": str(shapes),
        "values of the components": f"{mark_of(state)} (a mark of them)",
        "components to be learned": ", ".join(sorted(learned)),
    }
