"""A fit as JSON: everything that was found, readable by a person and by `load_fit`."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from circuits.catalogue import CATALOGUE, make, make_again
from circuits.circuit import Circuit
from circuits.errors import DataError, OhmgradError
from circuits.files import replace_file
from circuits.fitting.history import History
from circuits.fitting.identifiability import Combination, Identifiability
from circuits.fitting.result import Fit
from circuits.fitting.saved import SavedFit

FORMAT = "ohmgrad fit 1"


def save(fit: Fit | SavedFit, path: str | os.PathLike[str]) -> None:
    """Write a fit to a JSON file, replacing it in one step."""
    replace_file(path, json.dumps(to_plain(fit), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def to_plain(fit: Fit | SavedFit) -> dict[str, Any]:
    """A fit as dictionaries, lists, numbers and text; numbers that JSON lacks are written as text."""
    history = fit.history
    return {
        "format": FORMAT,
        "circuit": _circuit(fit.circuit) if fit.circuit is not None else None,
        "model_name": fit.model_name,
        "units": fit.units,
        "moved": list(fit.moved),
        "held": list(fit.held),
        "loss_name": fit.loss_name,
        "names": list(fit.names),
        "batch_shape": list(fit.batch_shape),
        "values": _tensors(fit.values),
        "errors": _tensors(fit.errors),
        "intervals": None if fit.intervals is None else _tensors(fit.intervals),
        "covariance": _numbers(fit.covariance),
        "correlation": _numbers(fit.correlation),
        "cutoffs": {n: {"hertz": _numbers(f), "error": _numbers(e)} for n, (f, e) in fit.cutoffs.items()},
        "identifiability": _verdicts(fit.identifiability),
        "loss": _numbers(fit.loss),
        "steps": _numbers(fit.steps),
        "reason": fit.reason.tolist() if isinstance(fit.reason, np.ndarray) else fit.reason,
        "converged": _numbers(fit.converged),
        "explains": _numbers(fit.explains),
        "misfit": fit.misfit,
        "notes": list(fit.notes),
        "seconds": fit.seconds,
        "history": None
        if history is None
        else {
            "names": list(history.names),
            "values": _numbers(history.values),
            "loss": _numbers(history.loss),
            "gradient": _numbers(history.gradient),
        },
    }


def load_fit(path: str | os.PathLike[str]) -> SavedFit:
    """Read a fit that `Fit.save` wrote.

    The circuit is rebuilt with its fitted values if its class is in the catalogue or it came from a netlist, and is
    None otherwise.

    Raises:
        DataError: no such file, or not a fit.

    >>> import circuits as cc, tempfile
    >>> found = cc.fit(cc.LowPass(R=500.0), cc.simulate(cc.LowPass(R=200.0), cc.log_grid(60, 10.0, 1e5)))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     found.save(f"{folder}/fit.json")
    ...     again = load_fit(f"{folder}/fit.json")
    >>> bool(again.values["R"] == found.values["R"]), str(again) == str(found)
    (True, True)
    """
    try:
        plain = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}; give the path of a file written by Fit.save") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path} is not JSON ({error}); give a file written by Fit.save") from error
    if not isinstance(plain, dict) or plain.get("format") != FORMAT:
        raise DataError(f"{path} is not a fit of the format {FORMAT!r}; give a file written by Fit.save")
    try:
        return _from_plain(plain)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, OhmgradError) as error:
        raise DataError(f"{path} is a damaged fit ({error!r}); write it again with Fit.save") from error


def _from_plain(plain: dict[str, Any]) -> SavedFit:
    shape = torch.Size(plain["batch_shape"])
    history = plain["history"]
    reason = plain["reason"]
    return SavedFit(
        circuit=None if plain["circuit"] is None else _rebuilt(plain["circuit"]),
        model_name=plain["model_name"],
        units=plain["units"],
        moved=tuple(plain["moved"]),
        held=tuple(plain["held"]),
        loss_name=plain["loss_name"],
        names=tuple(plain["names"]),
        batch_shape=shape,
        values={n: _tensor(v) for n, v in plain["values"].items()},
        errors={n: _tensor(v) for n, v in plain["errors"].items()},
        intervals=None if plain["intervals"] is None else {n: _tensor(v) for n, v in plain["intervals"].items()},
        covariance=_tensor(plain["covariance"]),
        correlation=_tensor(plain["correlation"]),
        cutoffs={n: (_tensor(c["hertz"]), _tensor(c["error"])) for n, c in plain["cutoffs"].items()},
        identifiability=_judged(plain["identifiability"]),
        loss=_shaped(plain["loss"], shape),
        steps=_shaped(plain["steps"], shape),
        reason=np.array(reason, dtype=object) if shape else reason,
        converged=_shaped(plain["converged"], shape),
        explains=_shaped(plain["explains"], shape),
        misfit=plain["misfit"],
        notes=tuple(plain["notes"]),
        seconds=plain["seconds"],
        history=None
        if history is None
        else History(
            tuple(history["names"]),
            _tensor(history["values"]),
            _tensor(history["loss"]),
            _tensor(history["gradient"]),
        ),
    )


def _circuit(circuit: torch.nn.Module) -> dict[str, Any]:
    kind = next((name for name, cls in CATALOGUE.items() if type(circuit) is cls), None)
    parameters = dict(circuit.named_parameters(remove_duplicate=False))
    return {
        "class": type(circuit).__name__,
        "catalogue": kind if isinstance(circuit, Circuit) else None,
        "recipe": circuit.recipe() if isinstance(circuit, Circuit) else None,
        "components": _tensors({name: p.detach() for name, p in parameters.items()}),
        "learnable": [name for name, p in parameters.items() if p.requires_grad],
        "dtype": str(next(iter(parameters.values())).dtype).removeprefix("torch."),
    }


def _rebuilt(plain: dict[str, Any]) -> Circuit | None:
    recipe = plain.get("recipe")  # files of before there were netlists have none
    dtype = getattr(torch, plain["dtype"])
    values = {n: _tensor(v).to(dtype) for n, v in plain["components"].items()}
    if recipe is not None:
        circuit = make_again(recipe, values)
    elif plain["catalogue"] is not None:
        circuit = make(plain["catalogue"], values)
    else:
        return None
    for name, parameter in circuit.named_parameters(remove_duplicate=False):
        parameter.requires_grad_(name in plain["learnable"])
    return circuit


def _tensors(named: dict[str, Tensor]) -> dict[str, Any]:
    return {name: _numbers(tensor) for name, tensor in named.items()}


def _numbers(value: Any) -> Any:
    """Numbers as nested lists; NaN and infinities as text, which JSON can hold."""
    if isinstance(value, (Tensor, np.ndarray)):
        return _numbers(value.tolist())
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _tensor(plain: Any) -> Tensor:
    return torch.tensor(_plain_numbers(plain), dtype=torch.float64)


def _plain_numbers(plain: Any) -> Any:
    if isinstance(plain, list):
        return [_plain_numbers(part) for part in plain]
    return float(plain) if isinstance(plain, str) else plain


def _shaped(plain: Any, shape: torch.Size) -> Any:
    """One number for one board, a table of the batch's shape otherwise."""
    if not shape:
        return _plain_numbers(plain)
    table = torch.tensor(_plain_numbers(plain), dtype=torch.float64)
    whole = json.dumps(plain).find(".") < 0 and bool(torch.isfinite(table).all())
    if not whole:
        return table
    return table.bool() if "e" in json.dumps(plain) else table.long()


def _verdicts(verdict: Identifiability | list[Identifiability]) -> Any:
    if isinstance(verdict, list):
        return [_verdicts(one) for one in verdict]
    return {
        "determined": list(verdict.determined),
        "together": [
            {
                "exponents": {n: str(e) for n, e in c.exponents.items()},
                "value": c.value,
                "relative_error": c.relative_error,
                "unit": c.unit,
            }
            for c in verdict.together
        ],
        "invisible": list(verdict.invisible),
        "mingled": list(verdict.mingled),
    }


def _judged(plain: Any) -> Any:
    from fractions import Fraction  # read back as exactly as they were written

    if isinstance(plain, list):
        return [_judged(one) for one in plain]
    together = tuple(
        Combination({n: Fraction(e) for n, e in c["exponents"].items()}, c["value"], c["relative_error"], c["unit"])
        for c in plain["together"]
    )
    return Identifiability(tuple(plain["determined"]), together, tuple(plain["invisible"]), tuple(plain["mingled"]))
