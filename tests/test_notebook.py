import importlib.metadata

import pandas as pd

from src.utils.notebook import DEMONSTRATION, count_by_class, facts_table, run_facts, takeaways
from src.utils.settings import Settings


def test_run_facts_name_source_versions_and_the_demonstration():
    facts = run_facts(Settings(source_reason="because."), "numpy").data
    assert "`sample`: because." in facts
    assert f"numpy {importlib.metadata.version('numpy')}" in facts
    assert DEMONSTRATION in facts
    assert DEMONSTRATION not in run_facts(Settings(source="kaggle")).data


def test_takeaways_leave_out_what_was_not_found():
    assert takeaways("One.", "", "Two.").data == "- One.\n- Two."


def test_counts_by_class_sum_up_what_is_left_over():
    table = pd.DataFrame(
        {
            "origin": ["a", "a", "a", "b", "", "c"],
            "label": [0, 1, 1, 0, 0, 1],
            "group": ["1", "2", "2", "3", "4", "5"],
        }
    )
    counts = count_by_class(table, "origin", most=2)
    assert counts.loc["a"].tolist() == [1, 2, 2]
    assert counts.loc["2 others"].sum() == 4
    assert count_by_class(table, "origin").loc["not known", "Human-made"] == 1


def test_facts_are_laid_out_with_readable_numbers():
    table = facts_table({"pictures": 79950, "from": "here"}).data
    assert table.splitlines()[2:] == ["| pictures | 79,950 |", "| from | here |"]
