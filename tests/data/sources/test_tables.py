from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from src.utils.data.sources.labelled_folder import read_labelled_folder
from src.utils.data.sources.tables import FileFinder, column_name, read_table
from src.utils.settings import UserError


@pytest.fixture
def pictures(tmp_path):
    """A folder with four pictures, two of them of one name."""
    for name in ("a/1.jpg", "b/1.jpg", "a/2.png", "b/3.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def labels(folder, text: str, name: str = "labels.csv", **options) -> dict[str, int]:
    (folder / name).write_text(text, encoding="utf-8")
    rows, _ = read_labelled_folder(folder, **options)
    return {row["path"]: int(row["label"]) for row in rows}


def notes(folder, text: str, **options) -> list[str]:
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    return read_labelled_folder(folder, **options)[1]


class TestReading:
    @pytest.mark.parametrize(
        ("content", "form"),
        [
            (b"file,label\nx y,1\n", ""),
            (b"\xef\xbb\xbfFILE;Label\r\nx y;1\r\n", "semicolons"),
            ("File\tlabel\r\nx y\t1\r\n".encode("utf-16-le"), None),
            ("File\tlabel\r\nx y\t1\r\n".encode("utf-16"), "tabs, UTF-16"),
            (b'"file"|"label"\n"x y"|1', "bars"),
        ],
    )
    def test_separators_and_encodings(self, tmp_path, content, form):
        (tmp_path / "t.csv").write_bytes(content)
        if form is None:  # UTF-16 without its mark cannot be told
            assert not read_table(tmp_path / "t.csv").has(["label"])
            return
        table = read_table(tmp_path / "t.csv")
        assert table.rows == [{"file": "x y", "label": "1"}]
        assert table.form == form

    def test_json_lines(self, tmp_path):
        (tmp_path / "t.jsonl").write_text(
            '{"file_name": "a", "Label": 1}\n\n{"file_name": "b", "more": [1]}\n'
        )
        assert read_table(tmp_path / "t.jsonl").rows == [
            {"file_name": "a", "label": "1", "more": ""},
            {"file_name": "b", "label": "", "more": "[1]"},
        ]

    @pytest.mark.parametrize("line", ["[1]", "{", "1", "nul"])
    def test_a_broken_json_line_is_named(self, tmp_path, line):
        (tmp_path / "t.jsonl").write_text(f'{{"file_name": "a", "label": 1}}\n{line}\n')
        with pytest.raises(UserError, match=r"t\.jsonl, row 1 \(line 2\) is no JSON object"):
            read_table(tmp_path / "t.jsonl")

    def test_column_names(self):
        assert {column_name(name) for name in ("image_path", " Image Path ", "IMAGE-PATH")} == {"image_path"}


class TestColumns:
    def test_the_one_that_is_understood_is_taken(self, pictures):
        text = "id,file,class,generated\n7,a/1.jpg,cat,0\n8,a/2.png,dog,1\n"
        assert labels(pictures, text) == {"a/1.jpg": 0, "a/2.png": 1}

    def test_two_that_agree_are_one(self, pictures):
        text = "filename,image_path,label,class\n2.png,a/2.png,1,fake\n3.png,b/3.png,0,real\n"
        assert labels(pictures, text) == {"a/2.png": 1, "b/3.png": 0}

    def test_two_that_contradict_each_other_are_named(self, pictures):
        with pytest.raises(UserError) as caught:
            labels(pictures, "file,label,target\na/1.jpg,0,0\na/2.png,1,0\n")
        assert "row 1 (line 3): column 'label' says '1' and column 'target' says '0'" in str(caught.value)
        assert "rename the one that is not 'label'" in str(caught.value)

    def test_true_is_no_class_unless_the_column_asks(self, pictures):
        with pytest.raises(UserError, match=r"column 'label' says 'true', which is no class \(2 of 2 rows\)"):
            labels(pictures, "file,label\na/1.jpg,true\na/2.png,false\n")
        assert labels(pictures, "file,is_ai\na/1.jpg,true\na/2.png,FALSE\n") == {"a/1.jpg": 1, "a/2.png": 0}

    def test_other_labels_are_listed_to_be_completed(self, pictures):
        text = "file,label\na/1.jpg,laion\na/2.png,sdxl\nb/3.png,unsure\n"
        with pytest.raises(UserError, match=r"complete CLASSES='laion=\?,sdxl=\?,unsure=\?'"):
            labels(pictures, text)
        classes = "laion=human,sdxl=ai,unsure=skip"
        assert labels(pictures, text, classes=classes) == {"a/1.jpg": 0, "a/2.png": 1}
        assert "Rows left out because CLASSES says skip: 1." in notes(pictures, text, classes=classes)

    def test_numbers_that_mean_the_opposite_or_more(self, pictures):
        text = "file,label\na/1.jpg,1\na/2.png,0\nb/3.png,2.5\n"
        said = labels(pictures, text, classes="0=ai,1=human,2.5=ai")
        assert said == {"a/1.jpg": 0, "a/2.png": 1, "b/3.png": 1}

    def test_what_was_understood_is_one_line(self, pictures):
        said = notes(pictures, "File;Target;generator;split\na/1.jpg;real;;val\na/2.png;fake;flux;test\n")
        assert said[0] == (
            "Understood: labels.csv, pictures from 'file' and classes from 'target', semicolons (fake is "
            "AI-generated: 1, real is human-made: 1): 1 human-made and 1 AI-generated pictures; generators "
            "flux (1); own split (for SPLIT=own) validation (1), test (1)."
        )
        assert said[1] == "Pictures left out, which no row names or CLASSES skips: 2, first b/1.jpg."


class TestNames:
    @pytest.mark.parametrize(
        ("written", "fits"),
        [
            ("a/1.jpg", ["a/1.jpg"]),
            ("./a//1.jpg", ["a/1.jpg"]),
            ("a\\1", ["a/1.jpg"]),
            ("1.jpg", ["a/1.jpg", "b/1.jpg"]),
            ("2", ["a/2.png"]),
            ("c/2.png", []),
            ("2.jpg", []),
            ("", []),
            ("../2.png", []),
        ],
    )
    def test_a_name_fits_the_files_that_end_with_it(self, written, fits):
        finder = FileFinder(["a/1.jpg", "b/1.jpg", "a/2.png", "b/3.png"])
        assert finder.all([written, "other/root"])[0] == fits

    def test_only_a_root_that_all_share_is_taken_off(self):
        finder = FileFinder(["a/1.jpg", "b/2.jpg", "b/3.jpg"])
        assert finder.all(["/x/a/1.jpg", "/x/b/2.jpg"]) == [["a/1.jpg"], ["b/2.jpg"]]
        assert finder.all(["human/3.jpg", "ai/2.jpg"]) == [[], []]

    def test_several_fitting_files_are_named(self, pictures):
        with pytest.raises(
            UserError, match=r"says '1', which fits 2 files \(a/1\.jpg, b/1\.jpg\): write the fo"
        ):
            labels(pictures, "id,label\n1,0\n2,1\n")

    @settings(deadline=None)
    @given(
        st.sets(st.text("ab1./", min_size=1, max_size=6), max_size=6),
        st.lists(st.text("ab1./\\ ", max_size=8), min_size=1, max_size=4),
    )
    def test_whatever_is_written_only_files_that_are_there_are_found(self, files, names):
        found = FileFinder(files).all(names)
        assert len(found) == len(names)
        assert all(set(fit) <= files for fit in found)
        assert all(fit == [name] for name, fit in zip(names, found, strict=True) if name in files)


class TestRows:
    def test_the_same_row_twice_counts_once(self, pictures):
        text = "file,label\na/1.jpg,0\na/2.png,1\n./a/1.jpg,human\n"
        assert labels(pictures, text) == {"a/1.jpg": 0, "a/2.png": 1}
        assert notes(pictures, text)[1].endswith("says the same of the same picture: 1.")

    def test_two_labels_are_an_error(self, pictures):
        with pytest.raises(
            UserError, match=r"row 2 \(line 4\): a/1\.jpg is already named in row 0 with label 0"
        ):
            labels(pictures, "file,label\na/1.jpg,0\na/2.png,1\na/1.jpg,1\n")

    def test_absent_pictures_stop_or_are_skipped_and_counted(self, pictures):
        text = "file,label\na/1.jpg,0\na/2.png,1\nc/9.png,1\n"
        with pytest.raises(UserError) as caught:
            labels(pictures, text)
        assert "row 2 (line 4): column 'file' says 'c/9.png', which is not in" in str(caught.value)
        assert "(1 of 3 are not)" in str(caught.value) and "MISSING=skip" in str(caught.value)
        assert labels(pictures, text, skip_missing=True) == {"a/1.jpg": 0, "a/2.png": 1}
        assert notes(pictures, text, skip_missing=True)[1].startswith(
            "Rows left out because their picture is "
        )

    def test_a_split_of_another_kind_is_named(self, pictures):
        with pytest.raises(UserError, match=r"row 0 \(line 2\): column 'split' says 'fold 3'"):
            labels(pictures, "file,label,split\na/1.jpg,0,fold 3\na/2.png,1,\n")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["metadata.jsonl", "a/metadata.csv", "b/metadata.jsonl"]),
    st.binary(max_size=80)
    | st.text(max_size=40).map(lambda text: b"\xff\xfe" + f"id\tlabel\n{text}".encode("utf-16-le"))
    | st.dictionaries(st.sampled_from(["id", "label", "split"]), st.text() | st.integers() | st.none()).map(
        lambda row: json.dumps(row).encode()
    ),
)
def test_any_table_is_read_or_explained(pictures, name, content):
    for old in pictures.rglob("metadata.*"):
        old.unlink()
    (pictures / name).write_bytes(content)
    with pytest.raises(UserError):  # no table gives both classes
        read_labelled_folder(pictures)


def test_tables_called_like_parts_of_a_split_are_read_together(pictures):
    (pictures / "test.csv").write_text("file_name,label\nb/1.jpg,1\nb/3.png,0\n")
    (pictures / "train.csv").write_text("file_name,label\na/1.jpg,1\na/2.png,0\n")
    rows, _ = read_labelled_folder(pictures)
    assert {row["path"]: row["split"] for row in rows} == {
        "a/1.jpg": "train",
        "a/2.png": "train",
        "b/1.jpg": "test",
        "b/3.png": "test",
    }
