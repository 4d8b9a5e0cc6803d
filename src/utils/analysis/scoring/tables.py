"""Tables on their way into JSON."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd


def table_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain dictionaries, with None for what is not known (NaN has no place in JSON)."""
    return json.loads(table.to_json(orient="records"))
