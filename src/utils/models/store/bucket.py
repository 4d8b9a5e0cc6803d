"""A model kept in S3, or in any store that speaks its protocol: where it lies and what is asked for it.

Below the prefix lie `<fingerprint>/<file>` for every model that was ever published, and `model.json`, the
pointer: name, fingerprint and each file's checksum of the one to serve. It is written last and read first, so
a reader gets one whole model, never a mixture.

boto3 is imported only when it is needed: half a second, and 22 MB that stay.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from src.utils.files import sha256_bytes, sha256_file
from src.utils.models.bundle.bundle import FACTS_FILE, Bundle
from src.utils.models.bundle.calibration import CALIBRATION_FILE
from src.utils.settings import UserError

if TYPE_CHECKING:
    from botocore.client import BaseClient

SCHEMA = 1
POINTER_FILE = "model.json"
DEFAULT_PREFIX = "human-or-ai"
MAX_BYTES = 2_000_000_000
MAX_POINTER_BYTES = 100_000
CONNECT_SECONDS = 5
READ_SECONDS = 30
"""Longest silence of the store while it answers."""

_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Unreachable(UserError):
    """The store does not answer, or only with trouble of its own; that may pass."""


@dataclass(frozen=True)
class ModelStore:
    """A place for one model in a bucket. Its keys are not kept here but read when they are used.

    Attributes:
        bucket: S3_BUCKET_NAME.
        prefix: S3_PREFIX, what the keys of all its objects begin with.
        endpoint: S3_ENDPOINT_URL, the address of the service; empty for Amazon's own.
        cache: MODEL_CACHE, the folder of this machine where fetched models are kept; empty for one among its
            temporary files.
    """

    bucket: str
    prefix: str = DEFAULT_PREFIX
    endpoint: str = ""
    cache: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> ModelStore | None:
        """Read the variables; an empty one counts as unset.

        Args:
            env: Variables by name; the process's own by default.

        Returns:
            The place, or None if no bucket is named.

        Raises:
            UserError: A variable cannot be meant as it is, or the bucket is missing beside the others.
        """
        env = os.environ if env is None else env
        names = ("S3_BUCKET_NAME", "S3_PREFIX", "S3_ENDPOINT_URL", "MODEL_CACHE")
        bucket, prefix, endpoint, cache = (env.get(name, "").strip() for name in names)
        if not bucket and (prefix or endpoint):
            name = "S3_PREFIX" if prefix else "S3_ENDPOINT_URL"
            raise UserError(f"{name} is set but S3_BUCKET_NAME is not: set the bucket too, or neither.")
        if not bucket:
            return None
        if not re.fullmatch(r"[A-Za-z0-9._-]+", bucket):
            raise UserError("S3_BUCKET_NAME is not a bucket's name: give it alone, without s3:// or a path.")
        _check_endpoint(endpoint)
        cache = cache and str(Path(cache).expanduser().absolute())
        return cls(bucket, (prefix or DEFAULT_PREFIX).strip("/"), endpoint, cache)

    @property
    def name(self) -> str:
        """The place as people write it: `s3://bucket/prefix`, and the service if it is not Amazon's."""
        return self.describe(self.prefix)

    def key(self, *parts: str) -> str:
        """Key of an object below the prefix."""
        return "/".join(filter(None, (self.prefix, *parts)))

    def describe(self, key: str) -> str:
        """An object as people write it."""
        return f"s3://{self.bucket}/{key}" + (f" at {self.endpoint}" if self.endpoint else "")


def _check_endpoint(endpoint: str) -> None:
    try:
        parts = urlsplit(endpoint)
        usable = not endpoint or (parts.scheme in ("http", "https") and parts.hostname and parts.port != 0)
    except ValueError:
        usable = False
    if usable and "@" in parts.netloc:
        raise UserError("S3_ENDPOINT_URL holds a user name: give the keys in AWS_… variables instead.")
    if not usable:
        raise UserError("S3_ENDPOINT_URL is not the address of a service: write it as https://host.")


# --- asking -----------------------------------------------------------------------------------------------


def open_client(store: ModelStore, tries: int = 1) -> BaseClient:
    """A client for a store, with the keys that boto3 finds: AWS_… variables, a profile, the machine's role.

    Args:
        store: The place.
        tries: How often the client sends a request that fails for a reason that may pass.

    Raises:
        UserError: The AWS variables are incomplete or unusable.
    """
    import boto3
    from botocore.config import Config

    def variable(name: str) -> str | None:
        return os.environ.get(name, "").strip() or None  # a pasted key often ends in a line break

    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": tries},
        s3={"addressing_style": "path"} if store.endpoint else None,
        request_checksum_calculation="when_required",  # other stores may not know these; we have our own
        response_checksum_validation="when_required",
    )
    with explaining(store, store.prefix):
        return boto3.client(
            "s3",
            config=config,
            endpoint_url=store.endpoint or None,
            region_name=variable("AWS_REGION") or variable("AWS_DEFAULT_REGION"),
            aws_access_key_id=variable("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=variable("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=variable("AWS_SESSION_TOKEN"),
        )


_REFUSALS = {
    "InvalidAccessKeyId": "the store does not know this AWS_ACCESS_KEY_ID: check it, and S3_ENDPOINT_URL",
    "SignatureDoesNotMatch": "AWS_SECRET_ACCESS_KEY does not belong to AWS_ACCESS_KEY_ID: copy both again",
    "ExpiredToken": "these keys have expired: make new ones, and set AWS_SESSION_TOKEN with them",
    "InvalidToken": "AWS_SESSION_TOKEN is not valid: unset it, or set it with the keys it was made with",
    "AccessDenied": "these keys may not do this, or there is no such object: allow them s3:GetObject (to "
    "publish also s3:PutObject), and check S3_BUCKET_NAME and S3_PREFIX",
    "NoSuchBucket": "there is no such bucket: check S3_BUCKET_NAME, and S3_ENDPOINT_URL if it is set",
    "NoSuchKey": "there is no such object: run `make publish-model`, or check S3_PREFIX",
    "RequestTimeTooSkewed": "the clock of this machine is wrong: set it",
    "AuthorizationHeaderMalformed": "the bucket lies in another region: set AWS_REGION to that one",
    "PermanentRedirect": "the bucket lies in another region: set AWS_REGION to that one",
}
"""What is wrong and what to do, by the code of the refusal."""

_PASSING = ("SlowDown", "RequestTimeout", "TooManyRequests", "Throttling", "ThrottlingException")
"""Codes of refusals that a later request need not meet, beside those with a status from 500 on."""

_TROUBLE = {
    "EndpointConnectionError": "nothing answers there",
    "ConnectTimeoutError": "no answer came in time",
    "ReadTimeoutError": "no answer came in time",
    "SSLError": "no secure connection can be made (is it https there?)",
    "ProxyConnectionError": "the proxy does not lead there",
}
"""What is wrong with the connection, by the exception; the others mean that it broke off."""

_KEYS = {"aws_access_key_id": "AWS_ACCESS_KEY_ID", "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY"}


@contextlib.contextmanager
def explaining(store: ModelStore, key: str) -> Iterator[None]:
    """Turn what boto3 raises into one line that names the object; the original may quote keys and is dropped.

    Raises:
        UserError: The store refuses, or cannot be asked.
        Unreachable: It does not answer, or has trouble of its own.
    """
    from botocore import exceptions as aws

    place = store.describe(key)
    try:
        yield
    except aws.ClientError as error:
        raise _refusal(place, error.response) from None
    except (aws.ConnectionError, aws.HTTPClientError, aws.IncompleteReadError) as error:
        problem = _TROUBLE.get(type(error).__name__, "the connection broke off")
        step = "check S3_ENDPOINT_URL and the network" if store.endpoint else "check the network"
        raise Unreachable(f"{place}: {problem}: {step}.") from None
    except aws.NoCredentialsError:
        problem = "no keys to it were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    except aws.PartialCredentialsError as error:
        name = error.kwargs["cred_var"]
        problem = f"{_KEYS.get(name, name)} is missing: set both it and the other key"
    except (aws.BotoCoreError, ValueError) as error:
        problem = f"it cannot be asked for ({type(error).__name__}): check the S3_… and AWS_… variables"
    else:
        return
    raise UserError(f"{place}: {problem}.")


def _refusal(place: str, response: Mapping[str, Any]) -> UserError:
    code = str(response.get("Error", {}).get("Code", ""))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500 or status == 429 or code in _PASSING:
        return Unreachable(f"{place}: the store has trouble of its own (HTTP {status}): try again later.")
    problem = _REFUSALS.get(code, "the store refuses: check S3_ENDPOINT_URL and the AWS_… variables")
    known = f"{code}, " if code in _REFUSALS or code.isalpha() else ""
    return UserError(f"{place}: {problem} ({known}HTTP {status}).")


# --- the pointer ------------------------------------------------------------------------------------------


def describe_bundle(bundle: Bundle) -> dict[str, Any]:
    """The pointer to a bundle: its facts, its calibration and what serving needs, once all is what was saved.

    Returns:
        `schema`, `name`, `fingerprint` and `files` (name → `sha256` and `bytes`).

    Raises:
        UserError: A file is missing or differs from what was saved, or the folder's name is unusual.
    """
    bundle.check_served_files()
    if not _SAFE_NAME.fullmatch(bundle.name):
        raise UserError(f"{bundle.folder} needs a name of letters, digits, dots, dashes and underscores.")
    measured = [CALIBRATION_FILE] if bundle.calibration else []
    paths = [bundle.folder / name for name in (FACTS_FILE, *measured, *sorted(bundle.served_files))]
    files = {path.name: {"sha256": sha256_file(path), "bytes": path.stat().st_size} for path in paths}
    return {
        "schema": SCHEMA,
        "name": bundle.name,
        "fingerprint": _fingerprint(bundle.name, files),
        "files": files,
    }


def read_pointer(client: BaseClient, store: ModelStore) -> dict[str, Any]:
    """The pointer to the published model.

    Raises:
        UserError: There is none, it may not be read, or it is something else.
        Unreachable: The store does not answer.
    """
    key = store.key(POINTER_FILE)
    with explaining(store, key):
        answer = client.get_object(Bucket=store.bucket, Key=key)
        small = answer.get("ContentLength", MAX_POINTER_BYTES + 1) <= MAX_POINTER_BYTES
        content = answer["Body"].read() if small else b""
    return check_pointer(content, store.describe(key))


def check_pointer(content: bytes, place: str) -> dict[str, Any]:
    """Read a pointer, believing nothing: its names are to become names of files on this machine.

    Args:
        content: What should be its JSON.
        place: Where that comes from, for the error.

    Raises:
        UserError: It is no pointer, or what it announces is too large.
    """
    try:
        pointer = json.loads(content)
        files = pointer["files"]
        sound = (
            pointer["schema"] == SCHEMA
            and FACTS_FILE in files
            and all(_SAFE_NAME.fullmatch(name) for name in (pointer["name"], *files))
            and all(re.fullmatch("[0-9a-f]{64}", entry["sha256"]) for entry in files.values())
            and all(type(entry["bytes"]) is int and 0 < entry["bytes"] < 1 << 60 for entry in files.values())
            and pointer["fingerprint"] == _fingerprint(pointer["name"], files)
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        sound = False
    if not sound:
        raise UserError(
            f"{place} does not describe a model for this version: check S3_PREFIX and S3_ENDPOINT_URL, or "
            "publish again with `make publish-model`."
        )
    if total_bytes(pointer) > MAX_BYTES:
        size = f"{total_bytes(pointer) / 1e9:.1f} GB, more than {MAX_BYTES / 1e9:g} GB"
        raise UserError(f"{place} announces a model of {size}: check that it is yours.")
    return pointer


def total_bytes(pointer: Mapping[str, Any]) -> int:
    """Size of a published model."""
    return sum(entry["bytes"] for entry in pointer["files"].values())


def _fingerprint(name: str, files: Mapping[str, Mapping[str, Any]]) -> str:
    lines = [name, *sorted(f"{entry['sha256']} {file}" for file, entry in files.items())]
    return sha256_bytes("\n".join(lines).encode())[:32]
