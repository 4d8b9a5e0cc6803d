"""Upload a model to S3, where servers fetch it: `python -m src.utils.models.store.publish_model [MODEL]`.

The files come first, under a name that says what they contain, and the pointer to them last: a server that
starts meanwhile gets the old model or the new one.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from src.utils.environment import read_dotenv
from src.utils.models.bundle.bundle import MODEL_FILE, Bundle, default_bundle_dir, load_bundle
from src.utils.models.detectors.kept import find_model
from src.utils.models.store.bucket import (
    DEFAULT_PREFIX,
    POINTER_FILE,
    ModelStore,
    describe_bundle,
    explaining,
    open_client,
)
from src.utils.settings import Settings, UserError

if TYPE_CHECKING:
    from botocore.client import BaseClient

TRIES = 4
_ABSENT = ("NoSuchKey", "AccessDenied", "403", "404")
"""How stores say that an object is not there; Amazon's denies it to keys that may not list the bucket."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: Without the program's name; the process's own by default.

    Returns:
        Exit code: 0 if servers can fetch the model now, 2 if not.
    """
    parser = argparse.ArgumentParser(
        prog="python -m src.utils.models.store.publish_model",
        description="Upload a model to S3, where servers fetch it.",
    )
    parser.add_argument(
        "model",
        nargs="?",
        help="a folder below models/, or a detector of detectors.toml; by default the dataset's best model",
    )
    options = parser.parse_args(arguments)
    read_dotenv()
    try:
        store = ModelStore.from_env()
        if store is None:
            raise UserError("S3_BUCKET_NAME is not set: name the bucket, in the environment or in .env.")
        folder = find_model(options.model) if options.model else default_bundle_dir(Settings.from_env())
        bundle = load_bundle(folder.resolve())
        uploaded = publish_model(bundle, store)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(describe_result(bundle, store, uploaded))
    return 0


def publish_model(bundle: Bundle, store: ModelStore, progress: bool = True) -> bool:
    """Upload what serving a bundle needs, unless it is there, and point servers to it.

    Args:
        bundle: Its files are compared with their checksums first.
        store: Where to.
        progress: Whether to show a progress bar.

    Returns:
        Whether anything had to be uploaded.

    Raises:
        UserError: The bundle is incomplete or damaged, or the store refuses or does not answer.
    """
    if "served_files" not in bundle.facts or bundle.served_path.name == MODEL_FILE:
        raise UserError(
            f"{bundle.folder} lacks what a server without TensorFlow needs: run `make reproduce` again."
        )
    pointer = describe_bundle(bundle)
    content = json.dumps(pointer, indent=2).encode()
    client = open_client(store, TRIES)
    published = _look(client.get_object, client, store, store.key(POINTER_FILE))
    is_current = "Body" in published and published["Body"].read() == content
    keys = {name: store.key(pointer["fingerprint"], name) for name in pointer["files"]}
    missing = [
        name
        for name, entry in pointer["files"].items()
        if _look(client.head_object, client, store, keys[name]).get("ContentLength") != entry["bytes"]
    ]
    size = sum(pointer["files"][name]["bytes"] for name in missing)
    with tqdm(
        desc="Uploading", total=size, unit="B", unit_scale=True, disable=not (progress and size)
    ) as bar:
        for name in missing:
            with explaining(store, keys[name]), (bundle.folder / name).open("rb") as file:
                client.upload_fileobj(file, store.bucket, keys[name], Callback=bar.update)
    if not is_current:
        key = store.key(POINTER_FILE)
        with explaining(store, key):
            client.put_object(Bucket=store.bucket, Key=key, Body=content, ContentType="application/json")
    return bool(missing) or not is_current


def _look(
    ask: Callable[..., dict[str, Any]], client: BaseClient, store: ModelStore, key: str
) -> dict[str, Any]:
    """Ask for an object; an empty answer if it is not there."""
    with explaining(store, key):
        try:
            return ask(Bucket=store.bucket, Key=key)
        except client.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in _ABSENT:
                return {}
            raise


def describe_result(bundle: Bundle, store: ModelStore, uploaded: bool) -> str:
    """Say what was done, and which variables make a server use it."""
    done = (
        f"{bundle.name} is now the model of {store.name}; versions from before stay in the bucket."
        if uploaded
        else f"{bundle.name} is the model of {store.name} already: nothing was uploaded."
    )
    variables = {
        "S3_BUCKET_NAME": store.bucket,
        "S3_PREFIX": "" if store.prefix == DEFAULT_PREFIX else store.prefix,
        "S3_ENDPOINT_URL": store.endpoint,
        "AWS_REGION": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION", ""),
    }
    lines = [f"  {name}={value}" for name, value in variables.items() if value]
    return "\n".join(
        [
            done,
            "A server takes it at its next start, with these variables:",
            *lines,
            "  AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: keys that may read it (s3:GetObject is enough)",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
