import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from src.utils.files import read_json, write_json
from src.utils.settings import Settings, UserError
from src.utils.site.__main__ import main
from src.utils.site.markup import Place, sections, tidy
from src.utils.site.run import read_run
from src.utils.site.website import site_files, write_site
from tests.app.browser import SIZES, assert_accessible
from tests.site.made_up_run import write_run
from tests.slides.made_up_run import SIZE

PAGES = (
    *("data.html", "figures.html", "index.html", "model-card.html"),
    *("notebooks/04_train_cnn.html", "notebooks/05_confusion_matrix.html", "search.html"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Settings:
    return write_run(tmp_path_factory.mktemp("run"))


@pytest.fixture(scope="module")
def site(run: Settings) -> Path:
    return write_site(read_run(run), run.reports_dir / "site").parent


def soup(site: Path, page: str) -> BeautifulSoup:
    return BeautifulSoup((site / page).read_text(), "html.parser")


def addresses(document: BeautifulSoup) -> list[str]:
    return [
        tag[name]
        for name in ("href", "src", "action")
        for tag in document.select(f"[{name}]")
        if not tag[name].startswith("data:")
    ]


def test_the_site_has_its_pages_each_with_a_title_and_one_heading(site: Path) -> None:
    assert tuple(sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))) == PAGES
    titles = [soup(site, page).title.get_text() for page in PAGES]
    assert len(set(titles)) == len(PAGES)
    assert "05 · How often is it right? – Human or AI?" in titles
    assert all(len(soup(site, page)("h1")) == 1 for page in PAGES)


def test_every_internal_link_leads_somewhere(site: Path) -> None:
    outside = set()
    for page in PAGES:
        for address in addresses(soup(site, page)):
            parts = urlsplit(address)
            if parts.scheme:
                outside.add(address)
                continue
            target = (site / page).parent / unquote(parts.path) if parts.path else site / page
            assert target.is_file(), f"{page}: {address}"
            if parts.fragment:
                found = soup(site, str(target.resolve().relative_to(site.resolve())))
                assert len(found.select(f'[id="{parts.fragment}"]')) == 1, f"{page}: {address}"
    assert outside == {"https://example.com/paper"}  # a link to follow, nothing that is fetched


def test_ids_are_there_once_and_pictures_have_alt_texts(site: Path) -> None:
    for page in PAGES:
        ids = [tag["id"] for tag in soup(site, page).select("[id]")]
        assert len(ids) == len(set(ids)), page
        assert all(image["alt"] for image in soup(site, page)("img")), page


def test_the_start_page_has_the_results_of_this_run(site: Path) -> None:
    start = soup(site, "index.html")
    table = start.table.get_text(" ", strip=True)
    assert "Improved model ( best ) –" in table and "0.94 [0.88,\N{NO-BREAK SPACE}1.00]" in table
    assert "Demonstration sample, group split, seed 7: 1234 training" in start.get_text()
    assert start.select_one("figure img")["alt"] == "Alt of 11_makers.png."
    assert [link.get_text(" ", strip=True) for link in start.select(".notebooks a")] == [
        "04 How well does it learn?",
        "05 How often is it right?",
    ]
    assert read_json(site / "metrics.json")["seed"] == 7


def test_a_notebook_keeps_what_it_shows_and_loses_its_noise(site: Path) -> None:
    page = soup(site, "notebooks/04_train_cnn.html")
    said = page.main.get_text()
    assert (
        'loss = "low"' in said
        and "red words" in said
        and "quiet words" in said
        and "said in Markdown" in said
    )
    assert "25/25" not in said and "\x1b" not in said
    figure = page.main.find("figure")
    assert figure.img["alt"] == "Alt of 04_losses.png."
    assert (int(figure.img["width"]), int(figure.img["height"])) == SIZE
    assert figure.figcaption.a["href"] == "../figures.html#04_losses"
    assert (site / "notebooks" / figure.img["src"]).read_bytes().startswith(b"\x89PNG")
    assert page.select_one('a[rel="next"]')["href"] == "05_confusion_matrix.html"
    assert not page.select('a[rel="prev"]')
    assert "99" in said and "99_nowhere" not in str(page)
    assert [link["href"] for link in page.select(".contents li a")] == ["#training", "#training-1"]
    stored = json.loads((site / "notebooks" / "04_train_cnn.ipynb").read_text())
    assert "25/25" not in json.dumps(stored)


def test_nothing_active_and_nothing_foreign_is_left_in_a_notebook(site: Path) -> None:
    page = soup(site, "notebooks/04_train_cnn.html")
    assert not page.main.find_all(["script", "style", "form"]) and "onclick" not in str(page)
    assert "example.com" not in str(page) and "(Not shown here: a pixel.)" in page.get_text()


def test_a_data_frames_two_heads_become_one(site: Path) -> None:
    table = soup(site, "notebooks/04_train_cnn.html").main.table
    assert [cell.get_text() for cell in table.thead("th")] == ["Model", "Recall"]
    assert [cell["scope"] for cell in table("th")] == ["col", "col", "row"]
    assert table.parent["tabindex"] == "0" and table.parent["aria-label"]


def test_tables_keep_intervals_whole_and_lose_an_empty_head() -> None:
    html = (
        "<table><thead><tr><th></th><th></th></tr></thead><tbody><tr><td>0.57 [0.43, 0.71]</td></tr></tbody>"
    )
    table = BeautifulSoup(tidy(f"{html}</table>", Place("a.md", "a.html")), "html.parser").table
    assert table.td.get_text() == "0.57 [0.43,\N{NO-BREAK SPACE}0.71]" and not table.thead


def test_figures_have_captions_notebooks_and_files(site: Path) -> None:
    page = soup(site, "figures.html")
    losses = page.find(id="04_losses")
    assert losses.figcaption.get_text(" ", strip=True) == (
        "What 04_losses.png shows. Sample, seed 7, commit 1a2b3c4d5e."
    )
    assert not page.find(id="11_makers").small  # drawn before that was noted
    files = [link["href"] for link in losses.select(".files a")]
    assert files == ["figures/04_losses.png", "figures/04_losses.svg"]
    assert page.find(id="notebook-04_train_cnn").a["href"] == "notebooks/04_train_cnn.html"
    assert not page.find(id="notebook-11_x").a  # a figure of a notebook that the run did not keep


def test_the_model_card_has_this_runs_numbers_and_figures(site: Path) -> None:
    card = soup(site, "model-card.html").main
    assert "old numbers" not in card.get_text() and "0.94 [0.88,\N{NO-BREAK SPACE}1.00]" in card.get_text()
    assert card.img["src"] == "figures/11_makers.png" and "(Not shown here: Gone.)" in card.get_text()
    links = {link.get_text(): link["href"] for link in card("a")}
    assert links["notebook 05"] == "notebooks/05_confusion_matrix.html#takeaways"
    assert links["the data"] == "data.html#rights" and "the licence" not in links


def test_the_search_index_is_a_script_with_every_section(site: Path) -> None:
    script = (site / "search-index.js").read_text()
    rows = json.loads(re.fullmatch(r"const SEARCH_INDEX = (.*);\n", script, flags=re.DOTALL)[1])
    assert {row["page"] for row in rows} == set(PAGES) - {"search.html"}
    (row,) = [row for row in rows if "chinchilla" in row["text"]]
    assert 'loss = "low" # as told' in row["text"] and "chinchilla 0.57" in row["text"]
    assert (row["page"], row["anchor"]) == ("notebooks/04_train_cnn.html", "training-1")


def test_the_same_run_gives_the_same_site_and_another_run_another(tmp_path: Path) -> None:
    settings = write_run(tmp_path)
    first, second = (site_files(read_run(settings)) for _ in range(2))
    assert first == second
    path = settings.reports_dir / "metrics.json"
    write_json(path, {**read_json(path), "seed": 8})
    assert site_files(read_run(settings))["index.html"] != first["index.html"]


def test_a_new_site_takes_the_old_ones_place_or_leaves_it(tmp_path: Path, monkeypatch) -> None:
    settings = write_run(tmp_path)
    folder = settings.reports_dir / "site"
    write_site(read_run(settings), folder)
    (folder / "left-over.html").touch()
    broken = replace(read_run(settings), downloads={tmp_path / "nowhere.json": "gone"})
    with pytest.raises(OSError):
        write_site(broken, folder)
    assert (folder / "left-over.html").is_file()
    write_site(read_run(settings), folder)
    assert not (folder / "left-over.html").exists()
    assert [path.name for path in settings.reports_dir.iterdir() if "site" in path.name] == ["site"]


def test_a_run_without_figures_and_models_has_a_site(tmp_path: Path) -> None:
    settings = write_run(tmp_path, "kaggle")
    write_json(settings.reports_dir / "metrics.json", {"schema": 1, "source": "kaggle", "models": {}})
    (settings.figures_dir / "index.json").unlink()
    files = site_files(read_run(settings))
    start = files["index.html"].decode()
    assert "None" not in start and "<p>Kaggle dataset. Made" in start
    assert "This run measured no model." in start and "demonstration" not in start
    assert "This run drew no figure." in files["figures.html"].decode()


def test_without_a_run_there_is_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    with pytest.raises(UserError, match=r"There is no run .* run DATA_SOURCE=sample make reproduce\.$"):
        read_run(Settings(root=tmp_path))
    monkeypatch.setattr(Settings, "from_env", lambda: replace(Settings(), root=tmp_path))
    assert main([]) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("name", ["metrics.json", "notebooks/04_train_cnn.ipynb"])
def test_a_damaged_file_is_named(tmp_path: Path, name: str) -> None:
    settings = write_run(tmp_path)
    (settings.reports_dir / name).write_text("{")
    with pytest.raises(UserError, match=rf"{name} is damaged.* make reproduce"):
        read_run(settings)


def test_headings_get_the_ids_that_github_gives_them() -> None:
    html = tidy("<h2>What's new, in 2026?</h2><h2>What's new in 2026</h2>", Place("a.md", "a.html"))
    anchors = [section.anchor for section in sections(html)]
    assert anchors == ["", "whats-new-in-2026", "whats-new-in-2026-1"]


@pytest.mark.browser
@pytest.mark.parametrize(("size", "scheme"), [("wide", "light"), ("phone", "dark")])
def test_pages_open_from_the_disk_for_everybody(browser, site: Path, size: str, scheme: str) -> None:
    width, height = SIZES[size]
    context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
    page, trouble = context.new_page(), []
    page.on("console", lambda message: trouble.append(message.text))
    page.on("request", lambda one: one.url.startswith(("file:", "data:")) or trouble.append(one.url))
    for name in PAGES:
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        assert trouble == [], name
        assert_accessible(page)
        trouble.clear()  # axe itself asks for the style sheet, which no script may read from the disk
    context.close()


@pytest.mark.browser
def test_the_search_finds_a_section_and_leads_there(browser, site: Path) -> None:
    context = browser.new_context()
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.goto((site / "notebooks/05_confusion_matrix.html").as_uri())
    page.get_by_label("Search the site").fill("Chinchilla recall")
    page.get_by_role("button", name="Search").click()
    assert page.locator("#found").inner_text() == "1 section"
    assert page.locator("#hits mark").all_inner_texts() == ["Recall", "chinchilla"]
    page.locator("#hits a").click()
    assert page.url.endswith("notebooks/04_train_cnn.html#training-1")
    for asked, found in (
        ("chinch", "1 section"),  # a beginning of a word, and no middle of one
        ("hinchilla", "0 sections"),
        ("<b>(nothing", "0 sections"),
        ("cnn-scaled.* data/[x]", "0 sections"),
        (" ", ""),
    ):
        page.goto((site / "search.html").as_uri() + "?q=" + quote(asked))
        assert page.locator("#found").inner_text() == found, asked
    assert errors == []
    context.close()
