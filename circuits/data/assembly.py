"""From understood columns to one quantity for every output."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from circuits.data import conversion
from circuits.data.columns import Column
from circuits.errors import DataError

_PEAKS = {"": 1.0, "peak": 1.0, "peak to peak": 0.5, "rms": 2.0**0.5}
Columns = dict[str, Column]
Values = tuple[Tensor, Tensor | None, list[Column]]


def offers(columns: Columns) -> set[str]:
    """Every quantity that one output's columns can give."""
    found = {"led"} if "led" in columns else set()
    if _has_level(columns):
        found |= {"magnitude", "decibels"}
    if "phase" in columns:
        found |= {"phase"}
    if _is_complex(columns) or {"magnitude", "phase"} <= found:
        found |= {"response", "magnitude", "decibels", "phase"}
    return found


def choose(outputs: dict[str, Columns], quantity: str | None) -> tuple[str, list[str]]:
    """The quantity to read and the outputs that have it.

    Unless one is asked for: what most outputs have, and of these the complex response before a level, a
        level before a
    phase, a phase before lights. A level is decibels where all give decibels and none a ratio.

    Raises:
        DataError: no output has the quantity asked for.
    """
    offered = {name: offers(columns) for name, columns in outputs.items()}

    def having(wanted: str) -> list[str]:
        return [name for name in outputs if wanted in offered[name]]

    if quantity is None:
        quantity = max(("response", "magnitude", "phase", "led"), key=lambda wanted: len(having(wanted)))
        given = [outputs[name].keys() for name in having(quantity)]
        if quantity == "magnitude" and all("decibels" in one and "magnitude" not in one for one in given):
            quantity = "decibels"
    if not having(quantity):
        known = sorted(set().union(*offered.values())) or ["nothing"]
        raise DataError(f"no {quantity} can be had from these columns; they give {', '.join(known)}")
    return quantity, having(quantity)


def produce(columns: Columns, quantity: str) -> Values:
    """Values, uncertainty and the columns used, for one output."""
    if quantity == "led":
        return _plain(columns["led"])
    if quantity == "response":
        return _complex(columns) if _is_complex(columns) else _polar(columns)
    direct = quantity if quantity in columns else ""
    if not direct and quantity in ("magnitude", "decibels") and not _has_level(columns):
        return _converted(_complex(columns), "response", quantity)
    if quantity == "phase":
        return _plain(columns["phase"]) if direct else _converted(_complex(columns), "response", "phase")
    if direct:
        return _plain(columns[quantity])
    source = next(role for role in ("magnitude", "decibels", "vout") if role in columns)
    if source == "vout":
        ratio = _ratio(columns["vout"], columns["vin"])
        return ratio if quantity == "magnitude" else _converted(ratio, "magnitude", quantity)
    return _converted(_plain(columns[source]), source, quantity)


def stack(parts: list[Values]) -> tuple[Tensor, Tensor | None, str]:
    """Outputs one above the other; an uncertainty that not all of them have is left out, with a note."""
    values = torch.stack([part[0] for part in parts])
    sigmas = [part[1] for part in parts if part[1] is not None]
    if sigmas and len(sigmas) < len(parts):
        return values, None, "an uncertainty given for some outputs only is left out"
    return values, torch.stack(sigmas) if sigmas else None, ""


def _has_level(columns: Columns) -> bool:
    return bool({"magnitude", "decibels"} & columns.keys()) or {"vin", "vout"} <= columns.keys()


def _is_complex(columns: Columns) -> bool:
    return {"real", "imag"} <= columns.keys()


def _plain(column: Column) -> Values:
    sigma = None if column.sigma is None else torch.from_numpy(column.sigma)
    return torch.from_numpy(column.values), sigma, [column]


def _converted(given: Values, source: str, target: str) -> Values:
    values, sigma, used = given
    return (*conversion.convert(values, sigma, source, target), used)


def _complex(columns: Columns) -> Values:
    """Real and imaginary part; one uncertainty serves both, two by the root of their mean square."""
    real, imag = columns["real"], columns["imag"]
    spreads = [one.sigma for one in (real, imag) if one.sigma is not None]
    sigma = _root_mean_square(spreads[0], spreads[-1]) if spreads else None
    return torch.complex(torch.from_numpy(real.values), torch.from_numpy(imag.values)), sigma, [real, imag]


def _polar(columns: Columns) -> Values:
    """M e^{iφ}. Uncertain by σ_M along and M σ_φ across; without both of them nothing is claimed."""
    size, spread, used = produce({role: one for role, one in columns.items() if role != "phase"}, "magnitude")
    phase = columns["phase"]
    angle = torch.deg2rad(torch.from_numpy(phase.values))
    across = None if phase.sigma is None else size.numpy() * np.deg2rad(phase.sigma)
    both = None if spread is None or across is None else _root_mean_square(spread.numpy(), across)
    return size * torch.complex(torch.cos(angle), torch.sin(angle)), both, [*used, phase]


def _ratio(vout: Column, vin: Column) -> Values:
    """V_out / V_in, its relative variance the sum of theirs; a voltage without one counts as exact."""
    ratio = vout.values / vin.values * _relative_swing(vout, vin)
    variances = [(one.sigma / one.values) ** 2 for one in (vout, vin) if one.sigma is not None]
    sigma = torch.from_numpy(np.abs(ratio) * np.sqrt(sum(variances))) if variances else None
    return torch.from_numpy(ratio), sigma, [vout, vin]


def _relative_swing(vout: Column, vin: Column) -> float:
    """One volt of the output column in volts of the input column: one may be peak to peak, one rms."""
    out_unit, in_unit = vout.meaning.unit, vin.meaning.unit
    if out_unit is None and in_unit is None:
        return 1.0
    swings = [one.swing if one else "" for one in (out_unit, in_unit)]
    scales = [one.factor if one else 1.0 for one in (out_unit, in_unit)]
    one_bare = (out_unit is None or in_unit is None) and scales[0] != scales[1]
    if one_bare or (swings[0] != swings[1] and "" in swings):
        raise DataError(
            f"{vout.name!r} and {vin.name!r} are not in the same unit; write both alike, such as Vpp or Vrms"
        )
    return _PEAKS[swings[0]] / _PEAKS[swings[1]]


def _root_mean_square(one: np.ndarray, other: np.ndarray) -> Tensor:
    """Two uncertainties in one number for each point."""
    return torch.from_numpy(np.sqrt((one**2 + other**2) / 2))
