import io
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from src.utils.plots.figure.saving import drop_others, read_index, save_figure
from src.utils.plots.figure.style import data_note, new_figure
from src.utils.settings import UserError


def draw():
    figure = new_figure("Things go up", data_note("sample", "test", 1480, 37))
    figure.subplots().plot([1, 2, 3], [1, 4, 9])
    return figure


def save(folder, name="04_curve", kind="plot", caption="Squares of three numbers.", alt="A rising line."):
    return save_figure(draw(), name, caption, alt, folder, "04_train_cnn", kind)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_plot_is_a_slide_in_png_and_svg(tmp_path):
    saved = save(tmp_path / "figures")
    assert saved.path == tmp_path / "figures" / "04_curve.png"
    with Image.open(saved.path) as image:
        assert image.size == (1920, 1080) and image.format == "PNG"
    svg = saved.path.with_suffix(".svg").read_text()
    assert svg.startswith("<?xml") and "<dc:date>" not in svg


def test_a_gallery_is_a_jpeg(tmp_path):
    saved = save(tmp_path, kind="gallery")
    assert sorted(contents(tmp_path)) == ["04_curve.jpg", "index.json"]
    with Image.open(saved.path) as image:
        assert image.size == (1920, 1080) and image.format == "JPEG"


def test_a_plots_files_say_what_they_are(tmp_path):
    caption = "10 < 20 & “Łódź”\x07"
    saved = save_figure(
        draw(), "04_curve", caption, "A line.", tmp_path, "04_train_cnn", run="your data, seed 7"
    )
    said = {
        "Title": "04_curve",
        "Description": "10 < 20 & “Łódź”\\x07",
        "Source": "04_train_cnn, your data, seed 7",
    }
    with Image.open(saved.path) as image:
        assert image.text == said
    root = ElementTree.parse(saved.path.with_suffix(".svg")).getroot()
    dublin_core = "{http://purl.org/dc/elements/1.1/}"
    assert {key: root.find(f".//{dublin_core}{key.lower()}").text for key in said} == said
    assert b"tEXt" not in saved.preview and b"iTXt" not in saved.preview


def test_a_gallerys_file_says_it_too(tmp_path):
    saved = save_figure(
        draw(), "02_wall", "Łódź,\nfive times.", "A wall.", tmp_path, "02_look", "gallery", "data, seed 7"
    )
    with Image.open(saved.path) as image:
        said = image.info["comment"].decode().splitlines()
    assert said == ["Title: 02_wall", "Description: Łódź,\\nfive times.", "Source: 02_look, data, seed 7"]
    (entry,) = read_index(tmp_path)
    assert entry["run"] == "data, seed 7"


@pytest.mark.parametrize("kind", ["plot", "gallery"])
def test_a_second_run_leaves_the_same_bytes(tmp_path, kind):
    save(tmp_path, kind=kind)
    first = contents(tmp_path)
    save(tmp_path, kind=kind)
    assert contents(tmp_path) == first


def test_another_process_on_another_day_leaves_the_same_bytes(tmp_path):
    save(tmp_path / "here")
    code = f"""
import pathlib
from src.utils.plots.figure.saving import save_figure
from src.utils.plots.figure.style import data_note, new_figure
figure = new_figure("Things go up", data_note("sample", "test", 1480, 37))
figure.subplots().plot([1, 2, 3], [1, 4, 9])
save_figure(figure, "04_curve", "Squares of three numbers.", "A rising line.",
            pathlib.Path({str(tmp_path / "there")!r}), "04_train_cnn")
"""
    environment = {"SOURCE_DATE_EPOCH": "86400", "MPLBACKEND": "svg", "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


def test_the_index_lists_each_figure_once(tmp_path):
    save(tmp_path, "05_b", kind="plot")
    save(tmp_path, "04_a")
    save(tmp_path, "05_b", kind="gallery", caption="Now as a gallery.")
    assert read_index(tmp_path) == [
        {
            "file": "04_a.png",
            "notebook": "04_train_cnn",
            "run": "",
            "caption": "Squares of three numbers.",
            "alt": "A rising line.",
        },
        {
            "file": "05_b.jpg",
            "notebook": "04_train_cnn",
            "run": "",
            "caption": "Now as a gallery.",
            "alt": "A rising line.",
        },
    ]
    assert sorted(contents(tmp_path)) == ["04_a.png", "04_a.svg", "05_b.jpg", "index.json"]
    assert read_index(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"caption": " "}, "needs a caption and an alt text"),
        ({"alt": ""}, "needs a caption and an alt text"),
        ({"name": "curve"}, "not like 04_learning_curves"),
        ({"name": "04_../curve"}, "not like 04_learning_curves"),
        ({"kind": "film"}, "not one of plot, gallery"),
    ],
)
def test_what_is_missing_is_refused_and_nothing_written(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        save(tmp_path / "figures", **change)
    assert not (tmp_path / "figures").exists()


def test_only_slides(tmp_path):
    with pytest.raises(ValueError, match="8 × 8 inches, not 16:9"):
        save_figure(Figure(figsize=(8, 8)), "04_a", "Caption.", "Alt.", tmp_path, "04_train_cnn")
    small = save_figure(Figure(figsize=(6.4, 3.6)), "04_a", "Caption.", "Alt.", tmp_path, "04_train_cnn")
    with Image.open(small.path) as image:
        assert image.width >= 1920


def test_the_decks_figures_open_the_index(tmp_path):
    names = ("02_audit", "05_confusion_matrix", "07_lab_coat", "07_association", "07_confidence")
    for name in names:
        save(tmp_path, name, kind="gallery" if name == "07_lab_coat" else "plot")
    stems = [Path(entry["file"]).stem for entry in read_index(tmp_path)]
    assert stems == ["07_confidence", "07_lab_coat", "05_confusion_matrix", "02_audit", "07_association"]


def test_what_an_earlier_run_left_goes_and_nothing_else(tmp_path):
    for name in ("07_wig", "07_plate"):
        save(tmp_path, name, kind="gallery")
    kept = [save(tmp_path, "07_lab_coat", kind="gallery")]
    save(tmp_path, "07_confidence")
    drop_others(tmp_path, kept, "07_*.jpg")
    assert sorted(contents(tmp_path)) == [
        *("07_confidence.png", "07_confidence.svg", "07_lab_coat.jpg"),
        "index.json",
    ]
    assert [entry["file"] for entry in read_index(tmp_path)] == ["07_confidence.png", "07_lab_coat.jpg"]


def test_a_damaged_index_is_named(tmp_path):
    (tmp_path / "index.json").write_text('[{"notebook": "04"}]')
    with pytest.raises(UserError, match=r"index\.json is damaged"):
        save(tmp_path)


@pytest.mark.parametrize(("kind", "mime"), [("plot", "image/png"), ("gallery", "image/jpeg")])
def test_a_notebook_shows_it_small_with_its_alt_text(tmp_path, kind, mime):
    saved = save(tmp_path, kind=kind)
    data, metadata = saved._repr_mimebundle_()
    assert data["text/plain"] == "Squares of three numbers."
    assert metadata == {mime: {"alt": "A rising line.", "title": "Things go up"}}
    assert len(data[mime]) < 200_000
    with Image.open(io.BytesIO(saved.preview)) as image:
        assert image.size[0] == 1000 and Image.MIME[image.format] == mime


def test_pyplot_forgets_a_figure_that_was_saved(tmp_path):
    from matplotlib import pyplot

    figure = pyplot.figure(figsize=(12.8, 7.2))
    save_figure(figure, "04_a", "Caption.", "Alt.", tmp_path, "04_train_cnn")
    assert not pyplot.fignum_exists(figure.number)


def test_importing_chooses_no_backend_and_no_style():
    code = """
import matplotlib
before = dict(matplotlib.rcParams)
from src.utils.plots import data
from src.utils.plots import evaluation
from src.utils.plots.figure import galleries
from src.utils.plots.figure import saving
from src.utils.plots.figure import style
from src.utils.plots import training
assert dict(matplotlib.rcParams) == before
import sys
from pathlib import Path
from xml.etree import ElementTree
assert "tensorflow" not in sys.modules and "sklearn" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_figures_have_room_for_title_and_note():
    figure = draw()
    figure.draw_without_rendering()
    box = figure.axes[0].get_tightbbox()
    words = [figure.get_suptitle(), figure.get_supxlabel()]
    assert words[0] == "Things go up" and words[1].startswith("Demonstration sample")
    assert np.all(box.min > 0) and box.y1 < figure.bbox.height and box.x1 < figure.bbox.width
