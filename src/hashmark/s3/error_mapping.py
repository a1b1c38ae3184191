"""Turns errors of libcurl and the store into ours: the one place that knows their codes.

Codes: Amazon S3 API reference, "Error responses"; libcurl, "libcurl-errors". A store's message may quote request
headers, so only its error code is passed on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import pycurl

from hashmark.core import errors as e
from hashmark.s3.endpoint import Endpoint
from hashmark.s3.exchange import NoAnswer

_BY_CODE: dict[str, type[e.StoreError]] = {
    "AccessDenied": e.AccessDenied,
    "AllAccessDisabled": e.AccessDenied,
    "AccountProblem": e.AccessDenied,
    "BadDigest": e.BadDigest,
    "InvalidDigest": e.BadDigest,
    "XAmzContentSHA256Mismatch": e.BadDigest,
    "InvalidAccessKeyId": e.WrongCredentials,
    "SignatureDoesNotMatch": e.WrongCredentials,
    "InvalidClientTokenId": e.WrongCredentials,
    "AuthorizationHeaderMalformed": e.WrongRegion,
    "PermanentRedirect": e.WrongRegion,
    "IllegalLocationConstraintException": e.WrongRegion,
    "ExpiredToken": e.ExpiredCredentials,
    "ExpiredTokenException": e.ExpiredCredentials,
    "TokenRefreshRequired": e.ExpiredCredentials,
    "InvalidToken": e.ExpiredCredentials,
    "RequestTimeTooSkewed": e.ClockSkew,
    "RequestExpired": e.ClockSkew,
    "NoSuchBucket": e.NoSuchBucket,
    "InvalidBucketName": e.NoSuchBucket,
    "NoSuchKey": e.NoSuchObject,
    "NoSuchUpload": e.NoSuchObject,
    "PreconditionFailed": e.PreconditionFailed,
    "ConditionalRequestConflict": e.PreconditionFailed,
    "SlowDown": e.SlowDown,
    "ServiceUnavailable": e.SlowDown,
    "TooManyRequests": e.SlowDown,
    "RequestLimitExceeded": e.SlowDown,
    "RequestTimeout": e.ServerError,
    "InternalError": e.ServerError,
    "NotImplemented": e.Unsupported,
    "MethodNotAllowed": e.Unsupported,
}
_BY_STATUS: dict[int, type[e.StoreError]] = {
    301: e.WrongRegion,
    307: e.WrongRegion,
    401: e.AccessDenied,
    403: e.AccessDenied,
    404: e.NoSuchObject,
    405: e.Unsupported,
    409: e.PreconditionFailed,
    412: e.PreconditionFailed,
    429: e.SlowDown,
    501: e.Unsupported,
    503: e.SlowDown,
}
_TEXT: dict[type[e.StoreError], str] = {
    e.AccessDenied: "The store denies this to the credentials in use",
    e.BadDigest: "The bytes that arrived at the store are not those that were sent",
    e.WrongCredentials: "The store does not accept the access key or its secret",
    e.ExpiredCredentials: "The credentials have expired",
    e.ClockSkew: "The store refuses the request because this machine's clock is off",
    e.NoSuchBucket: "The bucket does not exist",
    e.NoSuchObject: "The object does not exist",
    e.PreconditionFailed: "The object in the bucket is not the one that was expected",
    e.SlowDown: "The store asked to slow down",
    e.ServerError: "The store returned a server error",
    e.Unsupported: "The store does not support this",
    e.WrongRegion: "The bucket is in another region",
    e.UnexpectedAnswer: "The store's answer is not one that S3 would give",
}
_ERROR = re.compile(rb"\s*(<\?xml[^>]*>)?\s*<Error[\s>]")
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9_.]{1,80})\s*</Code>")
_REGION = re.compile(r"[a-z0-9-]{2,30}")


def from_answer(status: int, headers: Mapping[str, str], body: bytes, operation: str, subject: str) -> e.StoreError:
    """Return the error for an answer with an error status. `subject` names the bucket or key of the request."""
    code = error_code(body)
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status)
    if kind is None:
        kind = e.ServerError if status >= 500 else e.UnexpectedAnswer
    if kind is e.NoSuchObject and not code and operation in {"ListObjectsV2", "HeadBucket"}:
        kind = e.NoSuchBucket
    what = f"{operation} of {subject}: {_TEXT[kind]} (HTTP {status}{f' {code}' if code else ''})."
    if kind is e.WrongRegion:
        region = headers.get("x-amz-bucket-region", "")
        if _REGION.fullmatch(region):
            return e.WrongRegion(what, f'Set region = "{region}" under [remote].')
        hint = "Redirects are not followed with credentials: name the right region or endpoint."
        return e.UnexpectedAnswer(what, hint)
    return kind(what)


def is_error(body: bytes) -> bool:
    """Return whether a body is S3's error document."""
    return _ERROR.match(body) is not None


def error_code(body: bytes) -> str:
    """Return the code of an error in S3's XML; empty if there is none."""
    match = _CODE.search(body[:65536])
    return match.group(1).decode() if match else ""


CLOCK_SKEW = frozenset(code for code, kind in _BY_CODE.items() if kind is e.ClockSkew)


def is_passing(code: str) -> bool:
    """Return whether an error's code says that the same request may succeed later."""
    return _BY_CODE.get(code) in {e.SlowDown, e.ServerError}


def from_libcurl(got: NoAnswer, operation: str, subject: str, endpoint: Endpoint) -> e.StoreError:
    """Return the error for a request without an answer."""
    where = f"{operation} of {subject}"
    if got.code in _UNTRUSTED:
        return e.TlsFailure(f"{where}: the certificate of {endpoint.host} is not trusted ({got.message}).")
    if got.proxy >= 300:
        hint = "It demands a login." if got.proxy == 407 else None
        return e.Unreachable(f"{where}: the proxy refuses to connect to {endpoint.host} (HTTP {got.proxy}).", hint)
    if got.code == pycurl.E_SSL_CONNECT_ERROR:
        hint = "If the store speaks plain HTTP, write its endpoint_url with http://."
        return e.Unreachable(f"{where}: no encrypted connection to {endpoint.host} ({got.message}).", hint)
    why = os.strerror(got.errno).lower() if got.code == pycurl.E_COULDNT_CONNECT and got.errno else None
    why = why or _NO_ANSWER.get(got.code, got.message)
    hint = None
    if got.code == pycurl.E_OPERATION_TIMEDOUT:
        hint = f"{e.Unreachable.default_hint} To wait longer, use --timeout SECONDS."
    return e.Unreachable(f"{where}: no answer from {endpoint.host} ({why}).", hint)


_UNTRUSTED = {pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_SSL_ISSUER_ERROR, pycurl.E_SSL_CACERT_BADFILE}

_NO_ANSWER = {
    pycurl.E_COULDNT_RESOLVE_HOST: "the host name can't be looked up",
    pycurl.E_COULDNT_RESOLVE_PROXY: "the proxy's name can't be looked up",
    pycurl.E_OPERATION_TIMEDOUT: "it did not answer in time",
    pycurl.E_GOT_NOTHING: "the connection was closed",
    pycurl.E_PARTIAL_FILE: "the connection was closed",
    pycurl.E_RECV_ERROR: "the connection was closed",
    pycurl.E_SEND_ERROR: "the connection was closed",
}
