import io

import numpy as np
from PIL import Image

from src.utils.pipeline.stored_outputs import clean_outputs, lighter_picture


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
