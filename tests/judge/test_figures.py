"""An evaluation's figures: what has nothing to show is left out."""

from __future__ import annotations

from src.utils.judge import figures
from src.utils.plots.figure.saving import read_index
from src.utils.plots.figure.style import new_figure


def test_a_sentence_in_a_figures_place_is_left_out(tmp_path, monkeypatch):
    drawn = [("01_metrics", "No model could be measured.", "AUC"), ("03_roc", new_figure("ROC"), "ROC")]
    monkeypatch.setattr(figures, "_figures", lambda judgement, seed: iter(drawn))
    saved = figures.save_figures(None, tmp_path)
    assert [one.path.stem for one in saved] == ["03_roc"]
    assert [entry["file"] for entry in read_index(tmp_path)] == ["03_roc.png"]
