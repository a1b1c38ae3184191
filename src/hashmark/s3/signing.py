"""Signs requests (AWS Signature Version 4), so that the store knows who sends them and nobody else can change them.

libcurl can sign too, but it percent-encodes the access key, so that OpenStack Swift refuses keys such as
`account:user`, and it derives the day's key for each request. Where keys come from is not known here.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import time
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit

PAYLOAD = "UNSIGNED-PAYLOAD"
"""Bodies are bound by their Content-MD5, which is among the signed headers."""

_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Signature(NamedTuple):
    """What a request is signed with. Secret: never shown or logged."""

    access_key: str
    secret_key: str
    token: str | None
    region: str
    clock_error_s: float = 0.0
    """By how many seconds the store's clock is ahead of this machine's."""


def signed(
    method: str, url: str, headers: Iterable[tuple[str, str]], signature: Signature, now_s: float | None = None
) -> list[tuple[str, str]]:
    """Return the headers of a request with those that sign it, `Host` included. All of them are signed.

    `url` must be percent-encoded exactly as it is sent, and the names in its query too. `now_s` is the time since the
    epoch; this machine's clock by default. The steps are those of AWS's documentation ("Create a signed AWS API
    request"); S3 neither encodes the path twice nor normalizes it.
    """
    parts = urlsplit(url)
    moment = time.gmtime((time.time() if now_s is None else now_s) + signature.clock_error_s)
    date = time.strftime("%Y%m%dT%H%M%SZ", moment)
    pairs = [
        *headers,
        ("Host", parts.netloc.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))),
        ("x-amz-content-sha256", PAYLOAD),
        ("X-Amz-Date", date),
    ]
    if signature.token:
        pairs.append(("x-amz-security-token", signature.token))
    canonical = sorted((name.lower(), " ".join(value.split())) for name, value in pairs)
    names = ";".join(name for name, _ in canonical)
    lines = [method, parts.path or "/", "&".join(sorted(parts.query.split("&"), key=lambda pair: pair.split("=")))]
    lines += [f"{name}:{value}" for name, value in canonical]
    request = "\n".join([*lines, "", names, PAYLOAD])
    scope = f"{date[:8]}/{signature.region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = _day_key(signature.secret_key, date[:8], signature.region)
    proof = hmac.digest(key, text.encode(), "sha256").hex()
    credential = f"{signature.access_key}/{scope}"
    pairs.append(
        ("Authorization", f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={proof}")
    )
    return pairs


@functools.lru_cache(maxsize=8)
def _day_key(secret_key: str, day: str, region: str) -> bytes:
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key
