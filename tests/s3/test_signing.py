"""Requests are signed as AWS documents it, and as botocore does it."""

from __future__ import annotations

import re
import string

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from hashmark.s3 import signing
from hashmark.s3.signing import Signature, signed

NOW_S = 1_700_000_000


class Botocores(S3SigV4Auth):  # type: ignore[misc]  # botocore has no types
    """botocore's signer, for a payload that is not signed."""

    def payload(self, request: AWSRequest) -> str:  # noqa: ARG002
        return signing.PAYLOAD


def botocores(method: str, url: str, headers: dict[str, str], signature: Signature) -> str:
    """Return the Authorization header that botocore computes at NOW_S."""
    request = AWSRequest(method, url, headers)
    request.context["timestamp"] = "20231114T221320Z"
    credentials = Credentials(signature.access_key, signature.secret_key, signature.token)
    signer = Botocores(credentials, "s3", signature.region)
    signer._modify_request_before_signing(request)
    canonical = signer.canonical_request(request)
    text = signer.string_to_sign(request, canonical)
    signer._inject_signature_to_request(request, signer.signature(text, request))
    return str(request.headers["Authorization"])


WORDS = st.text(string.ascii_letters + string.digits + "-._~", min_size=1, max_size=9)
SEGMENTS = st.lists(WORDS | st.sampled_from(["%20", "a%2Bb", "%C3%A9", "", "%2F"]), max_size=4)
NAMES = WORDS | st.sampled_from(["a", "a-b", "a.b", "a0"])  # one begins another: "=" sorts between what follows
QUERIES = st.dictionaries(NAMES, st.sampled_from(["", "1", "a%2Fb", "x"]), max_size=4)
HEADERS = st.dictionaries(
    st.sampled_from(["Content-MD5", "Content-Type", "If-None-Match", "If-Match", "x-amz-meta-md5chksum", "Range"]),
    st.sampled_from(["*", '"abc"', "text/plain; charset=utf-8", "bytes=0-9", "two  spaces"]),
)
SIGNATURES = st.builds(
    Signature,
    access_key=st.sampled_from(["AKIA", "account:user", "a/b+c"]),
    secret_key=WORDS,
    token=st.none() | WORDS,
    region=st.sampled_from(["us-east-1", "auto"]),
    clock_error_s=st.just(0.0),
)


@given(
    st.sampled_from(["GET", "PUT", "HEAD", "POST", "DELETE"]),
    st.sampled_from(
        ["http://127.0.0.1:8333", "https://s3.example.com", "https://s3.example.com:443", "http://[::1]:80"]
    ),
    SEGMENTS,
    QUERIES,
    HEADERS,
    SIGNATURES,
)
def test_requests_are_signed_as_botocore_signs_them(
    method: str, host: str, segments: list[str], query: dict[str, str], headers: dict[str, str], signature: Signature
) -> None:
    url = f"{host}/bucket/{'/'.join(segments)}"
    if query:
        url += "?" + "&".join(f"{name}={value}" for name, value in query.items())
    ours = dict(signed(method, url, headers.items(), signature, NOW_S))
    assert ours["Authorization"] == botocores(method, url, headers, signature)
    assert ours["X-Amz-Date"] == "20231114T221320Z"


def test_the_example_of_awss_documentation_has_its_signature(monkeypatch: pytest.MonkeyPatch) -> None:
    """Amazon S3 API reference, "Signature Calculations for the Authorization Header", example "GET Object"."""
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    monkeypatch.setattr(signing, "PAYLOAD", empty)
    keys = Signature("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None, "us-east-1")
    url = "https://examplebucket.s3.amazonaws.com/test.txt"
    headers = dict(signed("GET", url, [("Range", "bytes=0-9")], keys, 1_369_353_600))
    assert headers["Authorization"].endswith(
        "Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
    )


def test_the_clock_of_the_store_counts_and_every_header_is_signed() -> None:
    keys = Signature("key", "secret", "token", "auto", clock_error_s=-3600)
    headers = dict(signed("PUT", "http://h:1/b/k", [("If-Match", '"e"')], keys, NOW_S))
    assert headers["X-Amz-Date"] == "20231114T211320Z"
    assert headers["x-amz-security-token"] == "token"
    (names,) = re.findall("SignedHeaders=([^,]+),", headers.pop("Authorization"))
    assert names.split(";") == sorted(name.lower() for name in headers)
