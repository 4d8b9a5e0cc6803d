import io

import numpy as np
import pytest
from PIL import Image

from src.utils.estimate import Estimate
from src.utils.pipeline.publish import (
    SHOWING,
    clean_outputs,
    fill_blocks,
    lighter_picture,
    read_facts,
    shown_figures,
)
from src.utils.settings import PROJECT_ROOT

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


BENCHMARK = {
    "machine": {"processor": "P", "cores": 2},
    "pictures": "8 pictures",
    "tasks": [
        {"name": "work", "deck": {"pictures_per_second": 5.0}, "ours": {"pictures_per_second": 1250.0}}
        | {"times_faster": 250.0}
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
    assert "| work | 5.0 | 1,250.0 | 250.0× |" in filled
    assert "| uploads from 1 client | 10.0 | 55.0 | 5.5× |" in filled
    assert "| best | gunicorn, as set up here | 3.0 | 800 | 9.0 (90, 210) |" in filled
    assert "| the deck's CNN | the deck's development server | 9.1 | 700 | 10.0 (90, 210) |" in filled
    assert "P, 2 cores, 8 pictures" in filled


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


@pytest.mark.parametrize("name", [name for name in SHOWING if (PROJECT_ROOT / name).exists()])
def test_documents_say_what_the_promoted_run_says(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    facts = read_facts(PROJECT_ROOT / "docs")
    assert facts.keys() == {"results", "benchmark"} and facts["results"]["source"] == "sample"
    assert fill_blocks(text, facts) == text
    for figure in shown_figures(text):
        assert (PROJECT_ROOT / "docs" / "figures" / figure).is_file(), figure
