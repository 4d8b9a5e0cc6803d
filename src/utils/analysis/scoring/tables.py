"""Tables on their way into JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd


def table_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain dictionaries, with None for what is not known (NaN has no place in JSON)."""
    return json.loads(table.to_json(orient="records"))


def model_records(pictures: str, tables: Mapping[str, pd.DataFrame], **facts: Any) -> dict[str, Any]:
    """A table for each model as an entry of `metrics.json`: on which pictures, other facts, then `models`."""
    return {
        "pictures": pictures,
        **facts,
        "models": {name: table_records(table) for name, table in tables.items()},
    }
