"""A small finished run, made up: numbers, tables, figures and the facts of an improved model."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw

from src.utils.estimate import Estimate
from src.utils.files import write_json, write_table
from src.utils.models.bundle.bundle import library_versions
from src.utils.models.bundle.calibration import Policy, write_calibration
from src.utils.settings import Settings
from tests.models.calibrations import wide_table

SIZE = (640, 360)
TITLE_ENDS, BODY_BEGINS = 31, 61
"""Rows of a figure: its title's last one but one, and the first one of what follows."""

FIGURES = {
    "02_examples": "jpg",
    "02_examples_answers": "jpg",
    "03_splits": "png",
    "04_learning_curves": "png",
    "05_confusion_matrix": "png",
    "05_matrices": "png",
    "05_roc": "png",
    "06_link_gallery": "jpg",
    "07_association": "png",
    "07_lab_coat": "jpg",
    "07_sea_slug": "jpg",
    "07_confidence": "png",
    "08_effects": "png",
    "09_ablation": "png",
    "10_coverage": "png",
    "10_deliveries": "png",
    "10_random_split": "png",
    "10_reliability": "png",
    "10_robustness": "png",
    "11_makers": "png",
    "11_unseen_models": "png",
}
CAPTIONS = {
    "07_lab_coat": "Pictures that VGG19 calls lab_coat (a white coat), by confidence.",
    "07_sea_slug": "Pictures that VGG19 calls sea_slug (an animal), by confidence.",
}


def estimate(value: float, spread: float = 0.0625) -> Estimate:
    return Estimate(value, value - spread, value + spread)


def model(auc: float, matrix: list[list[int]], **more: Estimate) -> dict[str, Any]:
    rates = {"accuracy": 0.61, "precision": 0.73, "recall": 0.57}
    measured = {name: estimate(value) for name, value in rates.items()}
    return {"auc": estimate(auc), "f1": estimate(0.66), "confusion_matrix": matrix, **measured, **more}


CALIBRATED = {
    "ece": estimate(0.19),
    "ece_venn_abers": estimate(0.11),
    "ece_by_chance": Estimate(0.08),
    "answered": estimate(0.83),
    "right": estimate(0.91),
}


def damaged(kind: str, level: float, auc: float) -> dict[str, Any]:
    columns = {"auc": auc, "auc_low": auc - 0.05, "auc_high": auc + 0.05}
    drop = 0.87 - auc
    return (
        {"kind": kind, "level": level}
        | columns
        | dict(
            zip(("auc_drop", "auc_drop_low", "auc_drop_high"), (drop, drop - 0.05, drop + 0.05), strict=True)
        )
    )


def delivered(title: str, accuracy: float, worst: bool) -> dict[str, Any]:
    measured = {
        "balanced_accuracy": estimate(accuracy),
        "recall": estimate(0.71),
        "false_positive_rate": estimate(0.17),
        "drop": estimate(0.86 - accuracy),
    }
    columns = {key: value for name, one in measured.items() for key, value in one.columns(name).items()}
    return {"title": title, "worst": worst, "transformation": False} | columns


NO_VERDICTS = {
    f"{name}{end}": None for name in ("turned", "changed", "answered") for end in ("", "_low", "_high")
}


def metrics(source: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "source": source,
        "split": "group",
        "seed": 7,
        "n_train": 1234,
        "n_validation": 310,
        "n_test": 386,
        "models": {
            "metadata_only": model(0.54, [[100, 93], [90, 103]]),
            "linear_probe": model(0.88, [[160, 33], [40, 153]]),
            "cnn_deck": model(0.59, [[110, 83], [77, 116]]),
            "cnn_scaled": model(0.62, [[112, 81], [71, 122]]),
            "best": model(0.94, [[180, 13], [21, 172]], **CALIBRATED),
        },
        "unseen": {"best": model(0.77, [[52, 8], [23, 47]])},
        "comparisons": {"best_minus_linear_probe": {"test": {"auc": estimate(0.06, 0.03)}}},
        "out_of_fold": {"best": {"auc": estimate(0.86)}},
        "errors": {
            "model": "cnn_deck",
            "false_positives": 83,
            "false_negatives": 77,
            "comparisons": 18,
            "held": ["false positives: sharpness"],
            "error_auc": {"false positives": estimate(0.64)},
        },
        "labels": {
            "labeller": "VGG19",
            "pictures": 1930,
            "categories_tested": 22,
            "over_represented": ["sea_slug"],
        },
        "maps": {"model": "cnn_scaled"},
        "seeds": {
            "spread": [{"model": "cnn_deck", "metric": "auc", "seeds": 3, "lowest": 0.53, "highest": 0.65}]
        },
        "split_effect": {
            "random": estimate(0.93),
            "group": estimate(0.89),
            "difference": estimate(0.04, 0.015625),
        },
        "robustness": {
            "models": {
                "best": [
                    damaged("as_it_is", 0, 0.87),
                    damaged("jpeg", 70, 0.85),
                    damaged("blur", 3, 0.71),
                ]
            }
        },
        "deliveries": {
            "model": "best",
            "rates": [delivered("as it is", 0.86, False), delivered("messenger", 0.68, True)],
            "verdicts": [{"delivery": "any"} | NO_VERDICTS],
        },
        "unseen_sources": {
            "model": "best",
            "rows": [
                {"label": 1, "source": "Painter 9", "called_ai": 0.44, "pictures": 37},
                {"label": 1, "source": "Drawer", "called_ai": 0.97, "pictures": 33},
                {"label": 0, "source": "Attic", "called_ai": 0.12, "pictures": 60},
            ],
        },
    }


TRACK_RECORD = {
    "missed": {"count": 23, "of": 70, "share": 23 / 70, "low": 0.21, "high": 0.46},
    "accused": {"count": 8, "of": 60, "share": 8 / 60, "low": 0.05, "high": 0.24},
    "sentences": [],
}


def tables() -> dict[str, pd.DataFrame]:
    return {
        "link_answers.csv": pd.DataFrame(
            {
                "label": ["AI-generated", "Human-made", "Human-made"],
                "verdict": ["AI-generated", "Uncertain", "Uncertain"],
                "truth": ["AI-generated", "AI-generated", ""],
            }
        ),
        "label_confidence.csv": pd.DataFrame(
            {"human": [0.39], "human_low": [0.36], "human_high": [0.42], "ai": [0.45], "ai_low": [0.43]}
            | {"ai_high": [0.47], "p_adjusted": [0.003], "deck_human": [0.385], "deck_ai": [0.435]}
        ),
        "label_association.csv": pd.DataFrame(
            {
                "category": ["sea_slug", "lab_coat"],
                "groups_human": [3, 14],
                "groups_ai": [29, 15],
                "p": [0.0001, 0.8],
                "verdict": ["more often AI-generated", "no difference shown"],
            }
        ),
        "ablation.csv": pd.DataFrame(
            {"candidate": ["all blocks"], "worst_source": ["Flux (AI)"]}
            | {"mean": [0.92], "mean_low": [0.9], "mean_high": [0.95]}
            | {"worst": [0.81], "worst_low": [0.74], "worst_high": [0.88]}
        ),
    }


def draw_figure(path: Path) -> None:
    """A title of two lines, a gap, a frame: as `plots` draws them, smaller."""
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for top in (10, 22):
        draw.rectangle((8, top, 300, top + 8), fill="black")
    draw.rectangle((20, BODY_BEGINS, 600, 340), outline="gray", width=2)
    image.save(path)


def write_run(root: Path, source: str = "sample") -> Settings:
    """Write the run below a folder and give its settings."""
    settings = Settings(source=source, root=root)
    write_json(settings.reports_dir / "metrics.json", metrics(source))
    for name, table in tables().items():
        write_table(settings.reports_dir / name, table)
    settings.figures_dir.mkdir(parents=True)
    index = []
    for name, suffix in FIGURES.items():
        draw_figure(settings.figures_dir / f"{name}.{suffix}")
        caption = CAPTIONS.get(name, f"What {name} shows.")
        index.append(
            {
                "file": f"{name}.{suffix}",
                "notebook": f"{name[:2]}_made_up",
                "caption": caption,
                "alt": f"Alt {name}.",
            }
        )
    write_json(settings.figures_dir / "index.json", index)
    _write_best(settings.models_dir / "best")
    return settings


def _write_best(folder: Path) -> None:
    """Facts of an improved model and its calibration; there is no model."""
    files = {"head.npz": "0" * 64}
    facts = {"schema": 1, "name": "best", "class_names": ["Human-made", "AI-generated"], "input_size": 224}
    facts |= {
        "resize": "squash",
        "output": "logits",
        "versions": library_versions(),
        "selection": "all blocks",
    }
    facts |= {
        "model_file": "head.npz",
        "model_sha256": "0" * 64,
        "served_file": "head.npz",
        "served_files": files,
    }
    facts |= {"encoder": "Tiny encoder", "encoder_licence": "MIT", "encoder_from": "a preset"}
    write_json(folder / "bundle.json", facts)
    evidence = {
        name: {"said": said, "right": right, "precision": asdict(estimate(0.93, 0.03125))}
        for name, said, right in (("ai", 40, 38), ("clear", 51, 47))
    }
    policy = Policy(ai_from=0.84, clear_up_to=0.12, evidence=evidence)
    write_calibration(folder, files, wide_table(step=1.0), policy, track_record=TRACK_RECORD)
