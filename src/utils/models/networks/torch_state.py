"""Read a PyTorch state dict without PyTorch, and without trusting the file.

Before version 1.6, `torch.save` wrote five pickles (a magic number, a protocol number, a note on the
machine, the object, the keys of its storages) and then each storage's raw numbers. A pickle can name any
function of any module to call; this reader knows the few names a state dict needs, answers them with harmless
stand-ins of its own, and refuses every other.
"""

from __future__ import annotations

import math
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from src.utils.settings import UserError

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}
_PICKLES = 5
_MAX_DIMENSIONS = 8


class _Tensor(NamedTuple):
    """A view that the file asks for; a tuple, so that no pickle can alter it once it is made."""

    key: str
    offset: int
    shape: tuple[int, ...]
    stride: tuple[int, ...]

    def read(self, storage: np.ndarray) -> np.ndarray:
        """Copy the view's numbers out of its storage, refusing to look outside it."""
        whole = all(isinstance(n, int) and n >= 0 for n in (self.offset, *self.shape, *self.stride))
        if not whole or len(self.shape) != len(self.stride) or len(self.shape) > _MAX_DIMENSIONS:
            raise pickle.UnpicklingError("a tensor's shape makes no sense")
        last = self.offset + sum((n - 1) * s for n, s in zip(self.shape, self.stride, strict=True))
        if 0 in self.shape or math.prod(self.shape) > storage.size or last >= storage.size:
            raise pickle.UnpicklingError("a tensor reaches beyond its storage")
        strides = tuple(s * storage.itemsize for s in self.stride)
        view = np.lib.stride_tricks.as_strided(storage[self.offset :], self.shape, strides, writeable=False)
        return view.copy()


class _TensorUnpickler(pickle.Unpickler):
    """An unpickler that can make dictionaries, numbers, strings and descriptions of tensors: nothing else."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            # A fresh function each time, so that nothing a file does to it outlives the file.
            return lambda storage, offset, shape, stride, *_: _Tensor(storage, offset, shape, stride)
        if module == "torch" and name in _STORAGES:
            return name
        raise pickle.UnpicklingError(f"it asks for {module}.{name}")

    def persistent_load(self, pid: Any) -> str:
        kind, storage, key, _device, size, view = pid
        if kind != "storage" or view is not None or not isinstance(key, str) or not isinstance(size, int):
            raise pickle.UnpicklingError("it describes something that is not a tensor's storage")
        self.storages[key] = (_STORAGES[storage], size)
        return key


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a state dict saved in PyTorch's old, non-zip format.

    Args:
        path: A file such as `efficientnet-lite0-57934424.pth`.

    Returns:
        Arrays by name, float32 or int64, in the file's order and PyTorch's layout (a convolution is
        [out, in, height, width], a linear layer [out, in]).

    Raises:
        UserError: The file is missing, cut short, of another format, or asks for anything but tensors and
            dictionaries. Nothing that the file names is ever imported or called.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except FileNotFoundError:
        raise UserError(f"{path} is missing: install the package it comes from again.") from None
    except Exception as error:  # a hostile or broken pickle can raise anything at all
        raise UserError(
            f"{path} is not a file of tensors this project accepts ({error}): take it from its package."
        ) from error


def _read(file: BinaryIO) -> dict[str, np.ndarray]:
    """Read the five pickles, then the numbers, then cut the tensors out of them."""
    unpicklers = [_TensorUnpickler(file) for _ in range(_PICKLES)]
    magic, protocol, _machine, described, keys = [unpickler.load() for unpickler in unpicklers]
    if magic != _MAGIC or protocol != _PROTOCOL or not isinstance(described, OrderedDict):
        raise pickle.UnpicklingError("its header is another format's")
    declared = unpicklers[3].storages
    storages = {key: _read_storage(file, *declared[key]) for key in keys}
    if not all(isinstance(name, str) and isinstance(item, _Tensor) for name, item in described.items()):
        raise pickle.UnpicklingError("it holds something that is not a tensor")
    return {name: item.read(storages[item.key]) for name, item in described.items()}


def _read_storage(file: BinaryIO, dtype: np.dtype, size: int) -> np.ndarray:
    """Read one storage: its length as 8 bytes, then its numbers."""
    count = int.from_bytes(file.read(8), "little")
    left = os.fstat(file.fileno()).st_size - file.tell()
    if count != size or not 0 <= size * dtype.itemsize <= left:
        raise pickle.UnpicklingError("it is cut short")
    return np.frombuffer(file.read(size * dtype.itemsize), dtype)
