"""Tables as JSON has them."""

import json

import numpy as np
import pandas as pd

from src.utils.analysis.scoring.tables import model_records, table_records


def test_rows_become_plain_values_and_nothing_becomes_none():
    table = pd.DataFrame({"kind": ["jpeg", "–"], "auc": [0.5, np.nan], "n": np.array([1, 2], np.int64)})
    records = table_records(table)
    assert records == [{"kind": "jpeg", "auc": 0.5, "n": 1}, {"kind": "–", "auc": None, "n": 2}]
    json.dumps(records, allow_nan=False)


def test_tables_by_model_say_on_which_pictures():
    table = pd.DataFrame({"auc": [0.5]})
    record = {"pictures": "test", "side": 64, "models": {"best": [{"auc": 0.5}]}}
    assert model_records("test", {"best": table}, side=64) == record
