"""Reading a state dict without PyTorch, from files nobody vouches for."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

from src.utils.models.networks.torch_state import read_state_dict
from src.utils.settings import UserError
from tests.models.torch_files import Storage, Tensor, as_tensor, fake_torch, write_file, write_state_dict

VALUES = np.arange(24, dtype=np.float32).reshape(2, 3, 4)


@pytest.fixture(autouse=True)
def _torch(monkeypatch: pytest.MonkeyPatch) -> None:
    fake_torch(monkeypatch)


def test_tensors_come_back_with_their_names_types_and_layout(tmp_path: Path) -> None:
    arrays = {
        "layer.weight": VALUES,
        "layer.bias": np.float32([1.5, -2.0]),
        "layer.num_batches_tracked": np.array(7, dtype=np.int64),
    }
    write_state_dict(tmp_path / "weights.pth", arrays)
    state = read_state_dict(tmp_path / "weights.pth")
    assert list(state) == list(arrays)
    for name, array in arrays.items():
        assert state[name].dtype == array.dtype
        np.testing.assert_array_equal(state[name], array)


def test_views_into_one_storage_are_cut_out_with_offset_and_stride(tmp_path: Path) -> None:
    storage = Storage("1", VALUES.ravel())
    described = OrderedDict(
        part=Tensor(storage, 4, (2, 2), (12, 1)), turned=Tensor(storage, 0, (4, 2), (1, 12))
    )
    write_file(tmp_path / "weights.pth", described, {"1": VALUES.ravel()})
    state = read_state_dict(tmp_path / "weights.pth")
    np.testing.assert_array_equal(state["part"], VALUES[:, 1, :2])
    np.testing.assert_array_equal(state["turned"], VALUES[:, 0, :].T)


class Call:
    """Pickles as a call of any function."""

    def __init__(self, function, *arguments) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self):
        return self.function, self.arguments


def hostile_pickles(marker: str) -> dict[str, object]:
    """Things that would leave a mark, or read beyond their numbers, if they were believed."""
    harmless = as_tensor("1", VALUES)
    return {
        "os.system": Call(os.system, f"touch {marker}"),
        "eval": Call(eval, f"open({marker!r}, 'w')"),
        "inside a state dict": OrderedDict(weight=Call(os.system, f"touch {marker}")),
        "as a name": {Call(os.mkdir, marker): harmless},
        "numpy": OrderedDict(weight=VALUES),
        "plain dictionary": {"weight": harmless},
        "a list": [harmless],
        "no tensor": OrderedDict(weight=3.0),
        "global opcode": b"\x80\x02cposix\nsystem\nX\x04\x00\x00\x00true\x85R.",
        "stack global": b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x04true\x85R.",
        "inst opcode": b"\x80\x02(X\x04\x00\x00\x00trueiposix\nsystem\n.",
        "extension registry": b"\x80\x02\x82\x01.",
        "attribute of an allowed name": b"\x80\x04\x8c\x0bcollections\x8c\x14OrderedDict.__init__\x93.",
        "builtins through an allowed module": b"\x80\x02ccollections\n_sys\n.",
        "torch's own loader": b"\x80\x02ctorch\nload\n.",
        "another storage": OrderedDict(weight=Call(getattr, 1, "real")),
        "alters what it got": b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n}X\x01\x00\x00\x00aK\x01sb.",
    }


@pytest.mark.parametrize("attack", list(hostile_pickles("")))
def test_nothing_but_tensors_is_accepted_and_nothing_is_called(attack: str, tmp_path: Path) -> None:
    marker = tmp_path / "was-here"
    write_file(tmp_path / "evil.pth", hostile_pickles(str(marker))[attack], {"1": VALUES})
    with pytest.raises(UserError, match=r"evil\.pth is not a file of tensors"):
        read_state_dict(tmp_path / "evil.pth")
    assert not marker.exists()


@pytest.mark.parametrize("place", [0, 1, 2, 4])
def test_every_pickle_of_the_file_is_guarded(place: int, tmp_path: Path) -> None:
    marker = tmp_path / "was-here"
    pickles = [0x1950A86A20F9469CFC6C, 1001, {}, OrderedDict(), []]
    pickles[place] = Call(os.mkdir, str(marker))
    (tmp_path / "evil.pth").write_bytes(b"".join(pickle.dumps(one, protocol=2) for one in pickles))
    with pytest.raises(UserError, match="is not a file of tensors"):
        read_state_dict(tmp_path / "evil.pth")
    assert not marker.exists()


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [
        (0, (25,), (1,)),
        (20, (5,), (1,)),
        (-1, (2,), (1,)),
        (2, (2,), (-1,)),
        (0, (-1,), (1,)),
        (0, (2, 2), (1,)),
        (0, (1000, 1000), (0, 0)),
        (0, (2.0,), (1,)),
        (0, (1,) * 9, (1,) * 9),
        (0, (2**62, 2**62), (0, 0)),
        (0, (2, 2), (2**62, 1)),
    ],
)
def test_a_tensor_cannot_look_outside_its_numbers(offset, shape, stride, tmp_path: Path) -> None:
    described = OrderedDict(weight=Tensor(Storage("1", VALUES.ravel()), offset, shape, stride))
    write_file(tmp_path / "evil.pth", described, {"1": VALUES.ravel()})
    with pytest.raises(UserError, match="tensor"):
        read_state_dict(tmp_path / "evil.pth")


def test_a_storage_cannot_promise_more_than_the_file_holds(tmp_path: Path) -> None:
    write_state_dict(tmp_path / "weights.pth", {"weight": VALUES})
    data = (tmp_path / "weights.pth").read_bytes()
    for length in (10, len(data) // 2, len(data) - 1):
        (tmp_path / "cut.pth").write_bytes(data[:length])
        with pytest.raises(UserError, match=r"cut\.pth is not a file of tensors"):
            read_state_dict(tmp_path / "cut.pth")


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.pth is missing"):
        read_state_dict(tmp_path / "gone.pth")
    (tmp_path / "zip.pth").write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UserError, match=r"zip\.pth is not a file of tensors"):
        read_state_dict(tmp_path / "zip.pth")
    write_state_dict(tmp_path / "other.pth", {"weight": VALUES}, magic=5)
    with pytest.raises(UserError, match="another format"):
        read_state_dict(tmp_path / "other.pth")
