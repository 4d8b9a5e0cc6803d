import io
import json

import nbformat
import numpy as np
import pytest
from PIL import Image

from src.utils.estimate import Estimate
from src.utils.files import write_json
from src.utils.pipeline.publish import (
    SHOWING,
    clean_outputs,
    fill_blocks,
    keep_benchmark,
    lighter_picture,
    million_block,
    publish,
    read_facts,
    scaling_block,
    shown_figures,
    speed_block,
)
from src.utils.pipeline.stages import load_stages, mark_done, stage_inputs
from src.utils.settings import PROJECT_ROOT, Settings, UserError

METRIC = Estimate(0.641, 0.552, 0.72)
RESULTS = {
    "source": "sample",
    "split": "group",
    "seed": 42,
    "n_train": 480,
    "n_validation": 120,
    "n_test": 150,
    "models": {"cnn_deck": {"balanced_accuracy": METRIC, "auc": METRIC, "f1": METRIC}},
}


def test_a_block_is_replaced_and_the_rest_stays():
    text = "before\n<!-- results:begin -->\nold 0.99\n<!-- results:end -->\nafter\n"
    filled = fill_blocks(text, {"results": RESULTS})
    assert filled.startswith("before\n") and filled.endswith("\nafter\n")
    assert "0.99" not in filled and "0.64 [0.55, 0.72]" in filled
    assert "480 training, 120 validation, 150 test pictures" in filled
    assert fill_blocks(filled, {"results": RESULTS}) == filled


def way(rate):
    return {"requests_per_second": rate, "p50_ms": 90.4, "p95_ms": 210.0}


def limit(most, share, rate):
    return {
        "pictures_per_second": most,
        "share": share,
        "rates": {"L, float32": {"rate": rate, "unit": "GFLOP/s", "needed": 1.0}},
    }


BENCHMARK = {
    "machine": {"processor": "P", "cores": 2, "training_precision": "float32, because of P"},
    "pictures": "8 pictures",
    "once": {"seconds": {"import it": 0.42, "ask it": 1.0}},
    "tasks": [
        {"name": "work", "deck": {"pictures_per_second": 5.0}, "ours": {"pictures_per_second": 1250.0}}
        | {"times_faster": 250.0, "limit": limit(2000.0, 0.625, 88.0)},
        {"name": "more", "other": "one session"}
        | {"deck": {"pictures_per_second": 2.0}, "ours": {"pictures_per_second": 3.0}, "times_faster": 1.5},
        {"name": "alone", "ours": {"pictures_per_second": 7.0}, "limit": limit(9.0, 0.778, 92.0)},
    ],
    "server": {
        "start_seconds": {"deck": 9.1, "ours": 1.2},
        "memory_mb": {"deck": 700.2, "ours": 250.0},
        "clients": {"1": {"deck": way(10.0), "ours": way(55.0), "times_faster": 5.5}},
        "best": {
            "start_seconds": {"ours": 3.0},
            "memory_mb": {"ours": 800.0},
            "clients": {"1": {"ours": way(9.0)}},
        },
    },
}


def test_speed_is_shown_from_the_benchmark_and_left_alone_without_one():
    text = (
        "<!-- speed:begin -->\nold\n<!-- speed:end -->\n<!-- serving:begin -->\nold\n<!-- serving:end -->\n"
    )
    assert fill_blocks(text, {"results": RESULTS}) == text
    filled = fill_blocks(text, {"benchmark": BENCHMARK})
    assert "| work | 5.0 | 1,250.0 | 250.0× | 2,000.0 | 62% |" in filled
    assert "| more | 2.0 (one session) | 3.0 | 1.5× |  |  |" in filled
    assert "| alone |  | 7.0 |  | 9.0 | 78% |" in filled
    assert "| uploads from 1 client | 10.0 | 55.0 | 5.5× |" in filled
    assert "| uploads to `best` from 1 client |  | 9.0 |  |" in filled
    assert "measured in the same turns: L, float32 90 GFLOP/s." in filled
    assert "Training is in float32, because of P." in filled
    assert "From start to end: import it 0.4 s, ask it 1.0 s." in filled
    assert "| best | gunicorn, as set up here | 3.0 | 800 | 9.0 (90, 210) |" in filled
    assert "| the deck's CNN | the deck's development server | 9.1 | 700 | 10.0 (90, 210) |" in filled
    assert "P, 2 cores, 8 pictures" in filled


def test_what_a_detector_costs_is_shown_once_it_was_measured():
    text = "<!-- detector:begin -->\nold\n<!-- detector:end -->\n"
    assert "Not measured yet" in fill_blocks(text, {"benchmark": BENCHMARK})
    cost = {"file_mb": 22.6, "milliseconds_alone": 70.4, "pictures_per_second": 20.5, "busy_cores": 1.94}
    found = {"network": "ViT-S/16", "parameters": 21_811_969}
    found["precisions"] = {"8 bits": cost | {"memory_mb": 250.0}, "32 bits": cost | {"memory_mb": None}}
    filled = fill_blocks(text, {"benchmark": {**BENCHMARK, "detector": found}})
    assert (
        "| 8 bits | 23 | 70 | 20.5 | 1.9 | 250 |" in filled
        and "| 32 bits | 23 | 70 | 20.5 | 1.9 | – |" in filled
    )
    assert "ViT-S/16, 21.8 million parameters" in filled and "P, 2 cores." in filled


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


def test_an_unknown_block_is_an_error():
    with pytest.raises(KeyError, match="weather"):
        fill_blocks("<!-- weather:begin --><!-- weather:end -->", {})


def test_stored_outputs_keep_no_noise():
    cell = {
        "cell_type": "code",
        "metadata": {"execution": {"iopub.status.busy": "now"}},
        "outputs": [{"output_type": "stream", "name": "stderr"}, {"output_type": "stream", "name": "stdout"}],
    }
    notebook = {"cells": [cell], "metadata": {"language_info": {"version": "3.11"}}}
    cleaned = clean_outputs(notebook)
    assert [output["name"] for output in cleaned["cells"][0]["outputs"]] == ["stdout"]
    assert cleaned["cells"][0]["metadata"] == {}
    assert cleaned["metadata"]["kernelspec"]["name"] == "python3"


def test_stored_pictures_are_light_and_a_plot_stays_a_plot():
    def png(pixels):
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG")
        return buffer.getvalue()

    rng = np.random.default_rng(0)
    flat = np.full((300, 400, 3), 255, np.uint8)
    flat[100:200, 50:350] = (0, 114, 178)
    rough = np.asarray(Image.fromarray(rng.integers(0, 256, (30, 40, 3), dtype=np.uint8)).resize((400, 300)))
    kind, content = lighter_picture(png(flat))
    assert kind == "image/png"
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(content)).convert("RGB")), flat)
    kind, content = lighter_picture(png(rough))
    assert kind == "image/jpeg" and len(content) < len(png(rough)) / 3
    assert Image.open(io.BytesIO(content)).size == (400, 300)


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


def test_a_million_pictures_are_divided_among_machines():
    machine = {"processor": "P", "cores": 2}
    benchmark = {
        "machine": machine,
        "pictures": "8 pictures",
        "once": {"decoding_pictures_per_second": 1000.0},
        "tasks": [
            {"name": "a folder of files", "ours": {"pictures_per_second": 10.0}},
            {"name": "training one epoch", "ours": {"pictures_per_second": 5.0}},
        ],
    }
    lines = million_block(benchmark).splitlines()
    assert lines[2] == "| decoding into the pixel cache, once | 1,000.0 | 0.28 | 0.028 | 0.0028 |"
    assert lines[3] == "| predictions by the deck's network | 10.0 | 28 | 2.8 | 0.28 |"
    assert lines[4] == "" and lines[5].startswith("P, 2 cores, 8 pictures")  # training is not divided


def test_scaling_is_shown_by_the_number_of_workers():
    several = {
        "machine": {"processor": "P", "cores": 2, "load_average": 1.5},
        "pictures": "8 pictures",
        "rows": [
            {"workers": workers, "pictures_per_second": {"looking at files": rate}}
            for workers, rate in ((0, 20.0), (1, 10.0), (2, 19.0))
        ],
    }
    lines = scaling_block(several).splitlines()
    assert lines[0] == "| pictures a second | looking at files |"
    assert lines[2:5] == ["| without a scheduler | 20.0 |", "| 1 worker | 10.0 |", "| 2 workers | 19.0 |"]
