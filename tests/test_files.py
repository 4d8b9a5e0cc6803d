import json

import pytest

from src.utils.files import atomic_path, hash_bytes, hash_file, read_json, write_json, write_text


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "table.csv"
    write_text(target, "old")
    with pytest.raises(RuntimeError), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]


def test_json_round_trip_and_no_nan(tmp_path):
    write_json(tmp_path / "a" / "facts.json", {"auc": 0.5, "name": "ä"})
    assert read_json(tmp_path / "a" / "facts.json") == {"auc": 0.5, "name": "ä"}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a" / "facts.json", {"auc": float("nan")})
    assert json.loads((tmp_path / "a" / "facts.json").read_text())["auc"] == 0.5


def test_hashes_agree_and_tell_contents_apart(tmp_path):
    data = bytes(range(256)) * 8192
    (tmp_path / "a").write_bytes(data)
    assert hash_file(tmp_path / "a") == hash_bytes(data)
    assert len(hash_bytes(b"")) == 32
    assert hash_bytes(b"a") != hash_bytes(b"b")
