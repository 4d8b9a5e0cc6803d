"""Datasets as they are published, each made small and judged from end to end."""

from __future__ import annotations

import csv
import json

import pytest

from src.utils import evaluate
from src.utils.judge import report
from src.utils.settings import Settings
from tests.judge.folders import brightness_detector, flat

GENIMAGE = {
    f"{generator}/imagenet_ai/{part}/{name}": said
    for generator in ("ADM", "BigGAN")
    for part in ("train", "val")
    for name, said in (("ai/1.png", (1, generator)), ("nature/2.JPEG", (0, f"{generator}/nature")))
}
CNNDETECTION = {
    f"{generator}/{category}/{name}": said
    for generator, category in (("progan", "cat"), ("progan", "horse"), ("dalle", "."))
    for name, said in (("0_real/1.png", (0, f"{generator}/0_real")), ("1_fake/1.png", (1, generator)))
}
CIFAKE = {
    f"{part}/{name}": (label, "")
    for part in ("train", "test")
    for name, label in (("REAL/0001 (2).jpg", 0), ("FAKE/0001.jpg", 1))
}
ARTIFACT = {"coco/img/1.jpg": (0, "coco"), "glide/a/1.jpg": (1, "glide"), "ddpm/1.jpg": (1, "ddpm")}
IMAGEFOLDER = {"train/1.png": (0, "laion"), "train/2.png": (1, "flux"), "test/1.png": (1, "sdxl")}
KAGGLE = {f"train_data/train_data/{number}.jpg": (1 - number % 2, "") for number in range(4)}
TABLE = {"a/1.png": (0, ""), "b/1.png": (1, ""), "b/2.png": (1, "")}

LAYOUTS = {
    "GenImage": (GENIMAGE, {}),
    "CNNDetection": (CNNDETECTION, {}),
    "CIFAKE": (CIFAKE, {}),
    "ArtiFact": (
        ARTIFACT,
        {
            "coco/metadata.csv": "filename,image_path,target,category\n1.jpg,img/1.jpg,0,cat\n",
            "glide/metadata.csv": "filename,image_path,target,category\n1.jpg,a/1.jpg,1,cat\n",
            "ddpm/metadata.csv": "filename,image_path,target,category\n1.jpg,1.jpg,6,cat\n",
        },
    ),
    "imagefolder": (
        IMAGEFOLDER,
        {
            "train/metadata.jsonl": "\n".join(
                json.dumps({"file_name": name, "label": label, "model": model})
                for name, label, model in (("1.png", 0, "laion"), ("2.png", 1, "flux"))
            ),
            "test/metadata.csv": "file_name,label,model\n1.png,fake,sdxl\n",
        },
    ),
    "Kaggle, doubled": (
        KAGGLE,
        {
            "train.csv": ",file_name,label\n"
            + "".join(f"{n},train_data/{n}.jpg,{1 - n % 2}\n" for n in range(4))
        },
    ),
    "a table of another machine, UTF-16": (
        TABLE,
        {"names.csv": "ID\tTarget\r\nC:\\x\\a\\1\tReal\r\nC:\\x\\b\\1\tFake\r\nC:\\x\\b\\2\tAI image\r\n"},
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_picture_is_judged_as_the_dataset_says(layout, tmp_path, monkeypatch, capsys):
    pictures, others = LAYOUTS[layout]
    for number, name in enumerate(pictures):
        flat(tmp_path / "set" / name, 0.1 + 0.1 * number)
    for name, text in others.items():
        (tmp_path / "set" / name).write_text(text, encoding="utf-16" if "UTF-16" in layout else "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(report, "save_figures", lambda *_: [])
    monkeypatch.setattr(evaluate, "load_detectors", lambda _: [brightness_detector()])
    monkeypatch.setattr(Settings, "from_env", classmethod(lambda cls: cls(root=tmp_path)))
    code = evaluate.main(["set", "--detector", "bright", "--name", "it"])
    assert code == 0, capsys.readouterr().err
    with (tmp_path / "reports/evaluate/it/scores.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["delivery"] == "as_it_is"]
    found = {row["file_name"]: (int(row["label"]), row["generator"] or row["origin"]) for row in rows}
    assert found == {name.replace("/./", "/"): said for name, said in pictures.items()}
