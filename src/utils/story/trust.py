"""How far a model's numbers and maps can be trusted, in sentences (notebooks 05, 10 and 12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from src.utils.estimate import Estimate
from src.utils.names import interval_text, percent, percent_text
from src.utils.settings import CLASS_NAMES
from src.utils.story.reading import read_difference


def confidence(
    model: str,
    temperature: float,
    measured: Mapping[str, Estimate],
    loss: Mapping[str, Any],
    split_effect: Estimate,
    luck: Mapping[str, Any],
    twins: bool = False,
    pictures: str = "test",
    left_out: str = "source",
) -> list[str]:
    """Say what a model's confidence is worth.

    Args:
        model: Name of the model in use.
        temperature: What its log-odds are divided by.
        measured: Its `ece`, `ece_calibrated`, `ece_venn_abers`, `ece_by_chance`,
            `false_positive_rate_fpr5` and `recall_fpr5` (both at the chosen threshold) and `answered`, all
            on the test.
        loss: The largest loss by damage: `model`, `damage`, and the ROC-AUCs `as they are` and `ROC-AUC`.
        split_effect: A probe's ROC-AUC by a random split minus that by a group split.
        luck: A network's test ROC-AUC over seeds: `model`, `seeds`, `lowest`, `highest`.
        twins: Whether groups hold pictures of both classes.
        pictures: On which the loss was measured, such as `test and unseen`.
        left_out: What the scorer had not met of the pictures that the threshold was set on: their `source`,
            or only their `group`.
    """
    what = "photo sources" if left_out == "source" else "groups of photographs"
    return [
        f"`{model}` gets a temperature of {temperature:.2f}. Its calibration error on the test goes from "
        f"{interval_text(measured['ece'])} to {interval_text(measured['ece_calibrated'])}, and by its "
        f"intervals to {interval_text(measured['ece_venn_abers'])}; chance alone would make "
        f"{_value(measured['ece_by_chance'])}.",
        f"The threshold set for a false-positive rate of 5 % where {what} were left out has one of "
        f"{interval_text(measured['false_positive_rate_fpr5'])} on the test, and a recall of "
        f"{interval_text(measured['recall_fpr5'])}.",
        f"{percent_text(measured['answered'])} of the test pictures get a verdict.",
        f"The largest loss by damage on {pictures} pictures: {loss['model']}, {loss['damage']}, ROC-AUC from "
        f"{loss['as they are']:.2f} to {loss['ROC-AUC']:.2f}.",
        split_sentence(split_effect, twins),
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
            f"by cut-offs chosen without the source at hand, it was said {found['said']:,} times and right "
            f"{found['right']:,} times; at equal numbers of both classes, a share of "
            f"{Estimate(**found['precision']).text()} is right"
        )
        said.append(
            f"*{verdict}* is said where the whole interval lies {side.format(percent(edge))}: {worth}."
        )
    return list(dict.fromkeys(said))


def split_title(effect: Estimate) -> str:
    """Say what a random split changes in a figure's title; `effect` as for `split_sentence`."""
    if effect.value is None:
        return "What a random split changes cannot be measured on so few groups"
    amount = interval_text(_size(effect), 3)
    if effect.low is not None and effect.low > 0:
        return f"A random split adds {amount} of ROC-AUC without any skill"
    if effect.high is not None and effect.high < 0:
        return f"A random split takes {amount} of ROC-AUC away"
    doubt = "" if effect.low is None else ": no measurable difference"
    return f"A random split changes ROC-AUC by {interval_text(effect, 3)}{doubt}"


def split_sentence(effect: Estimate, twins: bool = False) -> str:
    """Say what a random split changes, in which direction, and why.

    Args:
        effect: ROC-AUC by a random split minus that by a group split, of one and the same model.
        twins: Whether groups hold pictures of both classes, such as a photograph and its generated twin.
    """
    if effect.value is None:
        return "There are too few groups here to measure what a random split changes."
    said = f"{split_title(effect)}"
    if effect.low is not None and effect.low > 0:
        return f"{said}: pictures that are related to training pictures are easier to rank."
    if effect.high is not None and effect.high < 0:
        why = (
            "a twin in training looks like the picture in question and carries the other label"
            if twins
            else "related pictures on both sides are no help here"
        )
        return f"{said}: {why}."
    return f"{said}."


def _size(effect: Estimate) -> Estimate:
    """How large an effect is, whatever its sign."""
    if effect.value is None or effect.value >= 0:
        return effect
    low, high = (None if end is None else -end for end in (effect.high, effect.low))
    return Estimate(-effect.value, low, high)


def neutral_title(drops: Mapping[str, Estimate], how: str) -> str:
    """Say in a figure's title what models lose once all pictures were made alike.

    Args:
        drops: By model, its name for people: ROC-AUC as they are minus ROC-AUC once made alike.
        how: How they were made alike.
    """
    losing = {name: drop for name, drop in drops.items() if drop.low is not None and drop.low > 0}
    if losing:
        most = max(losing, key=lambda name: losing[name].value or 0)
        return f"{how}: {most} loses {interval_text(losing[most])} of ROC-AUC"
    measured = any(drop.low is not None for drop in drops.values())
    return f"{how}: no measurable loss of ROC-AUC" if measured else how


def neutral_sentence(model: str, drop: Estimate, pictures: str) -> str:
    """Say what a model loses once all pictures have one size and one compression.

    Args:
        model: Its name for people.
        drop: ROC-AUC as they are minus ROC-AUC once made alike.
        pictures: On which it was measured, such as `test and unseen`.
    """
    if drop.value is None:
        return ""
    finding = read_difference(
        drop,
        above="so much of its ranking rested on size, compression or what lay outside the square",
        below="it ranks better without them",
        around="no measurable difference",
        unknown="too few groups to say whether that is chance",
    )
    return (
        f"Cut to one square and compressed alike, the {pictures} pictures cost {model} "
        f"{interval_text(drop)} of ROC-AUC: {finding}."
    )


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


def what_it_sees(maps: str, residual: Mapping[str, Any]) -> list[str]:
    """Say whether maps depend on what was learnt, and where the classes' residuals differ.

    Args:
        maps: From `maps_sentence`.
        residual: `rings`, their number, and `rings_apart`: by treatment, in how many of them the classes
            differ, None where not estimable; as they are first, after the same compression last.
    """
    return [
        maps,
        residual_sentence(residual["rings"], *residual["rings_apart"].values()),
        "A map tells where, never why: it can raise a suspicion, it cannot clear one.",
    ]


def maps_sentence(model: str, area: Estimate, gain: Estimate | None) -> str:
    """Say whether a network's maps depend on what it learnt.

    Args:
        model: Its name for people.
        area: Its ROC-AUC on the test.
        gain: How much more alike its maps are to those of a network that learnt from the true labels than to
            those of one that learnt from shuffled labels, paired over pictures; None where it was not asked.
    """
    if gain is None:
        return (
            f"{model} has a ROC-AUC of {interval_text(area)} on the test, not above chance: there is no "
            "learning to explain, and its maps show what any such network makes of the pictures."
        )
    return (
        f"{maps_title(model, gain)}: their likeness to maps learnt from true labels is {interval_text(gain)} "
        "above that to maps learnt from shuffled ones."
    )


def maps_title(model: str, gain: Estimate | None) -> str:
    """Say the same in a figure's title; arguments as for `maps_sentence`."""
    if gain is None:
        return f"{model} is not above chance: no learning to explain"
    if gain.low is not None and gain.low > 0:
        return f"{model}: the maps depend on what was learnt"
    return f"{model}: the maps cannot be told from those of shuffled labels"


def random_title(model: str, learnt: bool, likeness: Mapping[str, float]) -> str:
    """Say what is left of maps when weights are drawn anew, in a figure's title.

    Args:
        model: Its name for people.
        learnt: Whether the network is above chance.
        likeness: By the deepest layer drawn anew, how much of the maps' order is left (0–1), the whole
            network last but one; last, what maps of different pictures have in common.
    """
    if not learnt:
        return maps_title(model, None)
    kept, chance = list(likeness.values())[-2:]
    return f"Random weights keep {kept:.2f} of the maps' order; maps of other pictures share {chance:.2f}"


def residual_sentence(rings: int, before: int | None, after: int | None) -> str:
    """Say in how many rings of frequency the classes differ, before and after the same compression."""
    if before is None or after is None:
        return "There are too few originals here for intervals on the residual spectra."
    return (
        f"In {before} of {rings} rings of frequency the classes' residuals differ beyond their intervals, "
        f"after the same compression in {after}; one in twenty would by chance, and neighbours go together."
    )


def facts_sentence(together: pd.DataFrame) -> str:
    """Say what boosted trees tell from file facts, from simple facts about content, and from all of them.

    Args:
        together: A row a set of facts: `feature`, `auc`, `low`, `high`.
    """
    told = [
        f"{row['feature']} {Estimate.of(row['auc'], row['low'], row['high']).text()}"
        for _, row in together.iterrows()
    ]
    return (
        "Without a look at the pixels, boosted trees reach these ROC-AUCs (chance is 0.50): "
        f"{', '.join(told)}."
    )


def against_facts(model: str, own: Estimate, facts: Estimate, difference: Estimate) -> str:
    """Say whether a model ranks better than facts about the files do.

    Args:
        model: Its name for people.
        own: Its ROC-AUC on the test.
        facts: ROC-AUC of a model that sees only facts about the files.
        difference: The first minus the second, paired over groups.
    """
    finding = read_difference(
        difference,
        above="pixels tell it more than the files do",
        below="whoever reads no pixel does better",
        around="the two cannot be told apart",
        unknown="too few groups to tell the two apart",
    )
    return (
        f"File facts alone, without a pixel, reach a ROC-AUC of {interval_text(facts)}; {model} reaches "
        f"{interval_text(own)}, a paired difference of {interval_text(difference)}: {finding}."
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


def _ends(share: Mapping[str, Any]) -> str:
    """The ends of a share's interval: `[42 %, 66 %]`."""
    if share["low"] is None or share["high"] is None:
        return "(interval not estimable)"
    return f"[{percent(share['low'])}, {percent(share['high'])}]"


def _value(entry: Estimate) -> str:
    return "–" if entry.value is None else f"{entry.value:.2f}"
