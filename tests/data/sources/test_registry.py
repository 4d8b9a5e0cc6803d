from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest

from src.utils.data.manifest import scan_images
from src.utils.data.sources.registry import describe_source, ensure_raw, first_pairs, with_groups
from src.utils.data.sources.train_table import read_train_table
from src.utils.data.split import assign_splits
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.data.kaggle_server import make_dataset, make_jpeg


def fill(folder, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture
def kaggle(tmp_path):
    """Settings of a run on a Kaggle folder of eight pictures, filled by hand."""
    settings = Settings(source="kaggle", root=tmp_path)
    fill(settings.raw_dir, make_dataset())
    return settings


@pytest.fixture
def folder(tmp_path):
    """Settings of a run on a user's folder with a table that knows groups."""
    table = b"file_name,label,group,split\na.jpg,0,g1,\nb.jpg,1,g1,\nc.jpg,1,g2,unseen\nd.jpg,0,,\n"
    fill(tmp_path / "mine", {"t.csv": table, **{f"{name}.jpg": make_jpeg(0) for name in "abcd"}})
    return Settings(source="folder", data_dir=tmp_path / "mine", root=tmp_path)


@pytest.fixture
def sample(tmp_path, monkeypatch):
    """Settings of a run on a sample that a stand-in makes."""
    files = {"train.csv": b",file_name,label,group\n0,x.jpg,1,g\n1,y.jpg,0,h\n", "x.jpg": b"", "y.jpg": b""}
    stand_in = SimpleNamespace(fetch_sample=lambda settings, progress: fill(settings.raw_dir, files))
    monkeypatch.setitem(sys.modules, "src.utils.data.sources.sample", stand_in)
    return Settings(source="sample", root=tmp_path)


def test_kaggles_rows_are_grouped_in_pairs(kaggle):
    table = ensure_raw(kaggle, progress=False)
    assert list(table["label"]) == [1, 0] * 4
    assert list(table["group"]) == [f"pair_{row // 2:06d}" for row in range(8)]


def test_a_folder_brings_its_own_groups(folder):
    table = ensure_raw(folder, progress=False)
    assert list(table["file_name"]) == [f"train_data/{name}.jpg" for name in "abcd"]
    assert list(table["group"]) == ["g1", "g1", "g2", ""]
    assert list(table["split"]) == ["", "", "unseen", ""]


def test_the_sample_is_made_by_its_own_module(sample):
    assert list(ensure_raw(sample, progress=False)["group"]) == ["g", "h"]


def test_rows_that_are_not_pairs_are_explained(kaggle):
    path = kaggle.raw_dir / "train.csv"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3] + lines[4:]) + "\n")
    with pytest.raises(
        UserError, match=r"row 2 \(train_data/.*, label 0\) should be AI-generated \(label 1\)"
    ):
        ensure_raw(kaggle, progress=False)


def test_only_kaggle_needs_pairs(kaggle):
    table = read_train_table(kaggle.raw_dir).iloc[1:]
    assert with_groups(Settings(source="folder"), table) is table
    with pytest.raises(UserError):
        with_groups(kaggle, table)


def test_kaggles_folder_can_be_used_without_pairs(kaggle, tmp_path):
    (kaggle.raw_dir / "train.csv").write_text(
        "".join((kaggle.raw_dir / "train.csv").read_text().splitlines(keepends=True)[:4])
    )
    table = ensure_raw(Settings(source="folder", data_dir=kaggle.raw_dir, root=tmp_path), progress=False)
    assert list(table["label"]) == [1, 0, 1]
    assert set(table["group"]) == {""}


def test_a_hand_filled_folder_that_lacks_pictures_is_explained(kaggle):
    gone = read_train_table(kaggle.raw_dir)["file_name"][5]
    (kaggle.raw_dir / gone).unlink()
    with pytest.raises(UserError, match=f"lacks 1 of the 8 pictures .* first {gone}"):
        ensure_raw(kaggle, progress=False)


def test_few_missing_pictures_are_only_mentioned(tmp_path, capsys):
    settings = Settings(source="kaggle", root=tmp_path)
    files = make_dataset(rows=200)
    gone = list(files)[10]
    del files[gone]
    fill(settings.raw_dir, files)
    assert len(ensure_raw(settings)) == 200
    assert f"Pictures missing and left out: 1 of 200, first {gone}." in capsys.readouterr().out


def test_more_may_be_missing_when_asked(kaggle, capsys):
    gone = read_train_table(kaggle.raw_dir)["file_name"][5]
    (kaggle.raw_dir / gone).unlink()
    table = ensure_raw(replace(kaggle, missing="skip"))
    assert list(table["group"][4:6]) == ["pair_000002"] * 2  # the pairs stay whole
    assert f"Pictures missing and left out: 1 of 8, first {gone}." in capsys.readouterr().out


def test_doubled_folders_of_an_archive_unpacked_by_hand_are_seen_through(kaggle):
    folder = kaggle.raw_dir / "train_data"
    folder.rename(kaggle.raw_dir / "inner")
    folder.mkdir()
    (kaggle.raw_dir / "inner").rename(folder / "train_data")
    table = ensure_raw(kaggle, progress=False)
    assert all((kaggle.raw_dir / name).is_file() for name in table["file_name"])
    facts = describe_source(kaggle)
    assert (facts["named but missing files"], facts["extra files"]) == (0, 0)


def test_a_dataset_of_generators_keeps_their_names_and_its_split(tmp_path):
    names = [
        f"{one}/{part}/{label}"
        for one in ("ADM", "VQDM")
        for part in ("train", "val")
        for label in ("ai", "nature")
    ]
    fill(tmp_path / "mine", {f"{name}/{k}.jpg": make_jpeg(0) for name in names for k in range(3)})
    settings = Settings(source="folder", data_dir=tmp_path / "mine", root=tmp_path)
    table = ensure_raw(settings, progress=False)
    manifest = scan_images(settings.raw_dir, table, workers=1, progress=False)
    placed = assign_splits(manifest, "own")
    told = placed["file_name"].str.contains("__val__")
    assert ((placed["split"] == "test") == told).all() and told.sum() == 12
    assert dict(placed["generator"].value_counts()) == {"": 12, "ADM": 6, "VQDM": 6}
    assert dict(placed["origin"].value_counts()) == {"": 12, "ADM/nature": 6, "VQDM/nature": 6}


def test_facts_of_kaggle(kaggle):
    facts = describe_source(kaggle)
    assert facts["from"].endswith("alessandrasala79/ai-vs-human-generated-dataset")
    assert "Apache 2.0" in facts["licence"]
    assert facts["pictures when this was written"] == 79_950
    assert (facts["pictures"], facts["groups"]) == (8, 4)
    assert (facts["Human-made (label 0)"], facts["AI-generated (label 1)"]) == (4, 4)
    assert (facts["named but missing files"], facts["extra files"]) == (0, 0)


def test_facts_of_a_folder(folder, tmp_path):
    ensure_raw(folder, progress=False)
    fill(folder.raw_dir, {"train_data/stray.jpg": b""})
    facts = describe_source(folder)
    assert facts["from"] == str(tmp_path / "mine")
    assert (facts["pictures"], facts["groups"], facts["pictures for the unseen split"]) == (4, 2, 1)
    assert facts["extra files"] == 1


def test_facts_of_the_sample(sample):
    ensure_raw(sample, progress=False)
    assert "data/sample_sources.csv" in describe_source(sample)["licence"]


def test_nothing_here_imports_tensorflow_or_the_kaggle_client(tmp_path):
    heavy = ("tensorflow", "keras", "kaggle")
    code = f"import sys, src.utils.data.sources.registry; print(sorted(set({heavy}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=PROJECT_ROOT,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
    assert list(tmp_path.iterdir()) == []


def test_only_a_dataset_of_pairs_shows_pairs(kaggle):
    table = read_train_table(kaggle.raw_dir)
    pairs = first_pairs(kaggle, table)
    assert pairs["ai_file"][0] == table["file_name"][0] and pairs["human_file"][0] == table["file_name"][1]
    assert "no pairs" in first_pairs(Settings(source="folder", root=kaggle.root), table)
