"""Stores of known capabilities."""

from __future__ import annotations

from hashmark.s3.store_capabilities import SUPPORTED, UNKNOWN, StoreCapabilities


def store_that(*, trusted: bool, checked: bool = True) -> StoreCapabilities:
    """A store whose ETags are known to be made of MD5s, or may yet show it; `checked`: it compares checksums."""
    etags = SUPPORTED if trusted else UNKNOWN
    return StoreCapabilities(
        etag_md5=etags,
        etag_multipart=etags,
        etag_part_copy=SUPPORTED,
        exact_listing=SUPPORTED,
        checksum=SUPPORTED if checked else UNKNOWN,
    )
