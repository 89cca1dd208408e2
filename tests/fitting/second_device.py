"""A second device where there is none: tensors that live on the CPU, say that they live elsewhere, and refuse to mix.

`torch.device("lazy")` stands for the CUDA device that is not here. A tensor there is a wrapper around one on the CPU;
an operation between the two raises as it does on CUDA, except with a single number, and except for an index.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

FAR = torch.device("lazy")


class Far(torch.Tensor):
    """A tensor on the second device."""

    @staticmethod
    def __new__(cls, inner):
        options = {"strides": inner.stride(), "storage_offset": inner.storage_offset(), "dtype": inner.dtype}
        return torch.Tensor._make_wrapper_subclass(cls, inner.size(), device=FAR, **options)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return carry_out(func, args, kwargs or {})


class SecondDevice(TorchDispatchMode):
    """While it is active there is a second device; `arrivals` are the elements of every table that was sent there."""

    arrivals: list[int]

    def __enter__(self):
        SecondDevice.arrivals = []
        self.makers = _Makers()
        self.makers.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.makers.__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return carry_out(func, args, kwargs or {})


class _Makers(TorchFunctionMode):
    """Python data are made into a tensor here and sent there, and fetched back as on CUDA: NumPy only by force."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") == FAR:
            return func(*args, **{**kwargs, "device": None}).to(FAR)
        if func in (torch.Tensor.tolist, torch.Tensor.numpy) and isinstance(args[0], Far):
            if func is torch.Tensor.numpy and not kwargs.get("force"):
                raise TypeError("can't convert a tensor of the second device to numpy; use numpy(force=True)")
            return func(args[0].detach().cpu(), *args[1:], **kwargs)
        return func(*args, **kwargs)


def carry_out(func: Any, args: Any, kwargs: Any) -> Any:
    """One operation on the inner tensors."""
    tensors = [t for t in tree_flatten((args, kwargs))[0] if isinstance(t, torch.Tensor)]
    far, near = ([t for t in tensors if isinstance(t, Far) is there] for there in (True, False))
    name, wanted = func._schema.name, kwargs.get("device")
    args_inside, kwargs_inside = tree_map(_inner, (args, kwargs))
    if name in ("aten::_to_copy", "aten::copy_"):
        return _moved(func, args, args_inside, kwargs_inside, wanted)
    if name.startswith("aten::index"):
        near = [t for t in near if t.dtype not in (torch.int64, torch.bool)]
    if far and any(t.ndim > 0 for t in near):
        raise RuntimeError(f"{name}: tensors on two devices, of shapes {[tuple(t.shape) for t in near]} here")
    out = func(*args_inside, **kwargs_inside)
    if not far and (wanted is None or torch.device(wanted) != FAR):
        return out
    if func._schema.is_mutable and name.endswith("_"):
        return args[0]
    # the wrapper knows nothing of a conjugate that is still to be taken
    return tree_map(lambda t: Far(t.resolve_conj().resolve_neg()) if isinstance(t, torch.Tensor) else t, out)


def _inner(thing: Any) -> Any:
    if isinstance(thing, Far):
        return thing.inner
    return torch.device("cpu") if isinstance(thing, torch.device) and thing == FAR else thing


def _moved(func: Any, args: Any, args_inside: Any, kwargs_inside: Any, wanted: Any) -> Any:
    """A copy from one device to the other, or within one."""
    out = func(*args_inside, **kwargs_inside)
    place = args[0].device if wanted is None else torch.device(wanted)
    source = args[1] if func._schema.name == "aten::copy_" else args[0]
    if place == FAR and not isinstance(source, Far):
        SecondDevice.arrivals.append(source.numel())
    if func._schema.name == "aten::copy_":
        return args[0]
    return Far(out) if place == FAR else out


def sent_there(module: torch.nn.Module) -> torch.nn.Module:
    """The same module with its parameters on the second device."""
    made: dict[int, torch.nn.Parameter] = {}
    for part in module.modules():
        for name, p in list(part._parameters.items()):
            if p is not None:
                part._parameters[name] = made.setdefault(id(p), torch.nn.Parameter(Far(p.detach()), p.requires_grad))
    return module
