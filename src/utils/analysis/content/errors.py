"""What a model's mistakes have in common: the deck's last wish.

The table that everything here works on has a row per picture with `label`, `group`, `weight`,
`probability_ai`, `error` (whether the answer is wrong), the properties of `analysis.properties`, and a
`category`. Mistakes are looked for within a class: false positives beside the human-made pictures that
were recognised, false negatives beside the AI-generated ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize, stats
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.tree import DecisionTreeClassifier

from src.utils.analysis.content.explained import by_confidence
from src.utils.analysis.content.labels import adjust
from src.utils.analysis.content.properties import PROPERTY_NAMES
from src.utils.analysis.stats.bootstrap import MIN_GROUPS, RESAMPLES, bootstrap
from src.utils.analysis.stats.metrics import THRESHOLD, evaluate, ranking_statistic
from src.utils.data.split import group_weights
from src.utils.estimate import Estimate
from src.utils.settings import UserError

ERROR_KINDS = ("false positives", "false negatives")
"""What an error is called in class 0 and in class 1."""

OUTCOMES = (("true negative", "false positive"), ("false negative", "true positive"))
"""By true class, then by answer."""

MIN_TEST_GROUPS = 8
"""Groups of a class below which nothing is tested."""

LEVEL = 0.05

POWER = 0.8
"""With which probability a difference of `smallest_effect` is found."""

MAX_BINS = 5
FOLDS = 5
TREE_DEPTH = 2


def join_errors(
    predictions: pd.DataFrame, images: pd.DataFrame, properties: pd.DataFrame, labelled: pd.DataFrame
) -> pd.DataFrame:
    """Join one model's answers with all that is known of the pictures.

    Args:
        predictions: One model's rows of `predictions.csv`.
        images: The manifest; the pictures in question only.
        properties: From `properties.measure_pictures`.
        labelled: From `labels.label_pictures`; may lack pictures.

    Returns:
        A row for each of `images` that was scored: the manifest's `file_name`, `label`, `group`, `split`,
        `generator`, `origin`, `subject`; `weight` (every group counts the same); `probability_ai`, `outcome`
        (of `OUTCOMES`), `error`; the properties; `category` and its `confidence` ("" and NaN where not
        labelled).

    Raises:
        UserError: There are no predictions.
    """
    if predictions.empty:
        raise UserError("predictions.csv has no answers of this model: run notebook 05 first.")
    columns = ["file_name", "label", "group", "split", "generator", "origin", "subject"]
    known = images[columns].assign(weight=group_weights(images))
    known["group"] = known["group"].where(known["group"] != "", known["file_name"])
    scores = predictions[["file_name", "probability_ai"]]
    named = labelled[["file_name", "predict_1", "conf_1"]]
    named = named.rename(columns={"predict_1": "category", "conf_1": "confidence"})
    table = known.merge(scores, "inner", "file_name").merge(properties, "left", "file_name")
    table = table.merge(named, "left", "file_name").fillna({"category": ""})
    answer = (table["probability_ai"] >= THRESHOLD).astype(int)
    outcome = [OUTCOMES[label][said] for label, said in zip(table["label"], answer, strict=True)]
    table.insert(len(columns) + 2, "outcome", pd.Series(outcome, index=table.index, dtype=str))
    table.insert(len(columns) + 3, "error", answer != table["label"])
    return table


def overall_accuracy(table: pd.DataFrame) -> float:
    """Share of right answers, every group counting the same, 0–1; `table` from `join_errors`."""
    return float(np.average(~table["error"], weights=table["weight"]))


def share_of_ai(table: pd.DataFrame) -> float:
    """Share of AI-generated pictures, every group counting the same, 0–1: what precision is by guessing."""
    return float(np.average(table["label"], weights=table["weight"]))


def count_errors(table: pd.DataFrame) -> tuple[int, int]:
    """Numbers of false positives and of false negatives, in pictures; `table` from `join_errors`."""
    false_positives, false_negatives = (
        int((table["error"] & (table["label"] == label)).sum()) for label in (0, 1)
    )
    return false_positives, false_negatives


def count_outcomes(table: pd.DataFrame) -> pd.DataFrame:
    """By class and outcome, how many `pictures` of how many `groups`; `table` from `join_errors`."""
    by_outcome = table.groupby(["label", "outcome"])
    return by_outcome.agg(pictures=("group", "size"), groups=("group", "nunique"))


def varying_properties(table: pd.DataFrame) -> list[str]:
    """Properties that are known and not the same for all pictures."""
    return [name for name in PROPERTY_NAMES if name in table and table[name].nunique() > 1]


def worst_errors(table: pd.DataFrame, label: int, most: int = 8) -> pd.DataFrame:
    """The mistakes on one class that the model was surest of, one a group, the surest first."""
    wrong = table[table["error"] & (table["label"] == label)]
    return by_confidence(wrong).drop_duplicates("group").head(most)


def effect_table(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Compare the properties of wrong and right answers within each class.

    Args:
        table: From `join_errors`.
        resamples: Of the bootstrap over groups.
        seed: Its seed.

    Returns:
        A row for each kind of error and property that varies in that class, none for a class with only
        right or only wrong answers: `errors` (kind), `property`; `wrong` and `right`, numbers of pictures;
        `wrong_mean`, `right_mean`, weighted; `delta` with `low` and `high`: Cliff's delta (1993), the
        chance that a wrong answer's picture has more of the property than a right one's, less the chance
        that it has less: −1 to 1, 0 is no difference (interval NaN below 20 groups of either); `p`,
        Spearman's rank test between the share of errors and the mean property of the groups, with `rho`,
        NaN below `MIN_TEST_GROUPS`; `p_adjusted` over all rows; `verdict`; `groups`, all that were compared,
        and `smallest`, see `smallest_effect`, NaN where nothing was tested. Largest effect first.
    """
    rows = []
    for label, kind in enumerate(ERROR_KINDS):
        mine = table[table["label"] == label]
        if mine["error"].nunique() < 2:
            continue
        for name in varying_properties(mine):
            known = mine[mine[name].notna()]
            if known["error"].nunique() == 2 and known[name].nunique() > 1:
                row = _compare(known, name, resamples, seed)
                rows.append({"errors": kind, "property": PROPERTY_NAMES[name], **row})
    effects = pd.DataFrame(rows, columns=_EFFECT_COLUMNS).astype(dict.fromkeys(_EFFECT_NUMBERS, float))
    effects["p_adjusted"] = adjust(effects["p"])
    effects["verdict"] = [_verdict(row) for row in effects.itertuples()]
    tests = int(effects["p"].notna().sum())
    effects["smallest"] = [
        np.nan
        if np.isnan(row.p)
        else smallest_effect(row.wrong_groups, row.groups - row.wrong_groups, LEVEL / tests)
        for row in effects.itertuples()
    ]
    order = effects["delta"].abs().sort_values(ascending=False, kind="stable").index
    return effects.loc[order].reset_index(drop=True)


_EFFECT_NUMBERS = ["wrong_mean", "right_mean", "delta", "low", "high", "rho", "p", "wrong_groups"]
_EFFECT_COLUMNS = ["errors", "property", "wrong", "right", "groups", *_EFFECT_NUMBERS]


def smallest_effect(first: float, second: float, level: float, power: float = POWER) -> float:
    """Smallest difference between two samples that a test would have found.

    Args:
        first: Size of the first sample.
        second: Size of the second.
        level: Two-sided level of the test; of m comparisons, the one a single finding has to reach is a share
            of 1/m of theirs, under Bonferroni's correction and Benjamini and Hochberg's alike.
        power: Probability of finding it.

    Returns:
        Cohen's d (1988), in standard deviations, of the two-sample t-test; NaN where a sample is too small.
    """
    freedom = first + second - 2
    if min(first, second) < 1 or freedom < 1:
        return np.nan
    root = np.sqrt(first * second / (first + second))
    edge = stats.t.ppf(1 - level / 2, freedom)

    def lacking(d: float) -> float:
        return float(stats.nct.sf(edge, freedom, d * root)) - power

    return float(optimize.brentq(lacking, 0, 2 * (edge + 2) / root))


def _compare(known: pd.DataFrame, name: str, resamples: int, seed: int) -> dict[str, float | None]:
    """One property of wrong and right answers."""
    error, value = known["error"].to_numpy(), known[name].to_numpy()
    weight = known["weight"].to_numpy()
    auc = ranking_statistic(error, value)
    delta = bootstrap(
        lambda w: {"delta": 2 * auc(w)["auc"] - 1}, known["group"], error, weight, resamples, seed
    )["delta"]
    return {
        "wrong": int(error.sum()),
        "right": int((~error).sum()),
        "groups": known["group"].nunique(),
        "wrong_groups": float(known.groupby("group")["error"].mean().sum()),
        "wrong_mean": np.average(value[error], weights=weight[error]),
        "right_mean": np.average(value[~error], weights=weight[~error]),
        **delta.columns("delta", "low", "high"),
        **_test_groups(known, name),
    }


def _test_groups(known: pd.DataFrame, name: str) -> dict[str, float]:
    """Test whether groups with more errors have more of a property; groups were drawn independently."""
    groups = known.groupby("group")[["error", name]].mean()
    if len(groups) < MIN_TEST_GROUPS or groups["error"].nunique() < 2 or groups[name].nunique() < 2:
        return {"rho": np.nan, "p": np.nan}
    rho, p = stats.spearmanr(groups["error"], groups[name])
    return {"rho": rho, "p": p}


def _verdict(row) -> str:
    if np.isnan(row.p):
        return f"not tested: fewer than {MIN_TEST_GROUPS} originals, or they do not differ"
    if row.p_adjusted >= LEVEL:
        return "no difference shown"
    return f"{row.errors} have {'more' if row.rho > 0 else 'less'}"


def accuracy_by(
    table: pd.DataFrame, column: str, least_groups: int = 1, resamples: int = RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """Accuracy for each value of a column.

    Args:
        table: From `join_errors`.
        column: Such as `category`, `generator`, `origin`, `subject`; an empty value is left out.
        least_groups: Groups that a value must have.
        resamples: Of the bootstrap over groups.
        seed: Its seed.

    Returns:
        A row a value, the one with most groups first: `value`, `human` and `ai` (pictures), `groups`,
        `accuracy` with `low` and `high` (NaN where not estimable). Every group counts the same.
    """
    rows = []
    for value, part in table[table[column].astype(str) != ""].groupby(column):
        if part["group"].nunique() >= least_groups:
            rows.append({"value": value, **_accuracy(part, resamples, seed)})
    result = pd.DataFrame(rows, columns=["value", *_ACCURACY_COLUMNS]).astype({"low": float, "high": float})
    return result.sort_values("groups", ascending=False, kind="stable", ignore_index=True)


_ACCURACY_COLUMNS = ["human", "ai", "groups", "accuracy", "low", "high"]


def _accuracy(part: pd.DataFrame, resamples: int, seed: int) -> dict[str, float | None]:
    accuracy = evaluate(
        part["label"],
        part["probability_ai"],
        part["group"],
        part["weight"],
        resamples=resamples,
        seed=seed,
    )["accuracy"]
    return {
        "human": int((part["label"] == 0).sum()),
        "ai": int((part["label"] == 1).sum()),
        "groups": part["group"].nunique(),
        **accuracy.columns("accuracy", "low", "high"),
    }


def accuracy_by_bins(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Accuracy in bins of every property, with about as many pictures in each.

    There are two to five bins, so that on average a bin has 20 groups of each class where the data allow it.

    Returns:
        Rows by property, then from low to high: `property`, `from`, `to`, and the columns of `accuracy_by`. A
        property that is the same for all pictures has no rows, nor have people and faces: see
        `accuracy_by_people`.
    """
    per_class = table.groupby("label")["group"].nunique().min() if len(table) else 0
    bins = int(np.clip(per_class // MIN_GROUPS, 2, MAX_BINS))
    rows = []
    for name in varying_properties(table):
        if name in _COUNTS:
            continue
        binned = pd.qcut(table[name], bins, duplicates="drop")
        if binned.nunique() < 2:
            binned = pd.cut(table[name], bins, include_lowest=True)
        for _, part in table.groupby(binned, observed=True):
            ends = {"from": part[name].min(), "to": part[name].max()}
            rows.append({"property": PROPERTY_NAMES[name], **ends, **_accuracy(part, resamples, seed)})
    columns = ["property", "from", "to", *_ACCURACY_COLUMNS]
    return pd.DataFrame(rows, columns=columns).astype({"low": float, "high": float})


_COUNTS = ("faces", "people")


def accuracy_by_people(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> pd.DataFrame:
    """Accuracy with and without people, by the subject where it is known and by the faces found.

    Returns:
        The columns of `accuracy_by`; a row for each of "subject is people", "another subject", "a face found"
        and "no face found" that occurs.
    """
    subject = table["people"].map({1.0: "subject is people", 0.0: "another subject"}).fillna("")
    face = np.where(table["faces"] > 0, "a face found", "no face found")
    columns = table.assign(by_subject=subject, by_face=face)
    parts = [accuracy_by(columns, name, 1, resamples, seed) for name in ("by_subject", "by_face")]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def accuracy_views(table: pd.DataFrame, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, pd.DataFrame]:
    """Accuracy by category, generator, subject and people, under the name of each; see `accuracy_by`."""
    return {
        "ImageNet category": accuracy_by(table, "category", 2, resamples, seed),
        "generator": accuracy_by(table, "generator", 1, resamples, seed),
        "subject": accuracy_by(table, "subject", 1, resamples, seed),
        "people in the picture": accuracy_by_people(table, resamples, seed),
    }


def all_accuracies(bins: pd.DataFrame, views: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Join accuracies by property and by everything else in one table; `by` says which.

    Args:
        bins: From `accuracy_by_bins`.
        views: From `accuracy_views`.
    """
    tables = [bins.assign(by="property"), *(table.assign(by=name) for name, table in views.items())]
    return pd.concat(tables, ignore_index=True)


def error_record(
    model: str, table: pd.DataFrame, effects: pd.DataFrame, trees: Sequence[ErrorModel]
) -> dict[str, Any]:
    """What `metrics.json` keeps of the mistakes.

    Args:
        model: Whose they are.
        table: Its answers on the test split, from `join_errors`.
        effects: From `effect_table`.
        trees: From `explain_errors`.
    """
    false_positives, false_negatives = count_errors(table)
    held = effects[effects["p_adjusted"] < LEVEL]
    return {
        "errors": {
            "model": model,
            "false_positives": false_positives,
            "false_negatives": false_negatives,
            "comparisons": int(effects["p"].notna().sum()),
            "held": [f"{row.errors}: {row.property}" for row in held.itertuples()],
            "smallest_effects": smallest_effects(effects),
            "error_auc": {tree.errors: tree.auc for tree in trees},
        }
    }


def smallest_effects(effects: pd.DataFrame) -> dict[str, dict[str, float]]:
    """By kind of error, the `groups` of the best supported comparison and the `d` that it would have found.

    Args:
        effects: From `effect_table`; a kind without a test has no entry.
    """
    tested = effects.dropna(subset="smallest").sort_values("smallest", kind="stable")
    best = tested.drop_duplicates("errors").set_index("errors")
    return {
        kind: {"groups": int(best.loc[kind, "groups"]), "d": float(best.loc[kind, "smallest"])}  # pyright: ignore[reportArgumentType]
        for kind in ERROR_KINDS
        if kind in best.index
    }


@dataclass(frozen=True)
class ErrorModel:
    """A tree that tries to tell wrong from right answers by the properties of the picture.

    Attributes:
        errors: One of `ERROR_KINDS`.
        auc: Out-of-fold ROC-AUC (0.5 is chance); all None if nothing was fitted.
        rules: The tree fitted on everything, a row a leaf: `rule`, `pictures`, `groups`, `error_rate`; none
            if there was too little to learn from.
    """

    errors: str
    auc: Estimate
    rules: pd.DataFrame


def explain_errors(table: pd.DataFrame, label: int, resamples: int = RESAMPLES, seed: int = 0) -> ErrorModel:
    """Fit a tree of depth two that predicts the errors on one class, judged on originals it never met.

    Args:
        table: From `join_errors`.
        label: The class.
        resamples: Of the bootstrap over groups.
        seed: Of the folds and the bootstrap.
    """
    kind, mine = ERROR_KINDS[label], table[table["label"] == label]
    names = varying_properties(mine)
    per_kind = mine.groupby("error")["group"].nunique().reindex([False, True], fill_value=0)
    folds = int(min(FOLDS, per_kind.min()))
    if folds < 2 or not names:
        return ErrorModel(kind, Estimate(), _NO_RULES)
    features = mine[names].fillna(mine[names].median())
    probability = _out_of_fold(features, mine, folds, seed)
    statistic = ranking_statistic(mine["error"], probability)
    auc = bootstrap(statistic, mine["group"], mine["error"], mine["weight"], resamples, seed)["auc"]
    tree = _new_tree(len(mine)).fit(features, mine["error"], mine["weight"])
    return ErrorModel(kind, auc, _rules(tree, features, mine))


def rule_table(models: Sequence[ErrorModel]) -> pd.DataFrame:
    """The rules of several trees, one below the other: `ErrorModel.rules` with the kind of `errors`."""
    return pd.concat([model.rules.assign(errors=model.errors) for model in models], ignore_index=True)


_NO_RULES = pd.DataFrame(columns=["rule", "pictures", "groups", "error_rate"])


def _new_tree(pictures: int) -> DecisionTreeClassifier:
    return DecisionTreeClassifier(
        max_depth=TREE_DEPTH, min_samples_leaf=max(5, pictures // 10), class_weight="balanced", random_state=0
    )


def _out_of_fold(features: pd.DataFrame, mine: pd.DataFrame, folds: int, seed: int) -> NDArray[np.float64]:
    """Probability of error of every picture by a tree that met nothing of its group."""
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    probability = np.full(len(mine), 0.5)
    for train, test in splitter.split(features, mine["error"], mine["group"]):
        rows = mine.iloc[train]
        if rows["error"].nunique() == 2:
            tree = _new_tree(len(mine)).fit(features.iloc[train], rows["error"], rows["weight"])
            probability[test] = tree.predict_proba(features.iloc[test])[:, 1]
    return probability


def _rules(tree: DecisionTreeClassifier, features: pd.DataFrame, mine: pd.DataFrame) -> pd.DataFrame:
    """Each leaf as a sentence, with the pictures in it; the most errors first."""
    leaf, sentences = tree.apply(features), _leaf_sentences(tree, list(features.columns))
    rows = []
    for number, part in mine.groupby(leaf):
        rate = np.average(part["error"], weights=part["weight"])
        rows.append((sentences[number], len(part), part["group"].nunique(), rate))
    rules = pd.DataFrame(rows, columns=_NO_RULES.columns)
    return rules.sort_values("error_rate", ascending=False, kind="stable", ignore_index=True)


def _leaf_sentences(tree: DecisionTreeClassifier, names: Sequence[str]) -> dict[int, str]:
    """By leaf, its conditions: "sharpness up to 310 and brightness 96 to 152"."""
    nodes, sentences = tree.tree_, {}

    def walk(node: int, limits: dict[str, tuple[float, float]]) -> None:
        if nodes.children_left[node] == nodes.children_right[node]:
            parts = [_condition(name, low, high) for name, (low, high) in limits.items()]
            sentences[node] = " and ".join(parts) or "every picture"
            return
        name, limit = names[int(nodes.feature[node])], nodes.threshold[node]
        low, high = limits.get(name, (-np.inf, np.inf))
        walk(nodes.children_left[node], limits | {name: (low, limit)})
        walk(nodes.children_right[node], limits | {name: (limit, high)})

    walk(0, {})
    return sentences


def _condition(name: str, low: float, high: float) -> str:
    if name == "people":
        return f"subject is {'people' if low > 0 else 'not people'}"
    low, high = np.floor([low, high]) if name == "faces" else (low, high)
    if np.isinf(high):
        return f"{PROPERTY_NAMES[name]} over {_measure(low)}"
    if np.isinf(low):
        return f"{PROPERTY_NAMES[name]} up to {_measure(high)}"
    return f"{PROPERTY_NAMES[name]} {_measure(low)} to {_measure(high)}"


def _measure(value: float) -> str:
    """A number as people write it: 0.0312, 31.2, 2,636."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
