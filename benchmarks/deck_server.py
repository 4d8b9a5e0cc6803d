"""The page's server as the deck had it: Flask's own server, one `model.predict` a file.

`python -m benchmarks.deck_server MODEL_FILE PORT`
"""

from __future__ import annotations

import io
import sys

import keras
import numpy as np
from flask import Flask, Response, jsonify, request

from src.utils.settings import CLASS_NAMES, IMAGE_SIZE


def make_app(model: keras.Model) -> Flask:
    """The deck's address for uploads, and `/readyz`, by which the start is timed."""
    app = Flask(__name__)

    @app.get("/readyz")
    def readyz() -> Response:
        return jsonify(status="ready")

    @app.post("/predict")
    def predict() -> Response:
        entries = []
        for file in request.files.getlist("file"):
            image = keras.utils.load_img(io.BytesIO(file.read()), target_size=(IMAGE_SIZE, IMAGE_SIZE))
            array = np.expand_dims(keras.utils.img_to_array(image), axis=0)
            odds = np.exp(model.predict(array, verbose=0)[0])
            share = odds / odds.sum()
            entries.append(
                {"label": CLASS_NAMES[int(share.argmax())], "confidence": 100 * float(share.max())}
            )
        return jsonify(predictions=entries)

    return app


if __name__ == "__main__":
    make_app(keras.saving.load_model(sys.argv[1], compile=False)).run(port=int(sys.argv[2]))
