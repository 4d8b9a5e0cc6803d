from pathlib import Path

import pytest

from src.utils.settings import PROJECT_ROOT, Settings, UserError


def test_defaults_are_the_sample_in_full(tmp_path):
    settings = Settings.from_env({}, root=tmp_path)
    assert (settings.source, settings.profile, settings.seed, settings.epochs) == ("sample", "full", 42, 10)
    assert settings.split_method == "group"
    assert settings.manifest_path == tmp_path / "data/processed/sample/images.csv"


def test_kaggle_is_chosen_when_its_data_lies_there(tmp_path):
    (tmp_path / "data/raw/kaggle").mkdir(parents=True)
    (tmp_path / "data/raw/kaggle/train.csv").touch()
    settings = Settings.from_env({}, root=tmp_path)
    assert settings.source == "kaggle"
    assert "DATA_SOURCE=sample" in settings.source_reason


def test_data_dir_alone_means_folder(tmp_path):
    settings = Settings.from_env({"DATA_DIR": str(tmp_path)}, root=tmp_path)
    assert (settings.source, settings.data_dir) == ("folder", tmp_path)


def test_a_relative_data_dir_starts_at_the_project(tmp_path, monkeypatch):
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    assert Settings.from_env({"DATA_DIR": "pictures"}, root=tmp_path).data_dir == tmp_path / "pictures"


def test_data_dir_may_be_an_address_of_hugging_face(tmp_path):
    settings = Settings.from_env({"DATA_DIR": "hf://datasets/owner/name@refs/x"}, root=tmp_path)
    assert settings.data_address == "hf://datasets/owner/name@refs/x"
    assert settings.data_dir == tmp_path / "data/raw/hub/owner__name@refs__x"
    assert Settings.from_env({"DATA_DIR": "x"}, root=tmp_path).data_address == ""


@pytest.mark.parametrize("source", ["sample", "kaggle"])
def test_one_seed_unless_more_are_asked_for(tmp_path, source):
    assert Settings.from_env({"DATA_SOURCE": source}, root=tmp_path).seeds == 1
    assert Settings.from_env({"DATA_SOURCE": source, "SEEDS": "3"}, root=tmp_path).seeds == 3


def test_precision_and_encoder_are_chosen_later_unless_asked_for(tmp_path):
    settings = Settings.from_env({}, root=tmp_path)
    assert (settings.precision, settings.encoder) == ("auto", "auto")
    settings = Settings.from_env({"PRECISION": "float32", "ENCODER": "dinov2_base"}, root=tmp_path)
    assert (settings.precision, settings.encoder) == ("float32", "dinov2_base")


def test_empty_values_count_as_unset(tmp_path):
    names = (
        "DATA_SOURCE",
        "DATA_DIR",
        "CLASSES",
        "MISSING",
        "PROFILE",
        "SEED",
        "EPOCHS",
        "SEEDS",
        "SPLIT",
        "PRECISION",
        "ENCODER",
    )
    assert Settings.from_env(dict.fromkeys(names, ""), root=tmp_path) == Settings.from_env({}, root=tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATA_SOURCE", "imagenet"),
        ("PROFILE", "fast"),
        ("SPLIT", "pair"),
        ("MISSING", "yes"),
        ("PRECISION", "float16"),
        ("SEED", "-1"),
        ("SEED", "x"),
        ("SEEDS", "0"),
        ("EPOCHS", "0"),
        ("EPOCHS", "1.5"),
    ],
)
def test_a_wrong_value_is_named_in_one_line(name, value, tmp_path):
    with pytest.raises(UserError) as error:
        Settings.from_env({name: value}, root=tmp_path)
    assert f"{name}={value}" in str(error.value)
    assert "\n" not in str(error.value)


def test_smoke_shares_raw_data_and_nothing_else(tmp_path):
    full = Settings.from_env({}, root=tmp_path)
    smoke = Settings.from_env({"PROFILE": "smoke"}, root=tmp_path)
    assert smoke.raw_dir == full.raw_dir
    assert smoke.epochs == 1
    for name in ("interim_dir", "processed_dir", "models_dir", "figures_dir", "reports_dir"):
        assert getattr(smoke, name).is_relative_to(tmp_path / ".smoke")
        assert not getattr(full, name).is_relative_to(tmp_path / ".smoke")
        assert getattr(smoke, name).relative_to(tmp_path / ".smoke") == getattr(full, name).relative_to(
            tmp_path
        )


def test_project_root_is_this_checkout():
    assert Path(__file__).is_relative_to(PROJECT_ROOT)


def test_a_notebook_shows_a_user_error_as_one_line():
    assert UserError("say what to do")._render_traceback_() == ["UserError: say what to do"]
