"""What is in the pictures, and what mistakes have in common, in sentences (notebooks 07 and 08)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import model_name, percent
from src.utils.settings import CLASS_NAMES

LEVEL = 0.05
"""A difference counts if its corrected p-value is below this."""

NO_COMPARISON = "In neither class are there both wrong and right answers to compare."
NO_RULES = "No tree could be fitted."
NO_SUBJECTS = "Subjects are not known here, so the face detector cannot be checked."


def labels(
    labeller: str,
    labelled: pd.DataFrame,
    confidence: pd.DataFrame,
    association: pd.DataFrame,
    deck_categories: Sequence[str],
) -> list[str]:
    """Say what an ImageNet network sees in either class.

    Args:
        labeller: The network's title.
        labelled: A row a picture: `label`, `group`, and its first label `predict_1`.
        confidence: For the first label first: mean confidences `human` and `ai`, `p_adjusted` of their
            difference, and the deck's means `deck_human` and `deck_ai`, all 0–1.
        association: A row a category: `category`, `p` (NaN where not tested), `p_adjusted`.
        deck_categories: Those the deck wondered about.
    """
    seen = set(association["category"])
    missing = [category for category in deck_categories if category not in seen]
    said = [
        f"{labeller} named {len(labelled):,} pictures in {labelled['group'].nunique():,} groups with "
        f"{labelled['predict_1'].nunique():,} different first labels.",
        confidence_sentence(confidence.iloc[0]),
        association_sentence(association),
        f"Of the deck's {len(deck_categories)} categories, nothing here is called {', '.join(missing)}."
        if missing
        else "",
        ""
        if labeller == "VGG19"
        else f"These are {labeller}'s words, not VGG19's: compare shapes, not digits.",
        *(
            f"No picture is {name}."
            for label, name in enumerate(CLASS_NAMES)
            if (labelled["label"] != label).all()
        ),
    ]
    return list(filter(None, said))


def confidence_sentence(first: pd.Series) -> str:
    """Say whether a network is surer of its first label on one class; `first` a row of `confidence`."""
    deck = f"The deck had {first['deck_human']:.2f} and {first['deck_ai']:.2f}."
    if pd.isna(first["human"]) or pd.isna(first["ai"]):
        return f"Confidence can be compared only where there are pictures of both classes. {deck}"
    means = (
        f"Mean confidence of the first label: {first['human']:.2f} on human-made, {first['ai']:.2f} on "
        "AI-generated pictures"
    )
    if pd.isna(first["p_adjusted"]):
        return f"{means}; there are too few groups to test the difference. {deck}"
    finding = "more than chance" if first["p_adjusted"] < LEVEL else "within chance"
    return f"{means}; the difference is {finding}. {deck}"


def association_sentence(association: pd.DataFrame) -> str:
    """Say which categories are over-represented in one class; `association` as for `labels`."""
    tested = int(association["p"].notna().sum())
    if not tested:
        return "No category is frequent enough to be tested."
    found = association.loc[association["p_adjusted"] < LEVEL, "category"]
    names = f"over-represented in one class are {', '.join(found)}" if len(found) else "none differs"
    return f"Categories frequent enough to be tested: {tested}; after correction, {names}."


def mistakes(
    model: str,
    counts: tuple[int, int],
    pictures: int,
    accuracy: float,
    effects: pd.DataFrame,
    smallest: Mapping[str, Mapping[str, float]],
    trees: Sequence[str],
    varying: int,
) -> list[str]:
    """Say how many mistakes a model makes and what they have in common.

    Args:
        model: Whose they are.
        counts: False positives and false negatives on the test split.
        pictures: Pictures in the test split.
        accuracy: Accuracy there, 0–1, every group counting the same.
        effects: A row a comparison: `p` (NaN where not tested), `p_adjusted`, `verdict`, `property`.
        smallest: By kind of error, how many `groups` were compared and the smallest difference `d` that would
            have been found among them.
        trees: From `tree_sentence`, one for each kind of mistake.
        varying: How many properties differ between the pictures.
    """
    return [
        f"{model_name(model)} makes {_count(counts[0], 'false positive')} and "
        f"{_count(counts[1], 'false negative')} on {pictures:,} test pictures; accuracy {percent(accuracy)}, "
        "every group counting the same.",
        effects_sentence(effects),
        smallest_sentence(smallest),
        *trees,
        f"Of the measured properties, {varying} vary between the test pictures; the others are the same for "
        "all of them.",
        "A property that goes with mistakes need not cause them: subject, source and light go together.",
    ]


def effects_sentence(effects: pd.DataFrame) -> str:
    """Say which properties go with mistakes; `effects` as for `mistakes`."""
    tested = int(effects["p"].notna().sum())
    if not tested:
        return (
            "Nothing could be tested: too few groups, or no right answers beside the wrong ones of a class."
        )
    held = effects[effects["p_adjusted"] < LEVEL]
    if held.empty:
        return f"Of {tested} tested comparisons, no difference survives correction."
    found = "; ".join(f"{row.verdict} {row.property}" for row in held.itertuples())
    survive = f"{len(held)} survive{'s' if len(held) == 1 else ''}"
    return f"Of {tested} tested comparisons, {survive} correction: {found}."


def smallest_sentence(smallest: Mapping[str, Mapping[str, float]]) -> str:
    """Say which differences between wrong and right answers could have been missed; empty without a test.

    Args:
        smallest: As for `mistakes`.
    """
    limits = [
        f"{one['groups']:.0f} groups cannot exclude one of d = {one['d']:.1f} among {kind}"
        for kind, one in smallest.items()
    ]
    if not limits:
        return ""
    return (
        f"A smaller difference could have been missed: {', '.join(limits)} (in standard deviations; after "
        "correction, found in four of five samples)."
    )


def tree_sentence(kind: str, auc: Estimate, rules: int) -> str:
    """Say what a tree that predicts mistakes from properties is worth.

    Args:
        kind: `false positives` or `false negatives`.
        auc: Its out-of-fold ROC-AUC.
        rules: How many rules it has; 0 if nothing could be fitted.
    """
    if not rules:
        return f"**{kind.capitalize()}**: too few of them, or too few properties, to learn from."
    if auc.value is None:
        return f"**{kind.capitalize()}**: the tree cannot be judged on pictures it was not fitted to."
    said = f"**{kind.capitalize()}**: the tree's ROC-AUC out of fold is {auc.text()}"
    if auc.low is None:
        return f"{said}; on so few groups that shows nothing either way."
    if auc.low > 0.5:
        return f"{said}: these properties tell them from right answers better than chance."
    return f"{said}: by these properties they cannot be told from right answers."


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
