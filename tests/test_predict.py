"""The command line's contract: columns, JSON lines, exit codes, folders, links, bad files."""

from __future__ import annotations

import csv
import io
import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from src.utils import predict
from src.utils.datasets import BETTER_DETECTOR, DEMONSTRATION
from src.utils.environment import quiet_start
from src.utils.models.bundle.bundle import save_bundle
from src.utils.models.bundle.calibration import write_calibration
from src.utils.models.bundle.predictor import COLUMNS, Predictor
from src.utils.predict import main
from src.utils.settings import CLASS_NAMES
from tests.models.calibrations import POLICY, wide_table
from tests.models.tiny import build_tiny

RECORD = ("It missed 5 of 9 pictures.", "It called 1 of 9 AI.")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    bundle = save_bundle(folder, build_tiny(), {"demonstration": True})
    write_calibration(
        folder, bundle.served_files, wide_table(), POLICY, track_record={"sentences": list(RECORD)}
    )
    return str(folder)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Three pictures at different depths, among files that are none."""
    folder = tmp_path / "pictures"
    (folder / "deep" / "er").mkdir(parents=True)
    for index, name in enumerate(["b.png", "A.JPG", "deep/er/c.webp"]):
        pixels = np.random.default_rng(index).integers(0, 256, (30, 20, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def read_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_picture_gives_a_row_with_the_contracts_columns(model: str, pictures: Path, capsys) -> None:
    code, out, err = run(capsys, "--model", model, pictures / "b.png")
    assert code == 0 and out.splitlines()[0] == (
        "file,label,probability_ai,probability_low,probability_high,confidence,verdict,lean,reason,error"
    )
    (row,) = read_rows(out)
    probability = float(row["probability_ai"])
    assert row["file"] == str(pictures / "b.png") and row["error"] == ""
    assert row["label"] == CLASS_NAMES[probability >= 0.5]
    assert float(row["confidence"]) == pytest.approx(100 * max(probability, 1 - probability), abs=1e-3)
    assert float(row["probability_low"]) < probability < float(row["probability_high"])
    assert (row["verdict"] == "Uncertain") == bool(row["reason"])
    assert [line for line in err.splitlines() if line in RECORD] == list(RECORD)
    assert {DEMONSTRATION, BETTER_DETECTOR} <= set(err.splitlines()) and "uncalibrated" not in err


def test_an_uncalibrated_model_says_so(tmp_path: Path, pictures: Path, capsys) -> None:
    save_bundle(tmp_path / "tiny", build_tiny(), {})
    code, out, err = run(capsys, "--model", tmp_path / "tiny", pictures / "b.png")
    (row,) = read_rows(out)
    assert (row["probability_low"], row["lean"]) == ("", "none")
    assert (code, row["verdict"]) == (0, "Uncertain") and row["reason"].startswith("uncalibrated")
    assert "notebook 10" in err and "demonstration" not in err


def test_command_line_and_predictor_agree(model: str, pictures: Path, capsys) -> None:
    _, out, _ = run(capsys, "--model", model, "--json", pictures / "b.png")
    predictor = Predictor.load(Path(model))
    pixels = predictor.read(pictures / "b.png")
    row = predictor.row(str(pictures / "b.png"), predictor.predict_pixels(pixels[np.newaxis])[0])
    assert json.loads(out) == row | {"track_record": list(RECORD)}


def test_folders_are_read_recursively_and_several_paths_in_order(model: str, pictures: Path, capsys) -> None:
    code, out, err = run(capsys, "--model", model, pictures / "b.png", pictures)
    names = ["b.png", "A.JPG", "b.png", "deep/er/c.webp"]
    assert code == 0 and [row["file"] for row in read_rows(out)] == [str(pictures / name) for name in names]
    assert "4/4" in err  # the progress bar


def test_json_is_one_object_a_line_and_failures_are_rows(model: str, pictures: Path, capsys) -> None:
    code, out, err = run(capsys, "--json", "--model", model, pictures, pictures / "notes.txt", "absent.jpg")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1 and len(rows) == 5 and all(tuple(row) == (*COLUMNS, "track_record") for row in rows)
    assert all(row["track_record"] == list(RECORD) for row in rows) and RECORD[0] not in err
    assert [row["error"] == "" for row in rows] == [True, True, True, False, False]
    assert rows[3]["probability_ai"] is None and "text" in rows[3]["error"]
    assert "2 of 5 could not be read" in err


def test_csv_goes_to_a_file(model: str, pictures: Path, tmp_path: Path, capsys) -> None:
    code, out, _ = run(
        capsys, "--csv", tmp_path / "out" / "rows.csv", "--model", model, pictures, "absent.jpg"
    )
    assert code == 1 and out == ""
    rows = read_rows((tmp_path / "out" / "rows.csv").read_text())
    assert [bool(row["error"]) for row in rows] == [False, False, False, True] and rows[3]["label"] == ""


def test_a_folder_without_pictures_is_said(model: str, tmp_path: Path, capsys) -> None:
    code, out, _ = run(capsys, "--model", model, tmp_path)
    (row,) = read_rows(out)
    assert code == 1 and "folder without pictures" in row["error"]


def test_what_a_folder_holds_besides_is_said_once_and_ends_nothing(
    model: str, pictures: Path, capsys
) -> None:
    (pictures / "loop.jpg").symlink_to("loop.jpg")
    (pictures / "again").symlink_to(".")
    os.mkfifo(pictures / "pipe.png")
    (pictures / "phone.heic").touch()
    code, out, err = run(capsys, "--model", model, pictures)
    assert code == 0 and [Path(row["file"]).name for row in read_rows(out)] == ["A.JPG", "b.png", "c.webp"]
    assert (
        "Left out: HEIC (1), .txt (1), links that lead nowhere (1), links to folders listed already (1), "
        "pipes, sockets and devices (1). To read HEIC, save it as PNG first" in err
    )


def test_arguments_that_are_no_pictures_are_rows(model: str, pictures: Path, tmp_path: Path, capsys) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop").symlink_to("loop")
    odd = ["", tmp_path / "pipe.png", tmp_path / "loop", "x" * 5000, "/dev/zero"]
    code, out, _ = run(capsys, "--model", model, *odd, pictures / "b.png")
    rows = read_rows(out)
    assert code == 1 and [row["file"] for row in rows] == [str(name) for name in [*odd, pictures / "b.png"]]
    for row, words in zip(rows, ["empty", "pipe", "symbolic links", "too long", "device", ""], strict=True):
        assert words in row["error"] and bool(words) == bool(row["error"])


def test_one_picture_comes_from_standard_input(
    model: str, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=(pictures / "b.png").open("rb")))
    code, out, _ = run(capsys, "--model", model, "-", pictures / "b.png", "-")
    piped, file, again = read_rows(out)
    assert code == 1 and piped["file"] == "-" and piped["probability_ai"] == file["probability_ai"]
    assert "is empty" in again["error"]


def test_a_list_names_pictures(model: str, pictures: Path, tmp_path: Path, capsys) -> None:
    odd = pictures / " two  spaces and \udcff.png"
    (pictures / "b.png").rename(odd)
    lines = [os.fsencode(odd), b"", os.fsencode(pictures / "deep") + b"\r", b"gone.png", b"nul\0.png"]
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf" + b"\n".join(lines))
    code, out, _ = run(capsys, "--json", "--model", model, f"@{tmp_path / 'list.txt'}")
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [row["file"] for row in rows] == [
        str(odd),
        str(pictures / "deep/er/c.webp"),
        "gone.png",
        "nul\0.png",
    ]
    assert [bool(row["error"]) for row in rows] == [False, False, True, True]


def test_a_list_that_is_none_is_a_row(
    model: str, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty.txt").touch()
    os.mkfifo("pipe.txt")
    (pictures / "b.png").rename("@b.png")
    code, out, _ = run(capsys, "--model", model, "@gone.txt", "@empty.txt", "@pipe.txt", "@", "@b.png")
    rows = read_rows(out)
    assert code == 1 and [row["file"] for row in rows] == [
        "@gone.txt",
        "@empty.txt",
        "@pipe.txt",
        "@",
        "@b.png",
    ]
    expected = [
        "gone.txt does not exist",
        "empty.txt names nothing",
        "pipe.txt is not a file",
        "is not a file",
    ]
    assert all(words in row["error"] for words, row in zip(expected, rows, strict=False))
    assert rows[-1]["error"] == ""  # a file really called so


def test_links_are_fetched_and_refusals_are_rows(
    model: str, pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    refused, out, _ = run(capsys, "--model", model, "http://127.0.0.1/x.png")
    assert refused == 1 and "private" in read_rows(out)[0]["error"]
    picture = SimpleNamespace(data=(pictures / "b.png").read_bytes())
    monkeypatch.setattr(predict, "fetch_image", lambda url: picture)
    fetched, out, _ = run(capsys, "--model", model, "https://example.org/b", pictures / "b.png")
    link, file = read_rows(out)
    assert fetched == 0 and link["file"] == "https://example.org/b"
    assert link["probability_ai"] == file["probability_ai"]


def test_before_any_training_it_says_what_to_run(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    no_project = SimpleNamespace(from_env=lambda: SimpleNamespace(models_dir=tmp_path / "models"))
    monkeypatch.setattr(predict, "Settings", no_project)
    code, out, err = run(capsys, pictures)
    assert (code, out) == (2, "") and "make reproduce" in err
    code, _, err = run(capsys, "--model", tmp_path / "absent", pictures)
    assert code == 2 and str(tmp_path / "absent") in err


@pytest.mark.parametrize("arguments", [[], ["--json", "--csv", "x", "y"], ["--nonsense", "y"]])
def test_wrong_usage_is_two(arguments: list[str], capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(arguments)
    assert stop.value.code == 2 and "usage:" in capsys.readouterr().err


def test_help_names_the_columns_and_exit_codes(capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0 and ", ".join(COLUMNS) in text and "Exit code" in text


def test_quiet_start_hides_native_notes_but_not_failures(capfd: pytest.CaptureFixture[str]) -> None:
    with quiet_start():
        os.write(2, b"a note\n")
    with pytest.raises(ImportError), quiet_start():
        os.write(2, b"a reason\n")
        raise ImportError
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "a reason\nafter\n"
