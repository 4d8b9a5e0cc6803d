"""Files in PyTorch's old format, honest and hostile, written without PyTorch."""

from __future__ import annotations

import pickle
import sys
import types
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C


class Storage:
    """Stands for the numbers of one tensor while pickling."""

    def __init__(self, key: str, values: np.ndarray) -> None:
        self.key, self.values = key, values


class Tensor:
    """Pickles as PyTorch's tensors do: a call of `torch._utils._rebuild_tensor_v2`."""

    def __init__(self, storage: Storage, offset: int, shape: tuple, stride: tuple) -> None:
        self.arguments = (storage, offset, shape, stride, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.arguments


class TorchPickler(pickle.Pickler):
    def persistent_id(self, item: Any) -> Any:
        if not isinstance(item, Storage):
            return None
        kind = "LongStorage" if item.values.dtype == np.int64 else "FloatStorage"
        return ("storage", getattr(sys.modules["torch"], kind), item.key, "cpu", item.values.size, None)


def fake_torch(monkeypatch) -> None:
    """Put modules called torch where pickling finds them; the reader under test must not need them."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in ("FloatStorage", "LongStorage", "HalfStorage"):
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_):
        raise AssertionError("the file's own name was called")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)


def as_tensor(key: str, values: np.ndarray) -> Tensor:
    stride = tuple(step // values.itemsize for step in values.strides)
    return Tensor(Storage(key, values), 0, values.shape, stride)


def write_state_dict(path: Path, arrays: Mapping[str, np.ndarray], magic: int = MAGIC) -> None:
    """Write arrays as `torch.save` did before version 1.6."""
    keys = {name: str(1000 + number) for number, name in enumerate(arrays)}
    tensors = OrderedDict((name, as_tensor(keys[name], array)) for name, array in arrays.items())
    write_file(path, tensors, {keys[name]: array for name, array in arrays.items()}, magic)


def write_file(path: Path, described: Any, storages: Mapping[str, np.ndarray], magic: int = MAGIC) -> None:
    """Write any object where the state dict belongs, then the storages."""
    with path.open("wb") as file:
        for item in (magic, 1001, {"little_endian": True}):
            pickle.dump(item, file, protocol=2)
        if isinstance(described, bytes):
            file.write(described)
        else:
            TorchPickler(file, protocol=2).dump(described)
        pickle.dump(list(storages), file, protocol=2)
        for values in storages.values():
            file.write(values.size.to_bytes(8, "little"))
            file.write(np.ascontiguousarray(values).tobytes())
