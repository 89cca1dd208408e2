"""What a run is, as text: by this a journal knows whether a later run may go on with it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from torch import Tensor

from circuits.circuit import Circuit
from circuits.fitting.streams.batches import Task
from circuits.fitting.streams.sources import Reading, Source

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def terms_of(source: Source, reading: Reading, task: Task, chunk: int) -> dict[str, str]:
    """Everything on which the table depends, by name; the same in every process."""
    options = {field.name: getattr(task, field.name) for field in fields(task) if field.name != "circuit"}
    asked = {field.name: getattr(reading, field.name) for field in fields(reading)}
    return {
        **source.terms(),
        **_circuit_terms(task.circuit),
        **{name: said(value) for name, value in {**asked, **options, "boards a chunk": chunk}.items()},
    }


def _circuit_terms(circuit: Circuit) -> dict[str, str]:
    kind = type(circuit)
    state = {name: value.tolist() for name, value in circuit.state_dict().items() if isinstance(value, Tensor)}
    learned = [name for name, parameter in circuit.named_parameters() if parameter.requires_grad]
    return {
        "circuit": f"{kind.__module__}.{kind.__qualname__} {said(circuit.recipe())}",
        "values of the circuit": said(state),
        "what it learns": said(learned),
    }


def said(value: Any) -> str:
    """Text that is the same for the same thing in every process: no addresses, names in their order.

    >>> said({"b": 1.5, "a": (None, [2])})
    '{"a": [null, [2]], "b": 1.5}'
    """
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return value.tolist()
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, (set, frozenset)):
        return sorted(str(one) for one in value)
    if isinstance(value, type) or callable(value) and not isinstance(value, Circuit) and _named(value):
        return f"{value.__module__}.{value.__qualname__}"
    return _ADDRESS.sub("", repr(value))


def _named(value: Any) -> bool:
    """Whether it is a function, which has a name of its own."""
    return getattr(value, "__qualname__", None) is not None
