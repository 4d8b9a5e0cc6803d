"""The talk of a made-up run: opened again, read, measured."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from pptx import Presentation
from pptx.enum.shapes import MSO_SHAPE_TYPE
from pptx.oxml.ns import qn
from pptx.util import Emu

from src.utils.files import read_json, write_json
from src.utils.names import MODEL_NAMES
from src.utils.plots.training import DECK_ACCURACY
from src.utils.settings import Settings, UserError
from src.utils.slides.__main__ import main, make_slides
from src.utils.slides.findings import read_findings
from src.utils.slides.layout import HIGH, WIDE, Words, lay_out, title_share
from src.utils.slides.talk import make_talk
from src.utils.slides.text import height, width
from tests.slides.made_up_run import BODY_BEGINS, FIGURES, SIZE, TITLE_ENDS, write_run

NOT_RESULTS = {
    *("2025", "2014", "2012", "2008", "2023"),  # years of what is cited
    *("10", "95", "3", "1"),  # notebook 10, 95 % intervals, SEEDS=3, captions' own counts
    *("19", "0"),  # VGG19, Lite0
    *(str(one) for one in DECK_ACCURACY),
    f"{DECK_ACCURACY[-1]:.2f}",
    *("9", "7"),  # the name of a made-up generator, the seed
}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def deck(run: Settings):
    return Presentation(str(make_slides(run)[0]))


def words(slide) -> str:
    return "\n".join(shape.text_frame.text for shape in slide.shapes if shape.has_text_frame)


def numbers_of_the_run(run: Settings) -> set[str]:
    """Every number that the run's files hold, in the ways in which one may be written."""
    found: set[float] = set()

    def collect(value: object) -> None:
        if isinstance(value, dict):
            [collect(one) for one in value.values()]
        elif isinstance(value, list):
            [collect(one) for one in value]
        elif isinstance(value, int | float):
            found.add(float(value))

    facts = read_json(run.reports_dir / "metrics.json")
    collect(facts)
    collect(read_json(run.models_dir / "best" / "calibration.json"))
    for path in run.reports_dir.glob("*.csv"):
        found |= {float(one) for one in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?![\w.])", path.read_text())}
    for matrix in [one["confusion_matrix"] for part in ("models", "unseen") for one in facts[part].values()]:
        (tn, fp), (fn, tp) = matrix
        found |= {float(fp / (tn + fp)), float(tp / (fn + tp)), float(tn + fp), float(fn + tp)}
    known = facts["n_train"] + facts["n_validation"] + facts["n_test"]
    found |= {float(known), float(sum(map(sum, facts["unseen"]["best"]["confusion_matrix"])))}
    links = (run.reports_dir / "link_answers.csv").read_text().splitlines()
    found |= {float(len(links) - 1), 2.0, 1.0}  # of the links: known, uncertain, right
    found |= {float(len(facts["errors"]["held"]))}
    return {
        text
        for value in found
        for text in (
            f"{value:.2f}",
            f"{value:.3f}",
            f"{value:.1f}",
            f"{value:g}",
            f"{value:,.0f}",
            f"{100 * value:.0f}",
        )
    }


def test_every_number_on_the_slides_and_in_the_notes_is_one_of_the_run(run: Settings, deck) -> None:
    allowed = numbers_of_the_run(run) | NOT_RESULTS
    for slide in list(deck.slides):
        notes = slide.notes_slide.notes_text_frame.text
        said = re.sub(r"\d\d_\w+|reports/\S+", "", f"{words(slide)}\n{notes}")
        for name in MODEL_NAMES.values():
            said = said.replace(name, "")
        page = str(list(deck.slides).index(slide) + 1)
        for number in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", said):
            plain = number.rstrip(",")
            assert plain in allowed or plain == page, (plain, said)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("cnn_scaled", "81 of 193 human-made pictures called AI, 71 of 193 AI-generated ones missed"),
        ("cnn_deck", "cannot be told from guessing: ROC-AUC 0.59 [0.53, 0.65]"),
        ("best", "The improved model has a ROC-AUC of 0.94 [0.88, 1.00] on the test"),
    ],
)
def test_another_run_gives_another_talk(tmp_path: Path, place: str, said: str) -> None:
    settings = write_run(tmp_path)
    path = settings.reports_dir / "metrics.json"
    facts = read_json(path)
    facts["models"]["cnn_deck"]["auc"] |= {"low": 0.4975}
    write_json(path, facts)
    before = "\n".join(slide.title for slide in make_talk(read_findings(settings)))
    facts["models"][place]["auc"] = {"value": 0.33, "low": 0.31, "high": 0.35}
    facts["models"][place]["confusion_matrix"] = [[1, 1], [1, 1]]
    write_json(path, facts)
    after = "\n".join(slide.title for slide in make_talk(read_findings(settings)))
    changed = said.replace("0.53", "0.50") if place == "cnn_deck" else said
    assert changed in before and changed not in after


def test_every_slide_has_a_title_notes_and_alt_texts(deck) -> None:
    assert (
        len(deck.slides) == len(FIGURES) + 6
    )  # without one of the alternatives; cover, question, record, ends
    for slide in deck.slides:
        assert slide.shapes.title.text_frame.text.strip()
        notes = slide.notes_slide.notes_text_frame.text
        assert len(notes) > 40 and not re.search(r"[*`]", notes)
        for shape in slide.shapes:
            assert shape.name != "Bar" or shape._element.find(qn("p:style")) is None  # has no shadow
            if shape.shape_type == MSO_SHAPE_TYPE.PICTURE:
                alt = shape._element.nvPicPr.cNvPr.get("descr")
                assert re.match(r"Alt \d\d_\w+\. \w", alt), alt


def test_everything_stands_on_the_slide_and_no_two_texts_overlap(deck) -> None:
    assert (deck.slide_width, deck.slide_height) == (Emu(round(WIDE * 914400)), Emu(round(HIGH * 914400)))
    for slide in deck.slides:
        shapes = [one for one in slide.shapes if one.has_text_frame and one.text_frame.text]
        for one in slide.shapes:
            assert one.left >= 0 and one.top >= 0
            assert (
                one.left + one.width <= deck.slide_width + 1 and one.top + one.height <= deck.slide_height + 1
            )
        for first in shapes:
            for second in shapes:
                if first is not second:
                    beside = (
                        first.left + first.width <= second.left or second.left + second.width <= first.left
                    )
                    apart = first.top + first.height <= second.top or second.top + second.height <= first.top
                    assert beside or apart, (first.text_frame.text, second.text_frame.text)


def long_run(tmp_path: Path) -> Settings:
    """A run whose names are as long and as odd as data can make them."""
    settings = write_run(tmp_path, "folder")
    path = settings.reports_dir / "metrics.json"
    facts = read_json(path)
    facts["labels"]["labeller"] = "An ImageNet network " * 12
    facts["unseen_sources"]["rows"][0]["source"] = "w" * 300 + "\n$x$ <b>"
    facts["errors"]["held"] = ["false positives: " + "property " * 60]
    write_json(path, facts)
    return settings


@pytest.mark.parametrize("make", [write_run, long_run])
def test_no_text_is_wider_or_higher_than_its_box(tmp_path: Path, make) -> None:
    findings = read_findings(make(tmp_path))
    for page in lay_out(make_talk(findings), findings.footer):
        titles = [box for box in page.boxes if isinstance(box, Words) and box.role == "title"]
        assert len(titles) == 1
        for box in page.boxes:
            if isinstance(box, Words):
                lines = [line for paragraph in box.paragraphs for line in paragraph]
                assert all(width(line, box.size, box.bold) <= box.width + 1e-6 for line in lines), lines
                tall = height(len(lines), box.size) + box.gap * (len(box.paragraphs) - 1)
                assert tall <= box.height + 1e-6, lines
                assert box.y + box.height <= HIGH


def test_a_second_run_leaves_the_same_bytes(run: Settings) -> None:
    first = [path.read_bytes() for path in make_slides(run)]
    second = [path.read_bytes() for path in make_slides(run)]
    assert first == second


def test_the_pdf_has_a_page_a_slide_an_outline_and_alt_texts(run: Settings, deck) -> None:
    pdf = make_slides(run)[1].read_bytes()
    assert pdf.startswith(b"%PDF")
    assert len(re.findall(rb"/Type /Page\b", pdf)) == len(deck.slides)
    assert b"/Outlines" in pdf and b"/Alt " in pdf and b"/Lang (en)" in pdf


def test_the_figures_own_title_is_cut_off_and_nothing_else(tmp_path: Path, run: Settings) -> None:
    share = title_share(run.figures_dir / "03_splits.png")
    assert TITLE_ENDS < share * SIZE[1] < BODY_BEGINS


def test_what_a_run_lacks_has_no_slide(tmp_path: Path) -> None:
    settings = write_run(tmp_path)
    everything = [slide.title for slide in make_talk(read_findings(settings))]
    (settings.figures_dir / "11_makers.png").unlink()
    (settings.reports_dir / "link_answers.csv").unlink()
    path = settings.reports_dir / "metrics.json"
    facts = read_json(path)
    del facts["robustness"], facts["deliveries"]
    write_json(path, facts)
    shutil.rmtree(settings.models_dir)
    left = [slide.title for slide in make_talk(read_findings(settings))]
    gone = [title for title in everything if title not in left]
    assert [title.split()[0] for title in gone] == ["3", "“all", "Found", "It", "“Blur", "Worst"]


def without_estimates(entry: object) -> object:
    """The same where nothing could be measured: an estimate without a value, a row without numbers."""
    if isinstance(entry, list):
        return [without_estimates(one) for one in entry]
    if not isinstance(entry, dict):
        return entry
    if set(entry) == {"value", "low", "high"}:
        return dict.fromkeys(entry)
    gone = {name for name in entry if {f"{name}_low", f"{name}_high"} <= set(entry)}
    gone |= {f"{name}{end}" for name in gone for end in ("_low", "_high")}
    return {name: None if name in gone else without_estimates(one) for name, one in entry.items()}


def nothing_measurable(facts: dict) -> dict:
    """No estimate, no category, no comparison, no mistake, no source."""
    facts = without_estimates(facts)
    facts["labels"] |= {"categories_tested": 0, "over_represented": []}
    facts["errors"] |= {"false_positives": 0, "false_negatives": 0, "comparisons": 0, "held": []}
    facts["unseen_sources"]["rows"] = []
    for part in ("models", "unseen"):
        for model in facts[part].values():
            model["confusion_matrix"] = [[0, 0], [0, 0]]
    return facts


def one_seed(facts: dict) -> dict:
    facts["seeds"]["spread"][0] |= {"seeds": 1, "lowest": 0.59, "highest": 0.59}
    return facts


def one_class(facts: dict) -> dict:
    """Unseen sources of one class alone, where no area is defined."""
    facts["unseen_sources"]["rows"] = facts["unseen_sources"]["rows"][2:]
    facts["unseen"]["best"] |= {"auc": dict.fromkeys(("value", "low", "high"))}
    return facts


@pytest.mark.parametrize(
    ("source", "change"),
    [
        ("sample", one_seed),
        ("sample", nothing_measurable),
        ("kaggle", nothing_measurable),
        ("folder", nothing_measurable),
        ("folder", one_class),
    ],
)
def test_whatever_a_run_could_not_measure_its_talk_says_nothing_untrue(tmp_path, source, change) -> None:
    settings = write_run(tmp_path, source)
    path = settings.reports_dir / "metrics.json"
    write_json(path, change(read_json(path)))
    findings = read_findings(settings)
    slides = make_talk(findings)
    said = json.dumps([(one.title, one.points, one.notes, [vars(n) for n in one.numbers]) for one in slides])
    assert not re.search(r"\bNone\b(?! of)|\b(nan|NaN|inf)\b|\bis – |\bof – |\blie – ", said)
    titles = " ".join(one.title for one in slides)
    assert ("Trained once" in titles) == (change is one_seed)
    if change is nothing_measurable:
        assert "No category is frequent enough to be tested" in titles and "better" not in titles
        assert "too few to compare" in titles
    if change is one_class:
        assert "Most often called AI: Attic" in titles and "Found least" not in titles
    assert len(lay_out(slides, findings.footer)) == len(slides)


def test_a_run_of_the_deck_alone_still_makes_a_talk(tmp_path: Path) -> None:
    settings = write_run(tmp_path, "kaggle")
    write_json(settings.reports_dir / "metrics.json", {"schema": 1, "source": "kaggle", "models": {}})
    shutil.rmtree(settings.figures_dir)
    titles = [slide.title for slide in make_talk(read_findings(settings))]
    assert titles[0] == "Human or AI?" and titles[-1] == "Whose work this rests on"
    assert all(path.is_file() for path in make_slides(settings))


@pytest.mark.parametrize("source", ["kaggle", "folder"])
def test_other_datasets_are_named_as_they_are(tmp_path: Path, source: str) -> None:
    findings = read_findings(write_run(tmp_path, source))
    slides = make_talk(findings)
    everything = json.dumps([(slide.title, slide.points, slide.notes) for slide in slides])
    assert "demonstration" not in everything.lower()
    assert findings.footer.startswith({"kaggle": "Kaggle dataset", "folder": "Your own images"}[source])


def test_without_a_run_there_is_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    with pytest.raises(UserError, match=r"There is no run .* run DATA_SOURCE=sample make reproduce\.$"):
        make_slides(Settings(root=tmp_path))
    monkeypatch.setattr(Settings, "from_env", lambda: replace(Settings(), root=tmp_path))
    assert main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_damaged_numbers_are_named(tmp_path: Path) -> None:
    settings = write_run(tmp_path)
    (settings.reports_dir / "metrics.json").write_text("{")
    with pytest.raises(UserError, match=r"metrics\.json is damaged"):
        make_slides(settings)
