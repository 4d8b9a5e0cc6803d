"""The table says what its detectors' projects publish, and a wrong entry is named."""

from __future__ import annotations

import re

import pytest

from src.utils.datasets import BETTER_DETECTOR
from src.utils.models.detectors.table import TABLE, read_table
from src.utils.settings import PROJECT_ROOT, UserError

OWN = """
[mine]
address = "https://example.org/mine.onnx"
licence = "MIT"
recipe = { input_size = 224, views = ["squash"], mean = [0.5, 0.5, 0.5], standard_deviation = [1, 1, 1] }
"""


def test_the_two_entries_are_those_that_were_published():
    entries = read_table()
    assert list(entries) == ["community_forensics", "sieve"]
    forensics, sieve = entries.values()
    assert forensics.sha256 == "a42c7d740fbb345ba9a26d469b22f301d73089ce3c6da993877ed2b6965a8ba1"
    assert "/ac6ee457bea904a373065754107451793b56db00/onnx/model.onnx" in forensics.address
    assert sieve.sha256 == "513da879ae017cbf1e5c9e03089537f2de6149d4f3549c3e3c480b3ea2204016"
    assert sieve.address.endswith("/v0.10.0/ft44s_best_fp16.onnx") and sieve.size == 0
    assert forensics.recipe["calibration"] == {"scale": 0.464414, "offset": 3.2143}
    assert sieve.recipe["calibration"] == {"scale": 1.0, "offset": 0.43}
    assert "a size that the table does not know" in sieve.about and "87 MB" in forensics.about
    for entry in entries.values():
        assert entry.authors and entry.licence and entry.paper and entry.title
        assert all(re.match(r"Published by .+; not run by us: ", one) for one in entry.claims)
        assert entry.claims


def test_whoever_is_answered_by_the_samples_model_is_told_what_another_costs():
    sieve = read_table()["sieve"]
    documents = [(PROJECT_ROOT / name).read_text() for name in ("README.md", "MODEL_CARD.md")]
    for text in (BETTER_DETECTOR, *documents):
        assert "make detector NAME=sieve" in text and "make calibrate MODEL=sieve" in text
        assert f"some 44 MB, licence {sieve.licence}" in text


def test_an_entry_of_ones_own_is_five_lines(tmp_path):
    (tmp_path / "detectors.toml").write_text(OWN)
    assert len(OWN.strip().splitlines()) <= 5
    mine = read_table(tmp_path / "detectors.toml")["mine"]
    assert mine.sha256 == "" and mine.claims == [] and mine.recipe["input_size"] == 224
    assert read_table(tmp_path / "absent.toml") == {}


def test_the_documents_examples_are_read(tmp_path):
    blocks = re.findall(r"```toml\n(.*?)```", (PROJECT_ROOT / "docs/DETECTORS.md").read_text(), re.DOTALL)
    assert blocks
    for number, block in enumerate(blocks):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        assert read_table(path), block


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("licence", "license"), "the unknown entry license"),
        (('licence = "MIT"', ""), "no licence"),
        (("https://", "file://"), "no http or https link"),
        (("mine.onnx", "mine.pt"), "no .onnx file"),
        (('"MIT"', '"MIT"\nsha256 = "123"'), "64 small hexadecimal digits"),
        (('"MIT"', '"MIT"\nsize = -1'), "no number of bytes"),
        (('"MIT"', '"MIT"\npublished = [{ by = "me" }]'), "without by and figures"),
        (("[mine]", "[Mine]"), "a name that is not"),
        (("224", '"large"'), "[mine] has"),
        (("squash", "stretch"), "views = 'stretch'"),
        (('"MIT"', '"MIT"\nname = "other"'), "the unknown entry name"),
        (("[mine]", "[mine"), "is no TOML"),
    ],
)
def test_a_wrong_entry_is_one_sentence_with_the_file(tmp_path, change, words):
    path = tmp_path / "detectors.toml"
    path.write_text(OWN.replace(*change))
    with pytest.raises(UserError) as caught:
        read_table(path)
    assert words in str(caught.value) and str(path) in str(caught.value)


def test_the_table_lies_where_people_look():
    assert TABLE == PROJECT_ROOT / "detectors.toml" and TABLE.is_file()
