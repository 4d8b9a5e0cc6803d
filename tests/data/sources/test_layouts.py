"""Datasets as they come: whatever the layout's details, every picture gets its class, source and split."""

from __future__ import annotations

import csv
import io
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from src.utils.data.sources.labelled_folder import read_labelled_folder

FEW = settings(max_examples=25, deadline=None)


class Said(NamedTuple):
    """What is expected of a picture."""

    label: int
    generator: str = ""
    origin: str = ""
    split: str = ""


class Made(NamedTuple):
    """A dataset: pictures with what is expected of them, other files with their bytes, and CLASSES."""

    pictures: dict[str, Said]
    others: Mapping[str, bytes] = MappingProxyType({})
    classes: str = ""


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (2, 2), "teal").save(buffer, "PNG")
    return buffer.getvalue()


PNG = png()
SOURCES = st.lists(
    st.sampled_from(["ADM", "BigGAN", "stable_diffusion_v_1_4", "Midjourney", "扩散 模型", "glide", "v2.1"]),
    min_size=1,
    max_size=3,
    unique=True,
)
COUNT = st.integers(1, 3)
ENDINGS = st.sampled_from([".png", ".PNG", ".jpg", ".JPEG"])


@st.composite
def genimage(draw) -> Made:
    pictures = {}
    for generator in draw(SOURCES):
        inner = draw(st.sampled_from(["", "/imagenet_ai_0419"]))
        for own, split in (("train", "train"), ("val", "validation")):
            for number in range(draw(COUNT)):
                place = f"{generator}{inner}/{own}"
                pictures[f"{place}/ai/{number}.png"] = Said(1, generator, "", split)
                pictures[f"{place}/nature/{number}.jpg"] = Said(0, "", f"{generator}/nature", split)
    return Made(pictures)


@st.composite
def cnndetection(draw) -> Made:
    pictures = {}
    for generator in draw(SOURCES):
        for category in draw(st.sampled_from([[""], ["/airplane"], ["/cat", "/sofa"]])):
            for number in range(draw(COUNT)):
                place = f"{generator}{category}"
                pictures[f"{place}/1_fake/{number:05d}.png"] = Said(1, generator)
                pictures[f"{place}/0_real/{number:05d}.png"] = Said(0, "", f"{generator}/0_real")
    return Made(pictures)


@st.composite
def cifake(draw) -> Made:
    human, ai = draw(
        st.sampled_from([("REAL", "FAKE"), ("Real Images", "AI Images"), ("original", "deepfake")])
    )
    pictures = {}
    for split in ("train", "test"):
        for number in range(draw(COUNT)):
            pictures[f"{split}/{human}/{number:04d} (2).jpg"] = Said(0, split=split)
            pictures[f"{split}/{ai}/{number:04d}.jpg"] = Said(1, split=split)
    return Made(pictures)


@st.composite
def artifact(draw) -> Made:
    pictures, others = {"coco/img/0.jpg": Said(0, "", "coco")}, {}
    rows = {"coco": [("0.jpg", "img/0.jpg", 0)]}
    for folder in draw(SOURCES):
        rows[folder] = []
        for number, target in enumerate(draw(st.lists(st.integers(0, 30), min_size=1, max_size=3))):
            name = f"part{number}/{number}.jpg"
            root = draw(st.sampled_from(["", f"{folder}/"])) if not rows[folder] else rows[folder][0][3]
            rows[folder].append((f"{number}.jpg", f"{root}{name}", target, root))
            pictures[f"{folder}/{name}"] = Said(1, folder) if target else Said(0, "", folder)
    pictures["gan/x.jpg"], rows["gan"] = Said(1, "gan"), [("x.jpg", "x.jpg", 6)]
    for folder, lines in rows.items():
        text = "".join(f"{line[0]},{line[1]},{line[2]},cat\n" for line in lines)
        others[f"{folder}/metadata.csv"] = f"filename,image_path,target,category\n{text}".encode()
    return Made(pictures, others)


@st.composite
def imagefolder(draw) -> Made:
    pictures, others = {}, {}
    column, words = draw(
        st.sampled_from(
            [("label", (0, 1)), ("label", ("real", "fake")), ("is_ai", (False, True)), ("class", ("0", "1"))]
        )
    )
    maker = draw(st.sampled_from(["generator", "model", "Model Name"]))
    for own, split in (("train", "train"), ("validation", "validation"), ("test", "test")):
        labels = [*draw(st.lists(st.integers(0, 1), max_size=2)), 0, 1]
        lines = []
        for number, label in enumerate(labels):
            made_by = draw(st.sampled_from(["flux", "sdxl"] if label else ["", "real", "coco"]))
            if maker == "generator" and not label:
                made_by = ""
            source = ("", "coco")[made_by == "coco"]
            pictures[f"{own}/{number}.png"] = Said(label, made_by * label, source, split)
            lines.append({"file_name": f"{number}.png", column: words[label], maker: made_by})
        if draw(st.booleans()):
            text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
            others[f"{own}/metadata.jsonl"] = text.encode()
        else:
            others[f"{own}/metadata.csv"] = write_csv([list(lines[0]), *(line.values() for line in lines)])
    return Made(pictures, others)


@st.composite
def one_table(draw) -> Made:
    numbers = draw(st.sets(st.integers(0, 99), min_size=2, max_size=6))
    folder = draw(st.sampled_from(["", "images/", "a b/c/"]))
    paths = [f"{folder}{number:02d}{draw(ENDINGS)}" for number in sorted(numbers)]
    labels = [0, 1] + [draw(st.integers(0, 1)) for _ in paths[2:]]
    column, words = draw(
        st.sampled_from(
            [
                ("label", ("0", "1")),
                ("label", ("Real Photo", "AI-generated image")),
                ("Target", ("0.0", "1.0")),
                ("CLASS", ("nature", "synthetic")),
                ("is_ai", ("False", "TRUE")),
                ("generated", ("no", "yes")),
            ]
        )
    )
    write = draw(
        st.sampled_from(
            [
                lambda path: path,
                lambda path: path.replace("/", "\\"),
                lambda path: f"/content/drive/data/{path}",
                lambda path: f"D:\\data\\{path}".replace("/", "\\"),
                lambda path: PurePosixPath(path).name,
                lambda path: str(PurePosixPath(path).with_suffix("")),
                lambda path: f"old_root/{path}",
            ]
        )
    )
    name = draw(st.sampled_from(["file_name", "FileName", "File", "path", "Image", "image path", "ID"]))
    header, extra = [name, column, "Generator"], draw(st.booleans())
    rows = [
        [write(path), words[label], "flux" if label else ""]
        for path, label in zip(paths, labels, strict=True)
    ]
    if extra:
        header, rows = [*header, "mood"], [[*row, "a, b; c|d"] for row in rows]
    content = write_csv(
        [header, *rows],
        draw(st.sampled_from(",;\t|")),
        draw(st.sampled_from(["\n", "\r\n"])),
        draw(st.sampled_from(["utf-8", "utf-8-sig", "utf-16"])),
    )
    said = {path: Said(label, "flux" if label else "") for path, label in zip(paths, labels, strict=True)}
    return Made(said, {draw(st.sampled_from(["labels.csv", "train.csv", "all.tsv"])): content})


@st.composite
def named_by_classes(draw) -> Made:
    pictures, meanings = {}, []
    for number, folder in enumerate(["laion", "Fotos, privat", *draw(SOURCES)]):
        label = int(number > 1)
        meanings.append(f'"{folder}={("human", "ai")[label]}"')
        for own, split in draw(st.sampled_from([[("", "")], [("train/", "train"), ("test/", "test")]])):
            source = {"generator" if label else "origin": folder}
            pictures[f"{own}{folder}/{number}.png"] = Said(label, split=split, **source)
    return Made(pictures, classes=", ".join(meanings))


def write_csv(rows, separator=",", end="\n", encoding="utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=separator, lineterminator=end).writerows(rows)
    return text.getvalue().encode(encoding)


def fill(folder: Path, made: Made) -> None:
    for name, content in {**dict.fromkeys(made.pictures, PNG), **made.others}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.mark.parametrize(
    "layout", [genimage, cnndetection, cifake, artifact, imagefolder, one_table, named_by_classes]
)
def test_every_picture_gets_what_the_dataset_says(layout):
    @FEW
    @given(layout())
    def check(made):
        with tempfile.TemporaryDirectory() as folder:
            fill(Path(folder), made)
            rows, notes = read_labelled_folder(Path(folder), made.classes)
        found = {
            row["path"]: Said(int(row["label"]), row["generator"], row["origin"], row["split"])
            for row in rows
        }
        assert found == made.pictures
        assert len(rows) == len(found)
        assert len(notes) == 1
        human = sum(said.label == 0 for said in made.pictures.values())
        assert f"{human} human-made and {len(found) - human} AI-generated" in notes[0]

    check()
