"""Verdicts: given where a model was right on sources that it had not met, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest

from src.utils.analysis.stats.policy import (
    LEAST_GROUPS,
    NO_VERDICT,
    NOTHING_SUPPORTS,
    Tried,
    choose_policy,
    coverage_table,
    policy_with_evidence,
    track_record,
    verdict_effect,
    verdict_table,
    verdicts,
)
from src.utils.models.bundle.calibration import Policy


def try_on(shift=3.0, sources=6, groups=6, seed=0, spread=1.0, width=0.05, names=("as it is",)) -> Tried:
    """Pictures of sources that differ by `spread`, the classes by `shift` in the log-odds; 0 is chance."""
    rng = np.random.default_rng(seed)
    label = np.repeat([0, 1], sources * groups)
    number = np.repeat(np.arange(2 * sources), groups)
    level = shift * (label - 0.5) + rng.normal(0, spread, 2 * sources)[number]
    intervals = {}
    for name in names:
        middle = 1 / (1 + np.exp(-level - rng.normal(0, 1, len(label))))
        intervals[name] = np.clip(middle - width, 0, 1), np.clip(middle + width, 0, 1)
    return Tried(label, np.arange(len(label)), np.char.add("source ", number.astype(str)), intervals)


def test_verdicts_are_offered_where_ranking_on_new_sources_is_good():
    for seed in range(5):
        tried = try_on(8, seed=seed)
        policy = choose_policy(tried, resamples=200)
        assert policy.ai_from is not None and policy.clear_up_to is not None
        assert policy.why_no_ai == policy.why_no_clear == ""
        said = verdicts(policy, *tried.as_they_are)
        assert np.mean(said[tried.label == 0] == 1) <= 0.05
        assert np.mean(said == 2 * tried.label - 1) > 0.7


def test_no_verdict_where_ranking_on_new_sources_is_chance():
    """Although sources differ, so that now and then all generators lie above all photo sources by luck."""
    policies = [choose_policy(try_on(0, seed=seed), resamples=200) for seed in range(40)]
    assert sum(one.ai_from is not None for one in policies) <= 2
    assert sum(one.clear_up_to is not None for one in policies) <= 2
    assert all(choose_policy(try_on(0, spread=0, seed=seed)).band == (0, 1) for seed in range(5))
    policy = policies[1]
    assert policy.why_no_ai.startswith(
        "This model cannot call pictures AI-generated: from 50 % on it would call"
    )
    assert policy.why_no_clear.startswith("This model cannot clear pictures: up to 50 % it would clear")
    assert policy.why_no_ai.endswith(" with at most 5 % of photographs called so.")


def test_a_model_that_misses_whole_generators_still_calls_but_does_not_clear():
    """Four of ten generators look like photographs to it; no photograph looks generated."""
    tried = try_on(10, spread=0, sources=10)
    low, high = (one.copy() for one in tried.as_they_are)
    missed = np.isin(tried.source, ["source 10", "source 11", "source 12", "source 13"])
    low[missed], high[missed] = low[:24], high[:24]
    policy = choose_policy(tried._replace(intervals={"as it is": (low, high)}), resamples=200)
    assert policy.ai_from is not None and policy.clear_up_to is None
    said = "it would clear 40 % of what generators that it had not met made and 100 % of photographs"
    assert said in policy.why_no_clear and "71 % of such verdicts right (at least " in policy.why_no_clear


def test_sources_count_the_same_however_many_pictures_they_have():
    """One photo source of ten is called AI throughout: that is 10 %, although of 1 picture in 91."""
    label = np.repeat([0, 1], [91, 90])
    source = np.array([*np.repeat(list("abcdefghi"), 10), "j", *np.repeat(list("klmnopqrs"), 10)])
    low = np.where(label == 1, 0.9, 0.0)
    low[90] = 0.95
    tried = Tried(label, np.arange(181), source, {"as it is": (low, low + 0.05)})
    policy = choose_policy(tried, resamples=200)
    assert policy.ai_from is None
    assert (
        "it would call 10 % of photographs from photo sources that it had not met so and 100 % of AI"
        in policy.why_no_ai
    )
    assert policy.clear_up_to is not None


def test_the_rule_has_to_hold_on_every_delivery():
    good, bad = try_on(8), try_on(0)
    alone = choose_policy(good, resamples=200)
    both = good._replace(intervals={"as it is": good.as_they_are, "sent": bad.as_they_are})
    policy = choose_policy(both, resamples=200)
    assert alone.ai_from is not None and policy.ai_from is None and policy.clear_up_to is None
    assert "delivered as “sent”" in policy.why_no_ai
    same = good._replace(intervals={"as it is": good.as_they_are, "sent": good.as_they_are})
    assert choose_policy(same, resamples=200) == alone


def test_too_few_groups_or_one_class_support_nothing():
    few = try_on(8, sources=3, groups=3)
    assert "photographs from 9 originals" in choose_policy(few).why_no_ai
    assert f"at least {LEAST_GROUPS} of each" in choose_policy(few).why_no_clear
    one_class = few.only(few.label == 1)
    assert choose_policy(one_class) == Policy(why_no_ai=NOTHING_SUPPORTS, why_no_clear=NOTHING_SUPPORTS)


def test_ai_is_not_said_below_a_threshold_chosen_elsewhere():
    tried = try_on(8)
    assert choose_policy(tried, 0.9, resamples=200).ai_from >= 0.9
    assert choose_policy(tried, 0.2, resamples=200).ai_from >= 0.5


def test_the_evidence_is_of_policies_that_had_not_met_the_source():
    tried = try_on(8, sources=4)
    policy = policy_with_evidence(tried, resamples=100)
    evidence = policy.evidence
    assert evidence["pictures"] == evidence["groups"] == {"human": 24, "ai": 24}
    assert evidence["sources"] == {"human": 4, "ai": 4} and evidence["deliveries"] == ["as it is"]
    said = np.zeros(48, int)
    for name in np.unique(tried.source):
        mine = tried.source == name
        others = choose_policy(tried.only(~mine), resamples=100, bounds=False)
        said[mine] = verdicts(others, *tried.only(mine).as_they_are)
    assert evidence["ai"]["said"] == (said == 1).sum()
    assert evidence["clear"]["right"] == ((said == -1) & (tried.label == 0)).sum()
    assert evidence["ai"]["precision"]["low"] <= evidence["ai"]["precision"]["value"]
    assert policy.ai_from == choose_policy(tried, resamples=100).ai_from


def test_a_verdict_that_hangs_on_one_source_is_not_offered():
    """A sixth photo source lies where only AI-generated pictures would lie without it."""
    tried = try_on(10, spread=0)
    low, high = (one.copy() for one in tried.as_they_are)
    low[tried.source == "source 0"], high[tried.source == "source 0"] = 0.6, 0.65
    tried = tried._replace(intervals={"as it is": (low, high)})
    assert choose_policy(tried, resamples=200).ai_from == 0.61
    policy = policy_with_evidence(tried, resamples=200)
    assert policy.ai_from is None and policy.evidence["ai"]["said"] == 42
    assert policy.why_no_ai == (
        "This model cannot call pictures AI-generated: with cut-offs chosen without the source at hand it "
        "would call 17 % of photographs from photo sources that it had not met so and 100 % of AI-generated "
        "pictures, which makes 86 % of such verdicts right; 80 % are asked with at most 5 % of photographs "
        "called so."
    )


def test_a_track_record_counts_pictures_and_its_interval_counts_groups():
    tried = try_on(0, sources=3, groups=20)
    record = track_record(tried)
    low, high = tried.as_they_are
    called = high / (1 - low + high) >= 0.5
    assert record["missed"]["count"] == (~called[tried.label == 1]).sum() and record["missed"]["of"] == 60
    assert record["accused"]["count"] == called[tried.label == 0].sum()
    for entry in record.values():
        assert entry["share"] == entry["count"] / entry["of"]
        assert entry["low"] < entry["share"] < entry["high"]
    related = track_record(tried._replace(group=np.arange(120) // 5))
    assert related["missed"]["high"] - related["missed"]["low"] > 0.2
    few = track_record(tried._replace(group=tried.label * 4 + np.arange(120) % 4))
    assert few["missed"]["low"] is None and few["missed"]["share"] == record["missed"]["share"]
    perfect = track_record(try_on(60, spread=0))
    assert perfect["missed"]["share"] == 0 and 0.05 < perfect["missed"]["high"] < 0.15


def test_answering_less_often_makes_a_model_that_ranks_right_more_often():
    tried = try_on(2, spread=0, groups=200)
    table = coverage_table(tried.label, *tried.as_they_are)
    assert table["cut_off"].iloc[[0, -1]].tolist() == [0.5, 1.0]
    assert np.all(np.diff(table["answered"]) <= 0)
    assert table["right"].iloc[0] < 0.95 < table["right"].iloc[30]
    heavy = np.where(tried.label == 1, 100.0, 1.0)
    assert coverage_table(tried.label, *tried.as_they_are, heavy)["right"].iloc[0] == pytest.approx(
        table["right"].iloc[0]
    )
    assert coverage_table([1, 1], [0, 1], [1, 1]).empty


def test_pairs_whose_halves_have_one_source_are_sources_of_both_classes():
    """Kaggle's pairs: a photograph and its twin, and nothing known of either's source."""
    tried = try_on(8, sources=12, groups=2)
    paired = tried._replace(source=np.tile(np.char.add("pair ", np.arange(24).astype(str)), 2))
    policy = policy_with_evidence(paired, resamples=100)
    assert policy.evidence["sources"] == {"human": 24, "ai": 24}
    assert policy.ai_from is not None and policy.clear_up_to is not None


def test_a_table_counts_verdicts_of_each_class():
    table = verdict_table(Policy(0.7, 0.3), [0, 0, 1, 1], [0, 0.2, 0.4, 0.7], [0.3, 0.6, 0.8, 0.9])
    assert table.loc["Human-made"].to_dict() == {"No sign of AI": 1, "Uncertain": 1, "AI-generated": 0}
    assert table.loc["AI-generated"].to_dict() == {"No sign of AI": 0, "Uncertain": 1, "AI-generated": 1}


def test_a_verdict_needs_the_whole_interval():
    low, high = [0.1, 0.1, 0.4, 0.65, 0.7], [0.3, 0.35, 0.8, 0.9, 0.9]
    assert verdicts(Policy(0.7, 0.3), low, high).tolist() == [-1, 0, 0, 0, 1]
    assert verdicts(Policy(0.7), low, high).tolist() == [0, 0, 0, 0, 1]
    assert verdicts(NO_VERDICT, low, high).tolist() == [0] * 5
    assert verdicts(Policy(0.5, 0.5), [0.5], [0.5]).tolist() == [1]


def test_what_a_policy_does_by_hand():
    label, low, high = [0, 0, 1, 1, 1], np.array([0, 0.5, 0.4, 0.7, 0.8]), np.array([0.1, 0.6, 0.5, 0.9, 1])
    effect = verdict_effect(Policy(0.7, 0.3), label, low, high, range(5))
    assert effect["answered"].value == pytest.approx(3 / 5)
    assert effect["right"].value == 1
    assert effect["right_without"].value == pytest.approx(3 / 5)
    silent = verdict_effect(NO_VERDICT, label, low, high, range(5))
    assert silent["answered"].value == 0
    assert silent["right"].value is None
