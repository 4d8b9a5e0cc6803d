"""How far a model's numbers can be trusted, in sentences (notebooks 10, 11 and 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import as_it_is, interval_text, percent
from src.utils.settings import CLASS_NAMES


def confidence(
    model: str,
    temperature: float,
    measured: Mapping[str, Estimate],
    loss: Mapping[str, Any],
    split_effect: Estimate,
    luck: Mapping[str, Any],
) -> list[str]:
    """Say what a model's confidence is worth.

    Args:
        model: Name of the model in use.
        temperature: What its log-odds are divided by.
        measured: Its `ece`, `ece_calibrated`, `ece_venn_abers`, `ece_by_chance`,
            `false_positive_rate_fpr5` and `recall_fpr5` (both at the chosen threshold) and `answered`, all
            on the test.
        loss: The largest loss by damage: `model`, `damage`, and the ROC-AUCs `as they are` and `ROC-AUC`.
        split_effect: What a random split adds to a probe's ROC-AUC.
        luck: A network's test ROC-AUC over seeds: `model`, `seeds`, `lowest`, `highest`.
    """
    return [
        f"`{model}` gets a temperature of {temperature:.2f}. Its calibration error on the test goes from "
        f"{interval_text(measured['ece'])} to {interval_text(measured['ece_calibrated'])}, and by its "
        f"intervals to {interval_text(measured['ece_venn_abers'])}; chance alone would make "
        f"{_value(measured['ece_by_chance'])}.",
        "The threshold set for a false-positive rate of 5 % where photo sources were left out has one of "
        f"{interval_text(measured['false_positive_rate_fpr5'])} on the test, and a recall of "
        f"{interval_text(measured['recall_fpr5'])}.",
        f"{_share(measured['answered'])} of the test pictures get a verdict.",
        f"The largest loss by damage: {loss['model']}, {loss['damage']}, ROC-AUC from "
        f"{loss['as they are']:.2f} to {loss['ROC-AUC']:.2f}.",
        split_sentence(split_effect),
        luck_sentence(luck),
    ]


def delivered(model: str, table: pd.DataFrame, changes: pd.DataFrame) -> list[str]:
    """Say what is left of a model's answers through the worst delivery, and how many verdicts do not hold.

    Args:
        model: Name of the model for people.
        table: A row a delivery, the pictures as they are first: `title`, `transformation`, `worst` (true for
            one of the deliveries), `recall`, `false_positive_rate`, `balanced_accuracy` and `drop` (of the
            latter), each with `_low` and `_high`.
        changes: A row a delivery and one named `any` (`delivery`): `turned`, `changed` and `answered`, each
            with `_low` and `_high`.
    """
    deliveries, reworked = table[~table["transformation"]], table[table["transformation"]]
    before, worst = deliveries.iloc[0], deliveries[deliveries["worst"]].iloc[0]
    both = changes[changes["delivery"] == "any"].iloc[0]
    turned, changed, answered = (
        interval_text(Estimate.from_row(both, name)) for name in ("turned", "changed", "answered")
    )
    said = [
        _worst_delivery(model, before, worst, len(deliveries)),
        f"A share of {answered} of the pictures gets a verdict through every one of them. At least one turns "
        f"the verdict into its opposite for {turned} of the pictures, and changes it at all for {changed}.",
    ]
    if len(reworked):
        most = reworked.sort_values("balanced_accuracy", kind="stable").iloc[0]
        said.append(
            f"Of the transformations, “{most['title']}” leaves least: {_rates(most)}, a balanced accuracy of "
            f"{most['balanced_accuracy']:.2f} against {before['balanced_accuracy']:.2f} as they are."
        )
    return said


def _worst_delivery(model: str, before: pd.Series, worst: pd.Series, ways: int) -> str:
    """Name the worst of some deliveries, and say whether it is measurably worse than none."""
    if worst["title"] == before["title"]:
        return f"None of {ways} deliveries costs {model} balanced accuracy: {_rates(before)}."
    drop = Estimate.from_row(worst, "drop")
    sure = "" if drop.low is None or drop.low > 0 else ", which may be chance"
    return (
        f"The worst of {ways} deliveries for {model} is “{worst['title']}”: {_rates(worst)}; as they are, "
        f"{_rates(before)}. It costs {interval_text(drop)} of balanced accuracy{sure}."
    )


def _rates(row: pd.Series) -> str:
    recall, false = (Estimate.from_row(row, name) for name in ("recall", "false_positive_rate"))
    return f"recall {interval_text(recall)}, false-positive rate {interval_text(false)}"


def track_record(record: Mapping[str, Any] | None) -> list[str]:
    """Say how a model did with sources that it had not met.

    Args:
        record: `missed` and `accused`, each with `count`, `of`, and the ends of the share's interval, `low`
            and `high` (0–1 or None); None where no source was unseen.
    """
    if record is None:
        return []
    missed, called = record["missed"], record["accused"]
    return [
        f"On generators it had not met, it missed {missed['count']:,} of {missed['of']:,} pictures "
        f"{_ends(missed)}.",
        f"Of photographs from photo sources it had not met, it called {called['count']:,} of "
        f"{called['of']:,} AI {_ends(called)}.",
    ]


def verdict_policy(policy: Mapping[str, Any]) -> list[str]:
    """Say when a model gives a verdict and how often that was right on sources that it had not met.

    Args:
        policy: `ai_from`, `clear_up_to`, `why_no_ai`, `why_no_clear` and `evidence`.
    """
    said = []
    for verdict, edge, why, side, record in (
        ("AI-generated", policy["ai_from"], policy["why_no_ai"], "from {} on", "ai"),
        ("No sign of AI", policy["clear_up_to"], policy["why_no_clear"], "up to {}", "clear"),
    ):
        if edge is None:
            said.append(why)
            continue
        found = policy["evidence"][record]
        worth = (
            f"by policies chosen without the source at hand {found['said']:,} times, {found['right']:,} of "
            f"them rightly; at equal numbers of both classes "
            f"{Estimate(**found['precision']).text()} are right"
            if found["said"]
            else "policies chosen without the source at hand never said it, "
            "so it rests on all sources together"
        )
        said.append(
            f"*{verdict}* is said where the whole interval lies {side.format(percent(edge))}: {worth}."
        )
    return list(dict.fromkeys(said))


def split_title(effect: Estimate) -> str:
    """What a random split adds, as the title of a figure."""
    if effect.value is None:
        return "What a random split adds cannot be measured on so few groups"
    return f"A random split adds {interval_text(effect, 3)} of ROC-AUC"


def split_sentence(effect: Estimate) -> str:
    """What a random split would have added, or that there are too few groups to say."""
    if effect.value is None:
        return "There are too few groups here to measure what a random split adds."
    return f"A random split would have added {interval_text(effect, 3)} of ROC-AUC to the same model."


def luck_sentence(luck: Mapping[str, Any]) -> str:
    """How far a network's test ROC-AUC moves with the seed; `luck` as for `confidence`."""
    if luck["seeds"] < 2:
        return (
            f"One seed of `{luck['model']}` was trained: its test ROC-AUC is {luck['lowest']:.2f}. "
            "`SEEDS=3` shows how much of that is luck."
        )
    return (
        f"Over {luck['seeds']} seeds the test ROC-AUC of `{luck['model']}` runs from {luck['lowest']:.2f} to "
        f"{luck['highest']:.2f}: smaller differences are luck."
    )


def unseen_sources(
    model: str, test: Estimate, unseen: Estimate | None, sources: pd.DataFrame, demonstration: bool
) -> list[str]:
    """Say in plain words what a model's numbers on the unseen set are worth.

    Args:
        model: Name of the model for people.
        test: Its ROC-AUC on the test.
        unseen: Its ROC-AUC on the unseen set; None where there is no such set.
        sources: A row a generator (`label` 1) or photo source (0): `source` (its name), `called_ai` (the
            share called AI, 0–1) with `called_ai_low` NaN where no interval is estimable, `pictures` and
            `groups`.
        demonstration: Whether the data is the small sample.
    """
    if unseen is None or sources.empty:
        return ["This dataset has no unseen set: nothing can be said about sources that training never met."]
    few = int(sources["called_ai_low"].isna().sum())
    said = [
        f"On sources that training never met, {model} has a ROC-AUC of {interval_text(unseen)}; on the test, "
        f"whose sources it knows, {interval_text(test)}.",
        *_extremes(sources),
        f"{few} of the {len(sources)} rows rest on too few originals for an interval: another handful of "
        "pictures could turn them around."
        if few
        else "",
        "The unseen set as a whole has too few originals for an interval, too."
        if unseen.value is not None and unseen.low is None
        else "",
        "None of this says how the model would do on pictures that somebody meets tomorrow."
        if demonstration
        else "",
    ]
    return list(filter(None, said))


def price_of_the_new(
    test: Mapping[str, Mapping[str, Estimate]],
    unseen: Mapping[str, Mapping[str, Estimate]],
    families: pd.DataFrame,
    photo_sources: pd.DataFrame,
) -> list[str]:
    """Say which model is best on unseen sources, and what a new source costs a probe.

    Args:
        test: By model, its metrics on the test.
        unseen: The same on the unseen set; empty where there is none.
        families: From leaving out generator families: `drop` (ROC-AUC) and `groups`, the last row over all of
            them; may be empty.
        photo_sources: The same for photo sources.
    """
    kinds = (("generator family", families), ("photo source", photo_sources))
    prices = [
        f"Never having met a {kind} costs the probe {table.iloc[-1]['drop']:.3f} of ROC-AUC on average over "
        f"{int(table.iloc[-1]['groups'])} originals."
        for kind, table in kinds
        if len(table)
    ]
    return [
        *_best_on_unseen(test, unseen),
        *(prices or ["No generator family and no photo source has enough originals to be left out here."]),
        "A low price within one collection is no promise: its pictures share a history that the next "
        "collection will not have.",
    ]


def what_it_sees(likeness: Mapping[str, float], residual: Mapping[str, Any]) -> list[str]:
    """Say whether maps depend on what was learnt, and where the classes' residuals differ.

    Args:
        likeness: By the deepest layer drawn anew, how much of the maps' order is left (0–1), the whole
            network last but one; last, what maps of different pictures have in common.
        residual: `rings`, their number, and `rings_apart`: by treatment, in how many of them the classes
            differ, None where not estimable; as they are first, after the same compression last.
    """
    return [
        maps_sentence(*list(likeness.values())[-2:]),
        residual_sentence(residual["rings"], *residual["rings_apart"].values()),
        "A map tells where, never why: it can raise a suspicion, it cannot clear one.",
    ]


def maps_sentence(kept: float, chance: float) -> str:
    """Say whether maps depend on what was learnt.

    Args:
        kept: Likeness of the trained maps and those of a wholly random network, 0–1.
        chance: Likeness of different pictures' maps, 0–1.
    """
    finding = (
        "the maps depend on what was learnt"
        if kept < (1 + chance) / 2
        else "the maps show edges more than learning"
    )
    return (
        f"With all weights random, {kept:.2f} of the maps' order is left, where unrelated pictures have "
        f"{chance:.2f}: {finding}."
    )


def residual_sentence(rings: int, before: int | None, after: int | None) -> str:
    """Say in how many rings of frequency the classes differ, before and after the same compression."""
    if before is None or after is None:
        return "There are too few originals here for intervals on the residual spectra."
    return (
        f"In {before} of {rings} rings of frequency the classes' residuals differ beyond their intervals, "
        f"after the same compression in {after}; one in twenty would by chance, and neighbours go together."
    )


def content_gate(missed: pd.DataFrame, alarms: pd.DataFrame) -> list[str]:
    """Say what the content gate stops, what passes, and what it costs.

    Args:
        missed: A row a kind of picture that should be stopped: `origin`, `kind`, `pictures`, `missed` (how
            many pass), `share` of them.
        alarms: A row a part and class of the dataset: `part`, `label`, `share` (stopped) with `share_low`
            and `share_high`.
    """
    by_origin = missed.groupby("origin", sort=False)[["pictures", "missed"]].sum()
    stopped = " and ".join(
        f"{row.pictures - row.missed} of {row.pictures} pictures {row.Index}"
        for row in by_origin.itertuples()
    )
    worst = missed.loc[missed["share"].idxmax()]
    passes = (
        f" Most pass of kind {worst['kind']}: {worst['missed']} of {worst['pictures']}."
        if worst["missed"]
        else ""
    )
    dearest = alarms.loc[alarms["share"].idxmax()]
    where = f"the {CLASS_NAMES[dearest['label']]} ones of the {dearest['part']} split"
    share = interval_text(Estimate.from_row(dearest, "share"))
    return [
        f"The content gate stops {stopped}.{passes}",
        f"Of the dataset's own pictures it stops most among {where}: a share of {share}."
        if dearest["share"]
        else "It stops none of the dataset's own pictures that were not used to choose its limits.",
    ]


def _best_on_unseen(
    test: Mapping[str, Mapping[str, Estimate]], unseen: Mapping[str, Mapping[str, Estimate]]
) -> list[str]:
    areas = {name: one["auc"].value for name, one in unseen.items() if one["auc"].value is not None}
    if not areas:
        return []
    best = max(areas, key=areas.__getitem__)
    return [
        f"Best on the unseen set: `{best}` with a ROC-AUC of {interval_text(unseen[best]['auc'])}; on the "
        f"test it has {interval_text(test[best]['auc'])}."
    ]


def _extremes(sources: pd.DataFrame) -> list[str]:
    """The generator with the lowest recall and the photo source with the highest false-positive rate."""
    for share, said in ((0, "human-made"), (1, "AI-generated")):
        if (sources["called_ai"] == share).all():
            return [f"It calls every one of these pictures {said}, whatever its source."]
    ordered = sources.sort_values("called_ai", kind="stable")
    generators, photographs = ordered[ordered["label"] == 1], ordered[ordered["label"] == 0]
    lowest = [f"Its recall is lowest on {_share_of(generators.iloc[0])}."] if len(generators) else []
    highest = (
        [f"Its false-positive rate is highest on {_share_of(photographs.iloc[-1])}."]
        if len(photographs)
        else []
    )
    return lowest + highest


def _share_of(source: pd.Series) -> str:
    originals = f"{source['groups']} original{'' if source['groups'] == 1 else 's'}"
    pictures = f"{source['pictures']} pictures from {originals}"
    return f"{as_it_is(source['source'])}: {percent(source['called_ai'])} of {pictures}"


def _ends(share: Mapping[str, Any]) -> str:
    """The ends of a share's interval: `[42 %, 66 %]`."""
    if share["low"] is None or share["high"] is None:
        return "(interval not estimable)"
    return f"[{percent(share['low'])}, {percent(share['high'])}]"


def _value(entry: Estimate) -> str:
    return "–" if entry.value is None else f"{entry.value:.2f}"


def _share(entry: Estimate) -> str:
    return "–" if entry.value is None else percent(entry.value)
