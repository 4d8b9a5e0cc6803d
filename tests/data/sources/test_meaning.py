from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from src.utils.data.sources.meaning import (
    class_of,
    classes_to_complete,
    parse_classes,
    plain_name,
    read_folders,
    split_of,
)
from src.utils.settings import UserError


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (("0", "0.0", "human", "Human-made", "REAL", "real images", "0_real", "Real Photo", "nature"), 0),
        (("natural", "photo", "Photographs", "authentic", "original", "Original Pictures", "photos"), 0),
        (("1", "1.00", "AI", "ai_generated", "AI Images", "AI-generated images", "fake", "1_fake"), 1),
        (("synthetic", "generated", "deepfake", "Fake photos", "AI art", "generated_imgs"), 1),
        (
            (
                "",
                "images",
                "cats",
                "2",
                "0_fake",
                "1_real",
                "non-ai",
                "unreal",
                "real vs fake",
                "human faces",
            ),
            None,
        ),
    ],
)
def test_words_mean_a_class_by_rule_or_nothing(words, label):
    assert {word: class_of(word) for word in words} == dict.fromkeys(words, label)


@given(st.text())
def test_case_and_joints_do_not_count(word):
    assert class_of(word) in (0, 1, None)
    assert plain_name(plain_name(word)) == plain_name(word)
    assert class_of(word) == class_of(word.replace(" ", "_")) == class_of(f" {word}-")


def test_parts_of_a_split():
    said = {
        word: split_of(word) for word in ("Train", "val", "validation", "test", "training", "test_data", "")
    }
    assert list(said.values()) == ["train", "validation", "validation", "test", "train", "", ""]


class TestClasses:
    def test_names_in_any_language_and_with_commas(self):
        said = parse_classes('laion = human,stable-diffusion-xl=ai,"Fotos, echt=real", 生成=fake, a=b=skip,')
        assert said == {
            "laion": "human",
            "stable-diffusion-xl": "ai",
            "fotos,-echt": "human",
            "生成": "ai",
            "a=b": "skip",
        }

    def test_they_come_before_the_words(self):
        classes = parse_classes("nature=none, real=ai, Été=human")
        assert [class_of(word, classes) for word in ("Nature", "REAL", "e\u0301te\u0301")] == [None, 1, 0]

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("laion", "'laion' is not understood"),
            ("laion=?", "'laion=?' is not understood: write name=human, name=ai, name=none"),
            ("=ai", "'=ai' is not understood"),
            ("a=ai,A=human", "gives 'A' two meanings"),
        ],
    )
    def test_errors(self, text, expected):
        with pytest.raises(UserError) as caught:
            parse_classes(text)
        assert expected in str(caught.value)

    @given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"])), max_size=4))
    def test_the_line_to_complete_can_be_pasted_and_completed(self, names):
        names = list({plain_name(name): name for name in names if plain_name(name)}.values())
        (word,) = shlex.split(classes_to_complete(names, "ai"))
        assert parse_classes(word.removeprefix("CLASSES=")) == {plain_name(name): "ai" for name in names}


class TestFolders:
    @pytest.mark.parametrize(
        ("folder", "label", "source", "split"),
        [
            (".", None, "", ""),
            ("ai", 1, "", ""),
            ("data/images/ai/flux/0042", 1, "flux", ""),
            ("real/unsplash", 0, "unsplash", ""),
            ("BigGAN/train/nature", 0, "BigGAN/nature", "train"),
            ("val/fake/real-esrgan", 1, "real-esrgan", "validation"),
            ("sd/original/real", 0, "sd/real", ""),
        ],
    )
    def test_what_a_path_says(self, folder, label, source, split):
        said = read_folders(folder, {})
        assert (said.label, said.source, said.split, said.skipped) == (label, source, split, False)

    def test_a_contradiction_names_both_and_a_cure(self):
        with pytest.raises(UserError) as caught:
            read_folders("ai/nature", {})
        message = str(caught.value)
        assert "'nature' means human-made and 'ai' AI-generated" in message
        assert message.endswith("CLASSES=nature=none.")
        assert read_folders("ai/nature", parse_classes("nature=none")).label == 1

    def test_a_contradiction_with_classes_is_one_too(self):
        with pytest.raises(UserError, match="'real' means human-made and 'flux' AI-generated"):
            read_folders("flux/real", parse_classes("flux=ai"))
