"""What one visitor may ask of the app, from the environment."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from src.utils.data.pictures.decode import SENT_PIXELS, WHOLE_PIXELS
from src.utils.settings import UserError

MEGA = 1_000_000


@dataclass(frozen=True)
class Limits:
    """Bounds for requests; each can be set by an environment variable of a deployment.

    Attributes:
        file_bytes: Largest picture (MAX_FILE_MB).
        request_bytes: Largest request, all its pictures together (MAX_REQUEST_MB).
        pixels: Largest width × height, checked before decoding (MAX_MEGAPIXELS); `whole_pixels` for what
            cannot be decoded smaller than it is.
        files: Pictures in one request (MAX_FILES).
        per_minute: Pictures a minute from one address, in each process (RATE_PER_MINUTE).
        proxies: Reverse proxies in front of the app, whose word on the visitor's address, on https and on
            the path's prefix counts (TRUSTED_PROXIES; 1 on Heroku).
        uploads_bytes: All requests together that are arriving or being answered, in each process
            (MAX_UPLOADS_MB); kept by `receiving`, beyond it larger ones are asked to come again.
    """

    file_bytes: int = 20 * MEGA
    request_bytes: int = 60 * MEGA
    pixels: int = SENT_PIXELS
    files: int = 20
    per_minute: int = 120
    proxies: int = 0
    uploads_bytes: int = 120 * MEGA

    @property
    def whole_pixels(self) -> int:
        """Largest width × height of a picture that has to be decoded whole: any but a JPEG."""
        return min(self.pixels, WHOLE_PIXELS)

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Limits:
        """Read the limits; what is not set, or empty, keeps its default.

        Args:
            env: Variables by name; the process's own by default.

        Raises:
            UserError: A value is not a whole number of at least 1 (TRUSTED_PROXIES: 0).
        """
        env = os.environ if env is None else env

        def number(name: str, default: int, lowest: int = 1) -> int:
            value = env.get(name) or str(default)
            if not value.isdecimal() or int(value) < lowest:
                raise UserError(f"{name}={value} is not a whole number of at least {lowest}.")
            return int(value)

        return cls(
            file_bytes=number("MAX_FILE_MB", cls.file_bytes // MEGA) * MEGA,
            request_bytes=number("MAX_REQUEST_MB", cls.request_bytes // MEGA) * MEGA,
            pixels=number("MAX_MEGAPIXELS", cls.pixels // MEGA) * MEGA,
            files=number("MAX_FILES", cls.files),
            per_minute=number("RATE_PER_MINUTE", cls.per_minute),
            proxies=number("TRUSTED_PROXIES", cls.proxies, lowest=0),
            uploads_bytes=number("MAX_UPLOADS_MB", cls.uploads_bytes // MEGA) * MEGA,
        )
