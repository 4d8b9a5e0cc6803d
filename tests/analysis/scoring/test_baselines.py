import numpy as np
import pandas as pd
import pytest

from src.utils.analysis.checks.file_facts import CATEGORICAL, MAX_CATEGORIES, file_facts
from src.utils.analysis.scoring.baselines import always_ai, fit_facts, metadata_only, probability_of_ai
from src.utils.analysis.stats.metrics import evaluate
from src.utils.data.manifest import read_manifest, write_manifest
from tests.manifests import make_manifest


def test_always_ai_says_ai():
    assert always_ai(3).tolist() == [1.0, 1.0, 1.0]


def test_facts_by_hand():
    manifest = make_manifest(1, 1).iloc[:2]
    manifest = manifest.assign(width=[128, 100], height=[64, 50], bytes=[8192, 500], exif=[True, False])
    facts = file_facts(manifest)
    assert facts["aspect"].tolist() == [2.0, 2.0]
    assert facts["megapixels"].tolist() == [0.008192, 0.005]
    assert facts["multiple_of_8"].tolist() == [1.0, 0.0]
    assert facts["multiple_of_64"].tolist() == [1.0, 0.0]
    assert facts["bytes_per_pixel"].tolist() == [1.0, 0.1]
    assert facts["exif"].tolist() == [1.0, 0.0]
    assert "icc" not in facts


def test_facts_survive_a_round_trip_through_csv(tmp_path):
    manifest = make_manifest(30).assign(exif=True, icc=False, quantisation="ab12")
    manifest.loc[0, ["jpeg_quality", "format", "quantisation"]] = [np.nan, "PNG", ""]
    manifest.to_csv(tmp_path / "images.csv", index=False)
    again = pd.read_csv(tmp_path / "images.csv", dtype=str, keep_default_na=False)
    for facts in (file_facts(manifest), file_facts(again)):
        assert facts["jpeg_quality"].isna().sum() == 1
        assert facts["quantisation"].value_counts().to_dict() == {"ab12": 179, "none": 1}
        numbers = facts.drop(columns=[name for name in CATEGORICAL if name in facts])
        assert {str(kind) for kind in numbers.dtypes} == {"float64"} and facts["exif"].eq(1).all()


def test_facts_of_the_projects_own_manifest(tmp_path):
    manifest = make_manifest(2).assign(
        generator="", origin="", subject="", phash="", readable=True, reason=""
    )
    manifest["jpeg_quality"] = manifest["jpeg_quality"].astype("Int64").where(manifest.index > 0)
    write_manifest(tmp_path / "images.csv", manifest.assign(icc=False))
    facts = file_facts(read_manifest(tmp_path / "images.csv"))
    assert np.isnan(facts["jpeg_quality"][0]) and (facts["jpeg_quality"][1:] == 90).all()
    assert (facts["icc"] == 0).all()


def test_rare_categories_are_one():
    manifest = make_manifest(60).assign(quantisation=[f"table {row // 2}" for row in range(360)])
    categories = file_facts(manifest)["quantisation"]
    assert categories.nunique() == MAX_CATEGORIES + 1
    assert (categories == "other").sum() == 360 - 2 * MAX_CATEGORIES


@pytest.mark.parametrize("leak", ["size", "category", "missing"])
def test_a_leaking_container_is_found_on_pictures_never_seen(leak):
    manifest = make_manifest()
    ai = manifest["label"] == 1
    if leak == "size":
        manifest.loc[ai, "width"] = np.random.default_rng(0).choice([256, 512], ai.sum())  # not monotone
    elif leak == "category":
        manifest["quantisation"] = np.where(ai, "a", "b")
    else:
        manifest.loc[ai, "jpeg_quality"] = np.nan
    probability = metadata_only(manifest)
    test = (manifest["split"] == "test").to_numpy()
    entry = evaluate(manifest["label"][test], probability[test], manifest["group"][test], resamples=5)
    assert entry["auc"].value == 1.0 and entry["accuracy"].value == 1.0


def test_without_a_leak_it_is_at_chance_and_repeatable():
    manifest = make_manifest(120)
    probability = metadata_only(manifest)
    test = (manifest["split"] == "test").to_numpy()
    entry = evaluate(manifest["label"][test], probability[test], manifest["group"][test], resamples=100)
    assert entry["auc"].low < 0.5 < entry["auc"].high
    assert (metadata_only(manifest) == probability).all()


def test_only_training_rows_teach():
    manifest = make_manifest()
    probability = metadata_only(manifest)
    other = manifest.assign(label=np.where(manifest["split"] == "train", manifest["label"], 0))
    assert (metadata_only(other) == probability).all()


def test_weights_count_in_training():
    manifest = make_manifest().assign(bytes=1000)
    weight = np.where(manifest["label"] == 1, 3.0, 1.0)
    assert metadata_only(manifest, weight) == pytest.approx(0.75)
    assert metadata_only(manifest) == pytest.approx(0.5)


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_in_training_gives_that_answer(only):
    manifest = make_manifest(10)
    facts = file_facts(manifest)
    model = fit_facts(facts, np.full(len(facts), only), np.ones(len(facts)))
    assert (probability_of_ai(model, facts) == only).all()


def test_a_fact_that_no_picture_has_is_no_hindrance():
    manifest = make_manifest(60, 1).assign(format="PNG", jpeg_quality=np.nan)
    facts = file_facts(manifest.assign(width=384 + 64 * manifest["label"]))
    label = manifest["label"].to_numpy()
    score = probability_of_ai(fit_facts(facts, label, np.ones(len(label))), facts)
    assert facts["jpeg_quality"].isna().all() and (score[label == 1] > score[label == 0].max()).all()
