import itertools

import numpy as np
import pandas as pd
from matplotlib.colors import to_hex

from src.utils.plots.data import audit_plot, size_plot, split_overview
from src.utils.plots.figure.style import AI, HUMAN
from tests.plots.checks import lines, nothing_is_cut_off, title, words


def test_a_constant_size_is_said_and_not_drawn():
    said = size_plot([384] * 10, [384] * 10, [0, 1] * 5, "A note.")
    assert said == "Every picture is 384 × 384 pixels: size gives nothing away."
    assert size_plot([], [], []) == "There are no pictures."


def test_sizes_of_one_shape_have_no_histogram_of_shapes():
    figure = size_plot([100, 200, 300], [100, 200, 300], [0, 0, 1])
    (axes,) = figure.axes
    assert [len(marks.get_offsets()) for marks in axes.collections] == [2, 1]
    assert words(axes) == ["Human-made", "AI-generated"]


def test_sizes_by_class():
    figure = size_plot([100, 200, 100, 400], [100, 100, 100, 100], [0, 0, 1, 1])
    assert title(figure) == "Human-made pictures have 2 sizes, AI-generated ones 2 sizes; 1 in common"
    human, ai = figure.axes[1].patches
    for stairs, expected in ((human, {1.0: 0.5, 2.0: 0.5}), (ai, {1.0: 0.5, 4.0: 0.5})):
        shares, edges, _ = stairs.get_data()
        middle = ((edges[:-1] + edges[1:]) / 2).round(3)
        assert {m: s for m, s in zip(middle, shares, strict=True) if s} == expected


def audit_table(**columns):
    table = {
        "feature": ["width", "bytes", "jpeg_quality", "all container facts"],
        "kind": ["container", "content", "container", "container"],
        "auc": [0.5, 0.68, 0.6, 0.66],
        "low": [0.5, 0.6, 0.48, 0.5],
        "high": [0.5, 0.75, 0.7, 0.8],
        "direction": ["", "more in AI", "more in human", ""],
        "constant": [True, False, False, False],
    }
    return pd.DataFrame(table | columns)


def test_the_audit_draws_what_varies_and_names_what_does_not():
    figure = audit_plot(audit_table(), "A note.")
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "JPEG quality",
        "all container facts",
        "bytes",
    ]
    assert lines(axes)[:2] == [[[0.48, 0], [0.7, 0]], [[0.6, 0]]]
    assert [[0.5, 0], [0.5, 1]] in lines(axes)
    assert words(axes)[:3] == ["0.60, more in human", "0.66", "0.68, more in AI"]
    assert "Constant, so they tell nothing: width." in figure.get_supxlabel()
    assert title(figure) == (
        "Container facts together reach AUC 0.66 (may be chance); "
        "the strongest alone: JPEG quality, AUC 0.60 (may be chance)"
    )
    assert nothing_is_cut_off(figure)


def test_an_audit_of_constant_containers_says_so():
    table = audit_table(constant=[True, False, True, True])
    assert title(audit_plot(table)) == (
        "All containers are alike; the strongest content fact: bytes, AUC 0.68"
    )
    assert audit_plot(audit_table(constant=[True] * 4)).startswith("No fact ranks the classes")


def test_a_long_audit_keeps_the_strongest():
    rows = pd.DataFrame({"feature": [f"f{n}" for n in range(30)], "auc": np.linspace(0.5, 0.9, 30)})
    table = rows.assign(kind="content", low=rows["auc"], high=np.nan, direction="", constant=False)
    figure = audit_plot(table, most=5)
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert labels == ["f25", "f26", "f27", "f28", "f29"]
    assert "25 weakest" in figure.get_supxlabel()


def test_the_split_is_drawn_as_counted():
    rows = list(itertools.product(("train", "validation", "test"), (0, 1)))
    counts = pd.DataFrame(rows, columns=["split", "label"])
    counts = counts.assign(pictures=[640, 600, 160, 150, 200, 1900], groups=[64, 64, 16, 16, 20, 20])
    figure = split_overview(counts, "A note.")
    pictures, groups = figure.axes
    assert [bar.get_width() for bar in pictures.patches] == [640, 160, 200, 600, 150, 1900]
    assert [bar.get_width() for bar in groups.patches] == [64, 16, 20, 64, 16, 20]
    assert words(pictures) == ["640", "160", "200", "600", "150", "1,900"]
    assert title(figure) == "Groups by split: 64 % train, 16 % validation, 20 % test"
    assert to_hex(pictures.patches[0].get_facecolor()).upper() == HUMAN
    assert to_hex(pictures.patches[3].get_facecolor()).upper() == AI
    assert nothing_is_cut_off(figure)
