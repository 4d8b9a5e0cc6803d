import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from src.utils.analysis.checks.audit import (
    ALL_CONTAINER,
    AUDIT_COLUMNS,
    audit_features,
    audit_table,
    cross_validated_auc,
)
from tests.manifests import make_manifest


def audit(manifest, **options):
    return audit_table(manifest, resamples=50, **options).set_index("feature")


def test_constant_containers_are_said_to_be_constant_and_tell_nothing():
    table = audit(make_manifest())
    container = table[table["kind"] == "container"]
    assert container["constant"].all()
    assert container["auc"].tolist() == [0.5] * len(container)
    assert not table.loc["bytes", "constant"] and table.loc["bytes", "kind"] == "content"
    assert table.index[-1] == ALL_CONTAINER
    assert list(table.reset_index().columns) == list(AUDIT_COLUMNS)


def test_a_number_is_scored_by_its_auc_turned_upwards():
    manifest = make_manifest(per_group=4)
    label = manifest["label"].to_numpy()
    brightness = np.random.default_rng(0).normal(label * -1.0)
    table = audit(manifest.assign(brightness=brightness), content={"sharpness": label * 1.0})
    assert table.loc["sharpness", "auc"] == 1.0
    row = table.loc["brightness"]
    assert row["auc"] == pytest.approx(roc_auc_score(label, -brightness))
    assert row["direction"] == "more in human" and row["kind"] == "content"
    assert 0.5 < row["low"] < row["auc"] < row["high"]
    assert row["human_mean"] == pytest.approx(brightness[label == 0].mean())
    assert row["ai_median"] == pytest.approx(np.median(brightness[label == 1]), abs=0.05)


def test_noise_has_half_inside_its_interval():
    manifest = make_manifest(100)
    rng = np.random.default_rng(3)
    noise = {f"noise {number}": rng.normal(size=len(manifest)) for number in range(10)}
    table = audit(manifest, content=noise).loc[list(noise)]
    assert (table["low"] < 0.5).mean() >= 0.8
    assert (table["auc"] >= 0.5).all()


def test_a_leaking_category_is_found_alone_and_together():
    manifest = make_manifest()
    manifest["format"] = np.where(manifest["label"] == 1, "WEBP", "JPEG")
    table = audit(manifest)
    assert table.loc["format", "auc"] == table.loc[ALL_CONTAINER, "auc"] == 1.0
    assert not table.loc[ALL_CONTAINER, "constant"]
    assert np.isnan(table.loc["format", "human_mean"])


def test_useless_varying_containers_are_not_below_chance():
    manifest = make_manifest(100)
    manifest["jpeg_quality"] = np.random.default_rng(5).integers(70, 96, len(manifest))
    entry = audit(manifest).loc[ALL_CONTAINER]
    assert entry["low"] < 0.5 < entry["high"]


def test_weights_move_means_and_scores():
    manifest = make_manifest(per_group=4)
    label = manifest["label"].to_numpy()
    bright = np.arange(len(manifest)) // 2 % 2
    features = pd.DataFrame({"bright": bright.astype(float)})
    weight = np.where((label == 1) & (bright == 1), 3.0, 1.0)
    table = audit_features(features, {"bright": "content"}, label, manifest["group"], weight, resamples=5)
    row = table.iloc[0]
    assert (row["human_mean"], row["ai_mean"]) == pytest.approx((0.5, 0.75))
    assert row["ai_median"] == 1.0
    assert row["auc"] == pytest.approx(roc_auc_score(label, bright, sample_weight=weight))


def test_gaps_are_left_out_and_few_groups_give_no_interval():
    manifest = make_manifest(10)
    features = pd.DataFrame({"gaps": np.where(np.arange(60) < 30, np.nan, manifest["label"])})
    features["all gaps"] = np.nan
    kinds = dict.fromkeys(features, "container")
    table = audit_features(features, kinds, manifest["label"], manifest["group"], resamples=5)
    assert table["auc"].tolist() == [1.0, pytest.approx(np.nan, nan_ok=True)]
    assert table[["low", "high"]].isna().all().all()


def test_cross_validation_needs_five_groups_a_class():
    manifest = make_manifest(4)
    entry = cross_validated_auc(manifest[["width"]], manifest["label"], manifest["group"])
    assert np.isnan(entry["auc"])


def test_related_pictures_do_not_help():
    manifest = make_manifest(60, 5)
    fingerprint = np.random.default_rng(0).normal(size=120)
    features = pd.DataFrame({"fingerprint": fingerprint[np.repeat(np.arange(120), 5)]})
    by_group = cross_validated_auc(features, manifest["label"], manifest["group"], resamples=50)
    by_picture = cross_validated_auc(features, manifest["label"], np.arange(600), resamples=5)
    assert by_picture["auc"] > 0.8
    assert by_group["low"] < 0.5 < by_group["high"]


def test_groups_count_the_same_however_many_pictures_they_have():
    group = np.repeat(["a", "b", "c", "d"], [8, 2, 1, 3])
    label = np.repeat([0, 0, 1, 1], [8, 2, 1, 3])
    features = pd.DataFrame({"bright": np.repeat([0.0, 1.0, 0.0, 1.0], [8, 2, 1, 3])})
    row = audit_features(features, {"bright": "content"}, label, group).iloc[0]
    assert (row["human_mean"], row["ai_mean"], row["auc"]) == pytest.approx((0.5, 0.5, 0.5))
