"""Several machines, as processes in folders of their own: the answers of one, whatever dies on the way."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import numpy as np
import pandas as pd
import pytest
from botocore.client import BaseClient
from moto.server import ThreadedMotoServer

from src.utils import predict
from src.utils.data import cluster as several
from src.utils.data.machines import compute_values, in_order
from src.utils.data.manifest import scan_images
from src.utils.data.pictures.pixel_cache import open_pixel_cache
from src.utils.data.remembered import compute_once
from src.utils.judge.asking import ask_detector
from src.utils.judge.detectors.load import load_bundle_detector
from src.utils.models.encoder.features import encode_pictures
from src.utils.settings import PROJECT_ROOT, UserError
from tests.data.cluster_processes import Cluster
from tests.data.made_pictures import make_images
from tests.models.s3_server import make_bundle
from tests.models.tiny_encoder import load_tiny

PICTURES = 150
"""More than two parts."""


BUCKET = "pictures-of-mine"


@pytest.fixture(scope="module")
def bucket() -> Iterator[BaseClient]:
    """An S3 server on this machine with an empty bucket, which this process and its workers are told of."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "an-id",
            "AWS_SECRET_ACCESS_KEY": "a-key",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ALLOW_HTTP": "true",
        }.items():
            patch.setenv(name, value)
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client
    server.stop()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory, bucket: BaseClient) -> Iterator[Cluster]:
    """A scheduler and two workers that nothing happens to."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as processes:
        processes.start_scheduler()
        processes.start_worker("one")
        processes.start_worker("two", {"SLOW": "1"})
        yield processes


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    folder = tmp_path_factory.mktemp("shared")
    return folder, make_images(folder, PICTURES)


@pytest.fixture
def here_and_there(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Callable[[str], object]], list]:
    """Calls something on one machine and on several, and gives both results."""

    def both(call: Callable[[str], object]) -> list:
        monkeypatch.delenv("SCHEDULER", raising=False)
        here = call("here")
        monkeypatch.setenv("SCHEDULER", cluster.address)
        return [here, call("there")]

    return both


def test_a_scan_is_the_same(here_and_there, pictures, tmp_path: Path) -> None:
    raw_dir, images = pictures
    table = pd.concat(
        [images[["file_name", "label"]], pd.DataFrame({"file_name": ["gone.png"], "label": [0]})]
    )
    here, there = here_and_there(lambda place: scan_images(raw_dir, table, tmp_path / place, progress=False))
    pd.testing.assert_frame_equal(here, there)
    assert there["readable"].sum() == PICTURES and there["reason"].iloc[-1] == "missing"


def test_cached_pixels_are_the_same(here_and_there, pictures, tmp_path: Path) -> None:
    raw_dir, images = pictures
    here, there = here_and_there(
        lambda place: open_pixel_cache(images, raw_dir, tmp_path / place, 16, progress=False)
    )
    rows = np.arange(PICTURES)
    assert here.gather(rows).tobytes() == there.gather(rows).tobytes()
    assert here.path.stat().st_size == there.path.stat().st_size == PICTURES * 16 * 16 * 3  # nothing twice


def test_features_are_the_same_and_the_encoder_is_sent_once(
    here_and_there, cluster: Cluster, pictures, tmp_path: Path
) -> None:
    raw_dir, images = pictures
    encoder = load_tiny(tmp_path)
    for view in ("whole", "damaged"):
        here, there = here_and_there(
            lambda place: encode_pictures(encoder, images, raw_dir, tmp_path / place, view, False)  # noqa: B023
        )
        assert all(here[name].tobytes() == there[name].tobytes() for name in here)
    for name in ("one", "two"):
        (sent,) = (cluster.folder / name).rglob("tiny.onnx")
        assert sent.read_bytes() == encoder.path.read_bytes()


def test_a_detectors_answers_are_the_same(here_and_there, pictures, tmp_path: Path) -> None:
    raw_dir, images = pictures
    make_bundle(tmp_path / "best")
    detector = load_bundle_detector(tmp_path / "best")
    ways = {"as_it_is": None, "darker": lambda image: image.point(lambda value: value // 2)}
    here, there = here_and_there(
        lambda place: ask_detector(detector, images, raw_dir, tmp_path / place, ways, progress=False)
    )
    assert all(here[name].tobytes() == there[name].tobytes() for name in ways)
    assert len(set(there["as_it_is"])) > PICTURES / 2 and (there["darker"] != there["as_it_is"]).all()


def test_predictions_are_the_same_with_their_bad_pictures(
    here_and_there, pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_dir, _ = pictures
    make_bundle(tmp_path / "best")
    (tmp_path / "bad.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)  # where the workers are not

    def call(place: str) -> tuple[int, bytes]:
        names = [str(raw_dir), "bad.png", "gone \udcff.png"]
        code = predict.main(["--model", "best", "--csv", f"{place}.csv", *names])
        return code, Path(f"{place}.csv").read_bytes()

    here, there = here_and_there(call)
    assert here == there and here[0] == 1
    lines = there[1].splitlines()
    assert len(lines) == 1 + PICTURES + 2 and b"bad.png is plain text" in lines[-2]
    assert not list(tmp_path.glob("*.unfinished"))


def test_pictures_in_a_bucket_are_the_same(
    here_and_there, bucket: BaseClient, pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw_dir, images = pictures
    make_bundle(tmp_path / "best")
    names = images["file_name"][:3]
    for name in names:
        bucket.upload_file(str(raw_dir / name), BUCKET, f"all/{name}")
    bucket.put_object(Bucket=BUCKET, Key="all/notes.txt", Body=b"no picture")
    bucket.put_object(Bucket=BUCKET, Key="all/z.png", Body=b"no picture")
    bucket.put_object(Bucket=BUCKET, Key="allotment/other.png", Body=b"elsewhere")
    monkeypatch.chdir(tmp_path)

    def call(place: str) -> list[str]:
        addresses = [f"s3://{BUCKET}/all/", f"s3://{BUCKET}/gone.png"]
        assert predict.main(["--model", "best", "--csv", f"{place}.csv", *addresses]) == 1
        return Path(f"{place}.csv").read_text().splitlines()[1:]

    here, there = here_and_there(call)
    assert here == there
    assert [line.split(",")[0] for line in there] == [
        *(f"s3://{BUCKET}/all/{name}" for name in sorted(names)),
        f"s3://{BUCKET}/all/z.png",
        f"s3://{BUCKET}/gone.png",
    ]
    assert "is plain text" in there[-2] and "does not exist" in there[-1]
    local = [str(raw_dir / name) for name in sorted(names)]
    monkeypatch.delenv("SCHEDULER")
    assert predict.main(["--model", "best", "--csv", "local.csv", *local]) == 0
    answers = [line.split(",", 1)[1] for line in Path("local.csv").read_text().splitlines()[1:]]
    assert answers == [line.split(",", 1)[1] for line in there[:3]]


def test_a_slow_worker_holds_nothing_up(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER", cluster.address)

    def name_worker(items: list[int]) -> Iterator[tuple[int, bool]]:
        slow = "SLOW" in os.environ
        time.sleep(1.5 if slow else 0.01)
        return ((item, slow) for item in items)

    answers = list(in_order(compute_values(name_worker, range(20 * several.PART))))
    assert [item for item, _ in answers] == list(range(20 * several.PART))
    assert sum(slow for _, slow in answers) < 10 * several.PART


def test_what_fails_ends_the_run_after_what_came_before(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULER", cluster.address)
    keys = [str(number) for number in range(10)]
    mended = tmp_path / "mended"

    def halve(positions: list[int]) -> Iterator[float]:
        (tmp_path / f"asked for {positions[0]}").touch()
        for position in positions:
            if position == 5 and not mended.exists():
                raise UserError("picture 5 is damaged: mend it.")
            yield position / 2

    with pytest.raises(UserError, match=r"^picture 5 is damaged: mend it\.$"):
        list(compute_once(tmp_path / "kept.sqlite", "v", keys, halve, "Halving", progress=False))
    mended.touch()
    values = list(compute_once(tmp_path / "kept.sqlite", "v", keys, halve, "Halving", progress=False))
    assert values == [number / 2 for number in range(10)]
    assert {path.name for path in tmp_path.glob("asked*")} == {"asked for 0", "asked for 5"}


def test_a_worker_with_other_packages_is_refused(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER", cluster.address)
    other = several.describe_environment() | {"pillow": "1.0"}
    monkeypatch.setattr(several, "describe_environment", lambda: other)
    with pytest.raises(UserError, match=r"has pillow [\d.]+, not 1\.0: bring both"):
        list(compute_values(list, [1]))


def test_what_cannot_be_sent_is_said(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULER", cluster.address)
    lock = threading.Lock()
    with pytest.raises(UserError, match="cannot be sent to other machines"):
        list(compute_values(lambda items: [lock for _ in items], [1]))


def test_a_worker_is_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = 12 * several.PART
    with Cluster(tmp_path) as processes:
        processes.start_scheduler()
        processes.start_worker("one")
        processes.start_worker("two")
        monkeypatch.setenv("SCHEDULER", processes.address)
        values: list[tuple[int, int]] = []
        for one in compute_values(square_slowly, range(total)):
            values.append(one)
            if len(values) == 4 * several.PART:
                processes.kill("two")
    assert sorted(values) == [(number, number * number) for number in range(total)]


def test_the_scheduler_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = 12 * several.PART
    with Cluster(tmp_path) as processes:
        processes.start_scheduler()
        processes.start_worker("one")
        monkeypatch.setenv("SCHEDULER", processes.address)
        values: list[tuple[int, int]] = []
        for one in compute_values(square_slowly, range(total)):
            values.append(one)
            if len(values) == 4 * several.PART:
                processes.kill("scheduler")
                processes.start_scheduler()
                processes.start_worker("two")  # a worker leaves with its scheduler
    assert sorted(values) == [(number, number * number) for number in range(total)]


def test_a_picture_that_ends_its_workers_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    with Cluster(tmp_path) as processes:
        processes.start_scheduler()
        processes.start_worker("one")
        monkeypatch.setenv("SCHEDULER", processes.address)
        with pytest.raises(UserError, match=r"Workers died on the items from a\.png to b\.png, 1 in a row"):
            list(compute_values(lambda items: os.kill(os.getpid(), 9), ["a.png", "b.png"]))  # type: ignore[arg-type]


def square_slowly(items: list[int]) -> Iterator[int]:
    for item in items:
        time.sleep(0.003)
        yield item * item


@pytest.mark.parametrize(
    ("address", "words"),
    [("tcp://127.0.0.1:1", "does not answer"), ("127.0.0.1:8786", "is no address"), ("a b", "is no address")],
)
def test_a_scheduler_that_is_none(address: str, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(several, "CONNECT_SECONDS", 0.2)
    monkeypatch.setenv("SCHEDULER", address)
    with pytest.raises(UserError, match=words):
        list(compute_values(list, [1]))


def test_without_the_engine_one_sentence_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name="distributed")

    monkeypatch.setattr(importlib, "import_module", missing)
    monkeypatch.setenv("SCHEDULER", "tcp://127.0.0.1:1")
    with pytest.raises(UserError, match=r"distributed is not installed: run .*\[cluster\]"):
        list(compute_values(list, [1]))


def test_without_a_scheduler_the_engine_is_not_imported() -> None:
    code = (
        "import sys; from src.utils import predict; from src.utils.data.machines import compute_values\n"
        "assert list(compute_values(lambda items: map(str, items), [1, 2])) == [(0, '1'), (1, '2')]\n"
        "assert not {'distributed', 'dask', 'cloudpickle', 'src.utils.data.cluster'} & set(sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "SCHEDULER"}
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT_ROOT, env=environment, check=True)
