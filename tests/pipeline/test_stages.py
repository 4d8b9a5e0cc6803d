"""The staleness rules, on a project of two tiny notebooks made here."""

import json
import os
import subprocess
from pathlib import Path

import nbformat
import pytest

from src.utils.estimate import Estimate
from src.utils.files import write_json
from src.utils.pipeline import run
from src.utils.pipeline.run import (
    Console,
    StageFailed,
    closing,
    estimates,
    headline,
    last_words,
    main,
    run_all,
    without_notes,
)
from src.utils.pipeline.stages import (
    Stage,
    code_commit,
    in_order,
    load_stages,
    mark_done,
    stage_inputs,
    why_stale,
)
from src.utils.settings import PROJECT_ROOT, Settings

STAGES = """
[01_first]
question = "One?"
reads = ["raw/train.csv"]
writes = ["processed/one.txt"]
parameters = ["seed"]
minutes = 1

[02_second]
question = "Two?"
reads = ["processed/one.txt"]
writes = ["processed/two.txt"]
parameters = ["epochs"]
minutes = 1
"""


def write_notebook(path, *codes):
    cells = [nbformat.v4.new_markdown_cell("# Title?")] + [nbformat.v4.new_code_cell(code) for code in codes]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)


def copy_code(root, source, target):
    return (
        "from pathlib import Path\n"
        f"text = Path({str(root / source)!r}).read_text()\n"
        f"target = Path({str(root / target)!r})\n"
        "target.parent.mkdir(parents=True, exist_ok=True)\n"
        "target.write_text(text)"
    )


@pytest.fixture
def project(tmp_path):
    """A project whose two notebooks each copy a file, and whose first imports a module of its own."""
    (tmp_path / "src" / "utils").mkdir(parents=True)
    for name in ("src/__init__.py", "src/utils/__init__.py"):
        (tmp_path / name).touch()
    (tmp_path / "src/utils/settings.py").write_text("import json\n")
    (tmp_path / "src/utils/files.py").write_text("VALUE = 1\n")
    raw, processed = "data/raw/sample", "data/processed/sample"
    (tmp_path / raw).mkdir(parents=True)
    (tmp_path / raw / "train.csv").write_text("one")
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/stages.toml").write_text(STAGES)
    first = copy_code(tmp_path, f"{raw}/train.csv", f"{processed}/one.txt")
    write_notebook(tmp_path / "notebooks/01_first.ipynb", "import src.utils.files", first)
    second = copy_code(tmp_path, f"{processed}/one.txt", f"{processed}/two.txt")
    write_notebook(tmp_path / "notebooks/02_second.ipynb", second)
    return tmp_path


def finish(project, **variables):
    """Pretend that every stage ran: write the outputs and the stamps."""
    settings = Settings.from_env(variables, root=project)
    for name in ("one", "two"):
        path = settings.processed_dir / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("one")
    for stage in load_stages(project):
        mark_done(stage, settings, stage_inputs(stage, settings), 1.0)


def stale(project, **variables):
    settings = Settings.from_env(variables, root=project)
    reasons = {stage.number: why_stale(stage, settings) for stage in load_stages(project)}
    return {number: reason for number, reason in reasons.items() if reason}


def test_nothing_changed_is_up_to_date(project):
    assert stale(project) == {"01": "not run yet", "02": "not run yet"}
    finish(project)
    assert stale(project) == {}


def test_a_parameter_concerns_its_own_stage_only(project):
    finish(project)
    assert stale(project, SEED="7") == {"01": "changed: parameter seed"}
    assert stale(project, EPOCHS="3") == {"02": "changed: parameter epochs"}


def test_a_module_concerns_the_stages_that_import_it(project):
    finish(project)
    (project / "src/utils/files.py").write_text("VALUE = 2\n")
    assert stale(project) == {"01": "changed: src/utils/files.py"}
    (project / "src/utils/files.py").write_text('"""A value."""\n\nVALUE = 1  # one\n')
    (project / "src/utils/settings.py").write_text("import os\n")
    assert stale(project) == {}


def test_a_module_reached_through_another_one_counts(project):
    (project / "src/utils/files.py").write_text("from src.utils.settings import json\n")
    finish(project)
    (project / "src/utils/settings.py").write_text("import json, os\n")
    assert stale(project) == {"01": "changed: src/utils/settings.py"}


def test_detectors_of_others_concern_the_stage_that_sets_them_beside_ours(project):
    (project / "notebooks/stages.toml").write_text(STAGES.replace('["raw/train.csv"]', '["detectors/"]'))
    finish(project)
    assert stale(project) == {}
    steps = (
        "detectors.toml",
        "models/detectors/sieve.onnx",
        "models/sample/detectors/sieve/calibration.json",
    )
    for name in steps:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("one")
        assert stale(project) == {"01": f"changed: {name}"}
        finish(project)
    (project / "models/sample/detectors/sieve/bundle.json").write_text("made by the notebook itself")
    (project / "models/detectors/.lock").touch()
    assert stale(project) == {}


def test_the_code_that_fetches_a_dataset_concerns_the_stage_that_reads_its_source(project):
    (project / "notebooks/stages.toml").write_text(STAGES.replace('["raw/train.csv"]', '["source/"]'))
    for name in ("sample", "kaggle"):
        path = project / "src/utils/data/sources" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("import src.utils.files\n")
    finish(project)
    (project / "src/utils/data/sources/kaggle.py").write_text("import json\n")
    assert stale(project) == {}
    (project / "src/utils/data/sources/sample.py").write_text("import json, src.utils.files\n")
    assert stale(project) == {"01": "changed: src/utils/data/sources/sample.py"}


def test_a_list_that_a_module_reads_counts_as_code(project):
    (project / "src/utils/files.py").write_text('NAMES = "names.txt"\n')
    (project / "src/utils/names.txt").write_text("cat\n")
    finish(project)
    (project / "src/utils/names.txt").write_text("dog\n")
    assert stale(project) == {"01": "changed: src/utils/names.txt"}


def test_contents_count_and_dates_do_not(project):
    finish(project)
    train = project / "data/raw/sample/train.csv"
    os.utime(train, (1, 1))
    assert stale(project) == {}
    train.write_text("two")
    assert stale(project) == {"01": "changed: raw/train.csv"}


def test_a_deleted_output_is_made_again(project):
    finish(project)
    (project / "data/processed/sample/two.txt").unlink()
    assert stale(project) == {"02": "missing: data/processed/sample/two.txt"}


def test_stored_outputs_are_not_part_of_a_notebook(project):
    finish(project)
    path = project / "notebooks/01_first.ipynb"
    notebook = json.loads(path.read_text())
    notebook["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["hello"]}]
    notebook["cells"][1]["execution_count"] = 5
    path.write_text(json.dumps(notebook))
    assert stale(project) == {}
    notebook["cells"][0]["source"] = ["# Another title?"]
    path.write_text(json.dumps(notebook))
    assert stale(project) == {"01": "changed: notebooks/01_first.ipynb"}


def test_a_broken_stamp_means_run_again(project):
    finish(project)
    stamp = project / "reports/sample/stages/01_first.json"
    stamp.write_text("{")
    assert stale(project) == {"01": "not run yet"}


def test_a_promised_file_that_is_not_written_is_an_error(project):
    settings = Settings.from_env({}, root=project)
    stage = load_stages(project)[0]
    with pytest.raises(FileNotFoundError, match=r"01_first .* data/processed/sample/one.txt"):
        mark_done(stage, settings, stage_inputs(stage, settings), 1.0)


def test_the_run_executes_skips_and_continues(project, capsys):
    settings = Settings.from_env({}, root=project)
    stages = load_stages(project)
    second = project / "notebooks/02_second.ipynb"
    working = second.read_text()
    write_notebook(second, "print('before')", "raise ValueError('the cause')")
    with pytest.raises(StageFailed, match="02_second, cell 3: ValueError: the cause"):
        run_all(settings, stages, force=False, console=Console())
    assert (settings.processed_dir / "one.txt").read_text() == "one"
    failed = nbformat.read(settings.reports_dir / "notebooks/02_second.ipynb", as_version=4)
    assert failed.cells[1].outputs[0].text == "before\n"

    second.write_text(working)
    assert run_all(settings, stages, force=False, console=Console()) == 1
    assert (settings.processed_dir / "two.txt").read_text() == "one"
    page = (settings.reports_dir / "notebooks/02_second.html").read_text()
    assert "Title?" in page
    assert run_all(settings, stages, force=False, console=Console()) == 0
    assert "[2/2] 02_second  up to date" in capsys.readouterr().err


def test_a_run_with_nothing_to_do_merges_nothing_unless_what_was_merged_is_gone(project, monkeypatch):
    finish(project)
    settings, merged = Settings.from_env({}, root=project), []
    monkeypatch.setattr(run.Settings, "from_env", lambda: settings)
    monkeypatch.setattr(run, "merge_results", lambda settings: merged.append(settings.source))
    assert main([]) == 0 and merged == ["sample"]
    (settings.reports_dir / "metrics.json").write_text("{}")
    assert main([]) == 0 and merged == ["sample"]


def test_last_words_of_a_progress_bar():
    assert last_words("10%\r 20%\r 100%\n") == "100%"
    assert last_words("\n") == ""


def test_start_up_notes_are_left_out_and_words_stay():
    notes = "WARNING: All log messages before absl::InitializeLog() is called\nI0000 00:00:17 port.cc] on\n"
    assert (
        without_notes({"name": "stderr", "text": notes + "About 2 minutes.\n"})["text"]
        == "About 2 minutes.\n"
    )


def test_a_wrong_parameter_ends_with_one_line(monkeypatch, capsys):
    monkeypatch.setenv("EPOCHS", "none")
    assert main([]) == 1
    assert "Stopped: EPOCHS=none is not a whole number" in capsys.readouterr().err


def stage(name, reads=(), writes=()):
    return Stage(name, Path(f"{name}.ipynb"), "?", tuple(reads), tuple(writes), (), 1)


def test_a_stage_comes_after_those_it_reads_from():
    stages = [
        stage("01", writes=["a"]),
        stage("02", reads=["a", "d"], writes=["b"]),
        stage("03", reads=["a", "elsewhere"], writes=["c"]),
        stage("04", reads=["c"], writes=["d"]),
    ]
    assert [one.name for one in in_order(stages)] == ["01", "03", "04", "02"]


def test_no_file_has_two_writers_and_nobody_waits_in_a_circle():
    with pytest.raises(ValueError, match="a is written by both 01 and 02"):
        in_order([stage("01", writes=["a"]), stage("02", writes=["b", "a"])])
    with pytest.raises(ValueError, match="wait for each other: 02, 03"):
        in_order([stage("01"), stage("02", ["b"], ["a"]), stage("03", ["a"], ["b"])])


def test_what_is_measured_of_a_model_has_one_writer_and_is_named_by_its_readers():
    stages = {stage.number: stage for stage in load_stages(PROJECT_ROOT)}
    writers = {entry: number for number, stage in stages.items() for entry in stage.writes}
    assert {writers[f"models/{name}/calibration.json"] for name in ("cnn_deck", "cnn_scaled", "best")} == {
        "10"
    }
    assert (writers["models/cnn_deck/bundle.json"], writers["models/best/bundle.json"]) == ("04", "09")
    order = list(stages)
    assert order.index("06") > order.index("10") and set(order) == {f"{n:02d}" for n in range(1, 15)}
    known = {*writers, "source/", "raw/train_data/", "rejected/", "detectors/"}
    for number, one in stages.items():
        assert set(one.reads) <= known, number


def git(folder: Path, *arguments: str) -> str:
    who = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")
    command = ["git", "-C", str(folder), *who, *arguments]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout.strip()


def commit_all(folder: Path) -> str:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "More")
    return git(folder, "rev-parse", "HEAD")[:10]


def test_a_stages_commit_is_the_last_one_that_touched_its_code(project):
    settings = Settings(root=project)
    first, second = load_stages(project)
    assert code_commit(first, settings) == ""  # no checkout
    git(project, "init", "--quiet")
    assert code_commit(first, settings) == ""  # no commit
    began = commit_all(project)
    (project / "README.md").write_text("Words.")
    commit_all(project)
    assert [code_commit(stage, settings) for stage in (first, second)] == [began, began]
    (project / "src/utils/files.py").write_text("VALUE = 2\n")
    assert code_commit(first, settings) == f"{began} with changes"
    changed = commit_all(project)
    assert [code_commit(stage, settings) for stage in (first, second)] == [changed, began]


def test_without_git_no_commit_is_named(project, monkeypatch):
    git(project, "init", "--quiet")
    commit_all(project)
    monkeypatch.setenv("PATH", "")
    assert code_commit(load_stages(project)[0], Settings(root=project)) == ""


def test_an_estimate_says_which_training_it_belongs_to():
    said = "cnn_deck: training in float32, because it is.\nAbout 2 minutes for 10 epochs of 13 batches.\n"
    assert estimates(said) == (["cnn_deck: About 2 minutes for 10 epochs of 13 batches."], "")
    assert estimates("seeds/cnn_deck-43: training in float32") == ([], "seeds/cnn_deck-43")
    late, _ = estimates("At most about 3 minutes for 20 epochs.", "cnn_scaled")
    assert late == ["cnn_scaled: At most about 3 minutes for 20 epochs."]
    assert estimates("About 5 minutes for 900 encodings.\nEpoch 1") == (
        ["About 5 minutes for 900 encodings."],
        "",
    )


def test_a_download_that_keras_notes_is_no_result():
    text = "Downloading data from https://example.com/vgg19.h5\nBackbone: xception.\n"
    assert without_notes({"text": text})["text"] == "Backbone: xception.\n"


def test_a_progress_bar_leaves_nothing_behind():
    bar = "\rScanning:  50%|█████     | 432/864 [00:41<00:41, 10.4picture/s]"
    assert without_notes({"text": f"{bar}{bar}\n"})["text"] == ""
    assert (
        without_notes({"text": f"Begin.\n{bar}\n\n39 % are right.\n"})["text"]
        == "Begin.\n\n39 % are right.\n"
    )


def test_a_run_closes_with_its_result_a_figure_and_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = Settings(root=tmp_path)
    assert headline(settings) == []
    assert len(closing(settings)) == 1
    area = {"auc": Estimate(0.87, 0.79, 0.94)}
    write_json(settings.reports_dir / "metrics.json", {"models": {"best": area}, "unseen": {"best": area}})
    monkeypatch.setattr(
        "src.utils.models.bundle.bundle.default_bundle_dir", lambda one: one.models_dir / "best"
    )
    page = settings.reports_dir / "notebooks" / "13_kaggle_submission.html"
    figure = settings.figures_dir / "05_roc.png"
    for path in (page, figure):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert closing(settings)[:3] == [
        "Improved model (best) has a ROC-AUC of 0.87 [0.79, 0.94] on the test, 0.87 [0.79, 0.94] on unseen "
        "sources.",
        "Look first at: figures/sample/05_roc.png",
        "Open: reports/sample/notebooks/13_kaggle_submission.html (the answer), or ask it about a picture: "
        "make app",
    ]
