"""Everything that can go wrong, as one tree.

    HashmarkError
    ├── UsageError               the command or the settings are wrong
    │   ├── SettingsError          hashmark.toml can't be understood
    │   ├── NoSuchDataset          no dataset of that name
    │   └── QueryError             a search can't be understood
    ├── RefusedPlan              what was asked is unsafe; nothing was done
    ├── Interrupted              it was asked to stop
    ├── LocalError               the disk
    │   ├── Unreadable, ReadOnly, DiskFull, FileChanged, UnsafePath, Busy
    ├── ImageRefused             an image can't be decoded within its limits
    └── StoreError               the bucket
        ├── Unreachable, TlsFailure, ClockSkew
        ├── NoCredentials, WrongCredentials, ExpiredCredentials, AccessDenied
        ├── NoSuchBucket, NoSuchObject, WrongRegion
        ├── SlowDown, ServerFault, PreconditionFailed, BadDigest
        └── BrokenListing, UnexpectedAnswer, Unsupported

Each class has a stable `code` for JSON, says whether trying again can help, and carries the next step in
`hint`. This module does not know exit statuses (`cli.exits`) nor where an error came from (`s3.error_mapping`).
"""

from __future__ import annotations

from typing import ClassVar


class HashmarkError(Exception):
    """The root. `message` says what happened and to what; `hint` what to do next."""

    code: ClassVar[str] = "error"
    retryable: ClassVar[bool] = False
    fatal: ClassVar[bool] = False
    """Whether every other file would meet it as well, so that going on makes no sense."""
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(HashmarkError):
    """The command line or a setting can't be followed."""

    code = "usage"


class SettingsError(UsageError):
    """`hashmark.toml` or the AWS settings can't be understood. Of a long message, the middle is left out."""

    code = "settings"
    room: ClassVar[int] = 2000
    """The most characters of a message."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        half = self.room // 2
        super().__init__(message if len(message) <= self.room else f"{message[:half]} … {message[-half:]}", hint)


class NoSuchDataset(UsageError):
    """No dataset goes by that name, or several do."""

    code = "no-such-dataset"


class QueryError(UsageError):
    """A search can't be understood. `position` is where: how many characters stand before it."""

    code = "filter"

    def __init__(self, message: str, hint: str | None = None, *, position: int = 0) -> None:
        super().__init__(message, hint)
        self.position = position


class RefusedPlan(HashmarkError):
    """The plan as a whole is unsafe, so nothing of it was run.

    `deletes` is the number of deletes that a person may agree to; None where agreeing would not make it safe.
    """

    code = "refused"

    def __init__(self, message: str, hint: str | None = None, *, deletes: int | None = None) -> None:
        super().__init__(message, hint)
        self.deletes = deletes


class Interrupted(HashmarkError):
    """The user asked to stop before it was done."""

    code = "interrupted"
    default_hint = "Run the command again to finish."


class LocalError(HashmarkError):
    """The disk would not do it."""

    code = "local"


class Unreadable(LocalError):
    """A file or folder can't be read."""

    code = "unreadable"


class ReadOnly(LocalError):
    """The library can't be written to."""

    code = "read-only"
    default_hint = "Check the folder's permissions and whether it is mounted read-only."


class DiskFull(LocalError):
    """No space is left for the new content; the old content is untouched."""

    code = "disk-full"
    fatal = True
    default_hint = "Free some space and run the command again; finished files are kept."


class FileChanged(LocalError):
    """A file changed between being looked at and being used."""

    code = "file-changed"
    default_hint = "Run `hashmark status` again."


class UnsafePath(LocalError):
    """A key can't be written as a path without leaving the dataset."""

    code = "unsafe-path"


class Busy(LocalError):
    """Another hashmark is changing this dataset."""

    code = "busy"
    default_hint = "Wait for it to end, then run the command again."


class ImageRefused(HashmarkError):
    """An image is not decoded: its format, its size or its data forbid it. Where it came from does not matter."""

    code = "image-refused"


class StoreError(HashmarkError):
    """The bucket can't be reached, refuses us, or answers nonsense."""

    code = "store"


class Unreachable(StoreError):
    """No answer from the endpoint."""

    code = "unreachable"
    fatal = True
    retryable = True
    default_hint = "Check that the store is running and that `endpoint_url` names its host and port."


class TlsFailure(StoreError):
    """The encrypted connection could not be set up."""

    code = "tls"
    fatal = True
    default_hint = "If the store has a private certificate authority, name its file as `ca_bundle` under [remote]."


class ClockSkew(StoreError):
    """The store refuses our signature because the clocks differ too much."""

    code = "clock-skew"
    fatal = True
    default_hint = "Set this machine's clock (NTP) and try again."


class NoCredentials(StoreError):
    """No AWS credentials were found."""

    code = "no-credentials"
    fatal = True
    default_hint = (
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials "
        "named by AWS_PROFILE or `profile` under [remote]."
    )


class WrongCredentials(StoreError):
    """The store does not know the access key, or the secret does not fit it."""

    code = "wrong-credentials"
    fatal = True
    default_hint = "Check which profile is in use (AWS_PROFILE, `profile` under [remote]) and its keys."


class ExpiredCredentials(StoreError):
    """The session token has expired."""

    code = "expired-credentials"
    fatal = True
    default_hint = "Sign in again (for example `aws sso login`) and rerun; finished files are kept."


class AccessDenied(StoreError):
    """The credentials are known but may not do this."""

    code = "access-denied"
    default_hint = "Ask for s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject on its keys."


class NoSuchBucket(StoreError):
    """The bucket does not exist at this endpoint."""

    code = "no-such-bucket"
    fatal = True
    default_hint = "Check the bucket's name in `url` and the endpoint in `endpoint_url`."


class NoSuchObject(StoreError):
    """The key is not in the bucket."""

    code = "no-such-object"


class WrongRegion(StoreError):
    """The bucket lives in another region than the one asked."""

    code = "wrong-region"
    fatal = True


class SlowDown(StoreError):
    """The store asks for fewer requests, even after waiting."""

    code = "slow-down"
    retryable = True
    default_hint = "Try again in a minute."


class ServerFault(StoreError):
    """The store failed inside (HTTP 5xx), even after retries."""

    code = "server-fault"
    retryable = True
    default_hint = "Try again; if it stays, look at the store's own log."


class PreconditionFailed(StoreError):
    """The object is not (or no longer) what the request expected."""

    code = "precondition-failed"
    default_hint = "The bucket changed since it was listed: run `hashmark status` again."


class BadDigest(StoreError):
    """The bytes that arrived are not the bytes that were sent."""

    code = "bad-digest"
    retryable = True
    default_hint = "Try again; if it stays, suspect a proxy or the network between."


class BrokenListing(StoreError):
    """The answer to a listing is not a complete, well-formed S3 listing."""

    code = "broken-listing"
    default_hint = "Check that `endpoint_url` is the S3 endpoint itself and not a proxy, login or web page."


class UnexpectedAnswer(StoreError):
    """The store answered something that S3 does not answer."""

    code = "unexpected-answer"
    default_hint = "Check that `endpoint_url` is an S3 endpoint; `hashmark doctor` shows what it can do."


class Unsupported(StoreError):
    """The store does not offer this operation."""

    code = "unsupported"
