"""Turns errors of the runtime and the store into ours: the one place that knows their codes.

Codes: Amazon S3 API reference, "Error responses"; runtime names: awscrt's `exceptions`. A store's message may quote
request headers, so only its error code is passed on.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from hashmark.core import errors as e

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
_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9_.]{1,80})\s*</Code>")
_REGION = re.compile(r"[a-z0-9-]{2,30}")


def from_answer(status: int, headers: Mapping[str, str], body: bytes, operation: str, subject: str) -> e.StoreError:
    """Return the error for an answer with an error status. `subject` names the bucket or key of the request."""
    match = _CODE.search(body[:65536])
    code = match.group(1).decode() if match else ""
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


def from_runtime(name: str, operation: str, subject: str, host: str, *, tls: bool) -> e.HashmarkError:
    """Return the error for a request without an answer; `name` is the runtime's name for what happened."""
    where = f"{operation} of {subject}"
    if "NO_SPACE" in name:
        return e.DiskFull(f"No space is left to write {subject}.")
    if "NO_PERMISSION" in name or "FILE_" in name:
        return e.LocalError(f"{where}: the local file can't be written ({name}).", "Check the folder's permissions.")
    if name.startswith("AWS_AUTH"):
        return e.NoCredentials(f"No AWS credentials were found ({name}).")
    if "TLS" in name:
        return e.TlsFailure(f"{where}: no trusted encrypted connection to {host} ({name}).")
    if "SLOW_DOWN" in name:
        return e.SlowDown(f"{where}: the store asked to slow down.")
    if "INTERNAL_ERROR" in name or "NON_RECOVERABLE" in name:
        return e.ServerError(f"{where}: the store returned a server error ({name}).")
    if "REQUEST_TIME_TOO_SKEWED" in name:
        return e.ClockSkew(f"{where}: the store refuses the request because this machine's clock is off.")
    if name.startswith(("AWS_IO", "AWS_ERROR_HTTP")) or "CONNECTION" in name:
        hint = (
            "If the store speaks plain HTTP, write its endpoint_url with http://." if tls and "CLOSED" in name else None
        )
        return e.Unreachable(f"{where}: no answer from {host} ({_PLAIN.get(name, name)}).", hint)
    return e.UnexpectedAnswer(f"{where}: unexpected answer from {host} ({name}).")


_PLAIN = {
    "AWS_IO_SOCKET_CONNECTION_REFUSED": "connection refused",
    "AWS_IO_SOCKET_TIMEOUT": "timed out",
    "AWS_IO_DNS_INVALID_NAME": "no such host",
    "AWS_IO_DNS_QUERY_FAILED": "the host name can't be looked up",
    "AWS_IO_DNS_QUERY_AGAIN": "the host name can't be looked up",
    "AWS_IO_SOCKET_CLOSED": "the connection was closed",
    "AWS_ERROR_HTTP_CONNECTION_CLOSED": "the connection was closed",
    "AWS_IO_SOCKET_NO_ROUTE_TO_HOST": "no route to the host",
    "AWS_ERROR_HTTP_CHANNEL_THROUGHPUT_FAILURE": "the connection stalled",
    "AWS_ERROR_HTTP_RESPONSE_FIRST_BYTE_TIMEOUT": "it did not answer in time",
}


def _plain(name: str) -> str:
    return _PLAIN.get(name, name)
