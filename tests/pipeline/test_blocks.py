import pytest

from src.utils.pipeline.blocks import fill_blocks, million_block, scaling_block
from tests.pipeline.reports import BENCHMARK, RESULTS


def test_a_block_is_replaced_and_the_rest_stays():
    text = "before\n<!-- results:begin -->\nold 0.99\n<!-- results:end -->\nafter\n"
    filled = fill_blocks(text, {"results": RESULTS})
    assert filled.startswith("before\n") and filled.endswith("\nafter\n")
    assert "0.99" not in filled and "0.64 [0.55, 0.72]" in filled
    assert "480 training, 120 validation, 150 test pictures" in filled
    assert fill_blocks(filled, {"results": RESULTS}) == filled


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
    assert "scored twice and reported on: 10.2 on 1.8 cores; `make predict`: 13.4 on 1.9 cores." in filled
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


def test_an_unknown_block_is_an_error():
    with pytest.raises(KeyError, match="weather"):
        fill_blocks("<!-- weather:begin --><!-- weather:end -->", {})


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
