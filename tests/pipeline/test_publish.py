import json

import nbformat
import pytest
from PIL import Image

from src.utils.files import write_json
from src.utils.pipeline.blocks import fill_blocks, speed_block
from src.utils.pipeline.publish import SHOWING, keep_benchmark, publish, read_facts, shown_figures
from src.utils.pipeline.stages import load_stages, mark_done, stage_inputs
from src.utils.settings import PROJECT_ROOT, Settings, UserError
from tests.pipeline.reports import BENCHMARK, RESULTS


def test_each_kind_of_processor_keeps_its_newest_benchmark(tmp_path):
    def report(processor, cores):
        return BENCHMARK | {"machine": BENCHMARK["machine"] | {"processor": processor, "cores": cores}}

    def promote(processor, cores):
        keep_benchmark(tmp_path, report(processor, cores))
        write_json(tmp_path / "benchmark.json", report(processor, cores))

    for processor, cores in (("Intel(R) Xeon(R) Processor", 2), ("AMD EPYC", 4), ("AMD EPYC", 8)):
        promote(processor, cores)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["benchmark.json", "benchmark_intel_xeon.json"]
    shown = speed_block(read_facts(tmp_path)["benchmark"])
    assert shown.index("AMD EPYC, 8 cores") < shown.index("Intel(R) Xeon(R) Processor, 2 cores")
    assert shown.count("| work | 5.0 |") == 2
    promote("Intel(R) Xeon(R) Processor", 16)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["benchmark.json", "benchmark_amd_epyc.json"]


STAGE = """
[01_first]
question = "One?"
reads = []
writes = ["reports/metrics.json"]
parameters = []
minutes = 1
"""


@pytest.fixture
def finished(tmp_path):
    """A project of one notebook whose run on the sample is finished, and a README that shows it."""
    settings = Settings.from_env({"DATA_SOURCE": "sample"}, tmp_path)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "notebooks/stages.toml").write_text(STAGE)
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")]),
        tmp_path / "notebooks/01_first.ipynb",
    )
    executed = nbformat.read(tmp_path / "notebooks/01_first.ipynb", as_version=4)
    executed["cells"][0]["outputs"] = [nbformat.v4.new_output("execute_result", {"text/plain": "2"})]
    (settings.reports_dir / "notebooks").mkdir(parents=True)
    nbformat.write(executed, settings.reports_dir / "notebooks/01_first.ipynb")
    write_json(settings.reports_dir / "metrics.json", RESULTS)
    settings.figures_dir.mkdir(parents=True)
    Image.new("RGB", (2560, 1440)).save(settings.figures_dir / "02_examples.jpg")
    (tmp_path / "README.md").write_text(
        "![Pictures](docs/figures/02_examples.jpg)\n<!-- results:begin -->\nold\n<!-- results:end -->\n"
    )
    (stage,) = load_stages(tmp_path)
    mark_done(stage, settings, stage_inputs(stage, settings), 1.0)
    return tmp_path


def test_publishing_promotes_numbers_figures_and_outputs(finished):
    written = {path.relative_to(finished).as_posix() for path in publish(finished)}
    assert written == {
        "docs/results.json", "docs/figures/02_examples.jpg", "README.md", "notebooks/01_first.ipynb",
    }  # fmt: skip
    promoted = json.loads((finished / "docs/results.json").read_text())
    assert promoted["models"]["cnn_deck"]["auc"] == {"value": 0.641, "low": 0.552, "high": 0.72}
    assert "0.64 [0.55, 0.72]" in (finished / "README.md").read_text()
    assert Image.open(finished / "docs/figures/02_examples.jpg").size == (1280, 720)
    notebook = json.loads((finished / "notebooks/01_first.ipynb").read_text())
    assert notebook["cells"][0]["outputs"][0]["data"] == {"text/plain": ["2"]}
    publish(finished)  # its own stored outputs do not make a stage out of date


def test_a_run_that_is_not_up_to_date_is_not_published(finished):
    (finished / "reports/sample/metrics.json").unlink()
    with pytest.raises(UserError, match=r"01_first is not up to date \(missing: reports/sample/metrics"):
        publish(finished)
    assert not (finished / "docs").exists()


def test_a_figure_that_no_notebook_makes_is_named(finished):
    (finished / "figures/sample/02_examples.jpg").unlink()
    with pytest.raises(UserError, match=r"README.md shows docs/figures/02_examples.jpg, which no notebook"):
        publish(finished)


@pytest.mark.parametrize("name", [name for name in SHOWING if (PROJECT_ROOT / name).exists()])
def test_documents_say_what_the_promoted_run_says(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    facts = read_facts(PROJECT_ROOT / "docs")
    assert facts.keys() >= {"results", "benchmark"} and facts["results"]["source"] == "sample"
    assert fill_blocks(text, facts) == text
    for figure in shown_figures(text):
        assert (PROJECT_ROOT / "docs" / "figures" / figure).is_file(), figure
