import importlib.metadata
import re
from dataclasses import replace

import pandas as pd

from src.utils.datasets import DEMONSTRATION
from src.utils.notebook import count_by_class, facts_table, open_notebook, show, takeaways, varying
from src.utils.plots.figure.saving import read_index
from src.utils.plots.figure.style import new_figure
from src.utils.settings import PROJECT_ROOT, Settings


def test_a_notebook_opens_with_its_dataset_versions_and_what_it_reads_and_writes():
    run = open_notebook("05_confusion_matrix", "numpy", settings=Settings(source_reason="because."))
    facts = run.facts().data
    assert "`sample`: because." in facts
    assert f"numpy {importlib.metadata.version('numpy')}" in facts
    assert "`processed/images.csv`" in facts and "`reports/metrics/05.json`, " in facts and "`05_*`" in facts
    assert DEMONSTRATION in facts
    other = open_notebook("05_confusion_matrix", settings=Settings(source="kaggle"))
    assert DEMONSTRATION not in other.facts().data


def test_a_note_counts_the_pictures_it_is_given():
    run = open_notebook("05_confusion_matrix", settings=Settings(source="kaggle"))
    images = pd.DataFrame({"group": ["a", "a", "b"]})
    assert run.note(images, "test") == "Kaggle dataset, test split: 3 pictures in 2 groups."
    assert run.note(images.assign(group="")) == "Kaggle dataset: 3 pictures."


def test_a_plot_with_nothing_to_show_leaves_its_sentence_and_no_file(tmp_path):
    run = open_notebook("05_confusion_matrix", settings=Settings(root=PROJECT_ROOT))
    run = replace(run, settings=replace(run.settings, root=tmp_path))
    assert run.save("Nothing to show.", "05_roc", caption="C.", alt="A.").data == "Nothing to show."
    assert not run.settings.figures_dir.exists()
    saved = run.save(new_figure(), "05_roc", caption="C.", alt="A.")
    assert saved.path == run.settings.figures_dir / "05_roc.png" and saved.path.is_file()
    assert read_index(run.settings.figures_dir)[0]["notebook"] == "05_confusion_matrix"
    run.save(new_figure(), "05_models", caption="C.", alt="A.")
    run.save("Nothing to show any more.", "05_roc", caption="C.", alt="A.")
    assert [entry["file"] for entry in read_index(run.settings.figures_dir)] == ["05_models.png"]
    assert sorted(one.name for one in run.settings.figures_dir.glob("05_*")) == [
        "05_models.png",
        "05_models.svg",
    ]


def test_a_figure_says_its_data_settings_and_commit():
    settings = Settings(source="folder", epochs=3, encoder="/somebody/encoders/tiny", profile="smoke")
    trained = open_notebook("04_train_cnn", settings=settings).origin
    assert trained.startswith(
        "your own images, group split, epochs 3, precision auto, seed 42, seeds 1, smoke profile"
    )
    assert re.search(r", commit [0-9a-f]{10}( with changes)?$", trained)
    improved = open_notebook("09_improve_model", settings=settings).origin
    assert "encoder tiny, " in improved and "somebody" not in improved and "epochs" not in improved


def test_takeaways_leave_out_what_was_not_found():
    assert takeaways("One.", "", "Two.").data == "- One.\n- Two."


def test_counts_by_class_sum_up_what_is_left_over():
    table = pd.DataFrame(
        {
            "origin": ["a", "a", "a", "b", "", "c"],
            "label": [0, 1, 1, 0, 0, 1],
            "group": ["1", "2", "2", "3", "4", "5"],
        }
    )
    counts = count_by_class(table, "origin", most=2)
    assert counts.loc["a"].tolist() == [1, 2, 2]
    assert counts.loc["2 others"].sum() == 4
    assert count_by_class(table, "origin").loc["not known", "Human-made"] == 1


def test_facts_are_laid_out_with_readable_numbers():
    assert facts_table({}, otherwise="Nothing is known.").data == "Nothing is known."
    table = facts_table({"pictures": 79950, "from": "here"}).data
    assert table.splitlines()[2:] == ["| pictures | 79,950 |", "| from | here |"]


def test_a_table_shows_itself_and_no_pictures_are_a_sentence():
    table = pd.DataFrame({"origin": ["a"], "label": [0], "group": ["1"]})
    assert show(table) is table
    assert show(count_by_class(table.head(0), "origin")).data == "There are no such pictures here."
    assert show(table, "None.") is table and show(table.head(0), "None.").data == "None."


def test_a_captioned_table_says_what_it_holds_and_may_be_folded():
    table = pd.DataFrame({"a$": [1]})
    with pd.option_context("display.html.use_mathjax", False):
        shown = show(table, caption="Rows < 2")._repr_html_()
        folded = show(table, caption="More", folded=True)._repr_html_()
    assert re.search(r"<table[^>]*>\s*<caption>Rows &lt; 2</caption>\s*<thead>", shown)
    assert repr(show(table, caption="Rows")).startswith("Rows\n")
    assert folded.startswith("<details><summary>More</summary>") and folded.endswith("</details>")
    assert show(table.head(0), "None.", "Rows").data == "None."


def test_missing_intervals_are_told_once_below_the_table():
    table = pd.DataFrame({"auc": ["0.64 [0.55, 0.72]", "0.97 (interval not estimable)"], "n": [1, 2]})
    shown = show(table, caption="On validation")
    assert "<td>0.97</td>" in shown._repr_html_() and "<td>0.64 [0.55, 0.72]</td>" in shown._repr_html_()
    for text in (shown._repr_html_(), repr(shown)):
        assert text.count("not estimable") == 1 and "Without brackets" in text
    assert "not estimable" not in repr(show(table.head(1), caption="On validation"))


def test_rows_have_no_numbers_but_keep_their_names_and_what_is_unknown_is_a_dash():
    table = pd.DataFrame({"fact": ["bytes", "mode"], "auc": [0.58, None]}, index=[14, 15])
    shown = show(table, caption="Facts")
    assert "14" not in shown._repr_html_() and "<td>–</td>" in shown._repr_html_()
    assert repr(shown).splitlines()[1:] == [" fact  auc", "bytes 0.58", " mode    –"]
    assert "<td>" + "x" * 99 in show(pd.DataFrame({"a": ["x" * 99]}), caption="Long")._repr_html_()
    named = show(table.rename_axis("place"), caption="Facts")
    assert "14" in named._repr_html_() and "14" in repr(named)
    assert "<th>b</th>" in show(pd.DataFrame({"a": [1]}, index=["b"]), caption="Facts")._repr_html_()


def test_what_is_the_same_for_every_picture_is_named_and_left_out():
    table = pd.DataFrame({"feature": ["width", "mode", "bytes"], "mean": [288.0, float("nan"), 0.6]})
    rows, said = varying(table.assign(constant=[True, True, False]), "feature", "constant", "mean")
    assert rows.to_dict("records") == [{"feature": "bytes", "mean": 0.6}]
    assert said == "The same for every picture: width (288), pixel mode."
    assert varying(table.assign(constant=False), "feature", "constant", "mean")[1] == ""
