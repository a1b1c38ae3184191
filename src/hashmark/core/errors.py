"""Everything that can go wrong, as one tree.

    HashmarkError
    ├── UsageError               the command line or the settings are invalid
    │   ├── SettingsError          hashmark.toml is invalid
    │   ├── NotTrusted             somebody else's settings or files, which the user has not allowed
    │   ├── NoSuchDataset          no dataset has that name
    │   └── QueryError             a search is invalid
    ├── RefusedPlan              the plan is unsafe; nothing was done
    ├── NotInSync                what was required to be in sync is not
    ├── Interrupted              the user asked to stop
    ├── LocalError               the disk failed or refused
    │   ├── Unreadable, ReadOnly, DiskFull, FileChanged, UnsafePath, Busy
    ├── ImageRefused             an image cannot be decoded within its limits
    │   └── NoDecoder            the processes that decode images keep ending
    └── StoreError               the bucket failed or refused
        ├── Unreachable, TlsFailure, ClockSkew
        ├── NoCredentials, WrongCredentials, ExpiredCredentials, AccessDenied
        ├── NoSuchBucket, NoSuchObject, WrongRegion
        ├── SlowDown, ServerError, PreconditionFailed, BadDigest
        └── BrokenListing, UnexpectedAnswer, Unsupported

Each class has a stable `code` for JSON, and each error carries the next step in `hint`. This module does not know exit
statuses (`cli.exits`), what is retried (`transfer.run`), nor where an error came from (`s3.error_mapping`).
"""

from __future__ import annotations

from typing import ClassVar


class HashmarkError(Exception):
    """The root. `message` says what happened and to what; `hint` says what to do next."""

    code: ClassVar[str] = "error"
    fatal: ClassVar[bool] = False
    """Whether every other file would fail in the same way, so that a run stops."""
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class UsageError(HashmarkError):
    """The command line or a setting is invalid."""

    code = "usage"


class SettingsError(UsageError):
    """`hashmark.toml` or the AWS settings are invalid. The middle of a long message is left out."""

    code = "settings"
    max_chars: ClassVar[int] = 2000
    """The longest message."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        half = self.max_chars // 2
        super().__init__(message if len(message) <= self.max_chars else f"{message[:half]} … {message[-half:]}", hint)


class NotTrusted(UsageError):
    """Settings or files may be somebody else's, and the user has not allowed them.

    `permission` is what a person at a terminal can be asked for (see `state.permissions`); empty where nobody is asked.
    """

    code = "not-trusted"

    def __init__(self, message: str, hint: str | None = None, permission: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint)
        self.permission = permission


class NoSuchDataset(UsageError):
    """No dataset has that name, or several do."""

    code = "no-such-dataset"


class QueryError(UsageError):
    """A search is invalid."""

    code = "filter"


class RefusedPlan(HashmarkError):
    """The plan as a whole is unsafe, so nothing was done.

    `deletes` is the number of deletes that the user can confirm; None where confirming would not make it safe.
    """

    code = "refused"

    def __init__(self, message: str, hint: str | None = None, *, deletes: int | None = None) -> None:
        super().__init__(message, hint)
        self.deletes = deletes


class NotInSync(HashmarkError):
    """A dataset that was required to be in sync is not, or is empty."""

    code = "not-in-sync"
    default_hint = "Run `hashmark status`, then `hashmark push` or `hashmark pull`."


class Interrupted(HashmarkError):
    """The user asked to stop before the work was done."""

    code = "interrupted"
    default_hint = "Run the command again to finish."


class LocalError(HashmarkError):
    """The disk failed or refused."""

    code = "local"


class Unreadable(LocalError):
    """A file or folder cannot be read."""

    code = "unreadable"


class ReadOnly(LocalError):
    """The library cannot be written to."""

    code = "read-only"
    default_hint = "Check the folder's permissions and whether it is mounted read-only."


class DiskFull(LocalError):
    """The disk has no space for the new content; the old content is untouched."""

    code = "disk-full"
    fatal = True
    default_hint = "Free some space and run the command again; finished files are kept."


class FileChanged(LocalError):
    """A file changed after it was compared."""

    code = "file-changed"
    default_hint = "Run `hashmark status` again."


class UnsafePath(LocalError):
    """A key cannot become a path inside the dataset."""

    code = "unsafe-path"


class Busy(LocalError):
    """Another process holds the dataset's lock."""

    code = "busy"
    default_hint = "Wait until it ends, then run the command again."


class ImageRefused(HashmarkError):
    """An image is not decoded because of its format, size or data, wherever it came from."""

    code = "image-refused"


class NoDecoder(ImageRefused):
    """No image can be decoded, since the processes that do it keep ending. This says nothing about the image."""

    code = "no-decoder"


class StoreError(HashmarkError):
    """The bucket cannot be reached, refuses a request, or returns an invalid response."""

    code = "store"


class Unreachable(StoreError):
    """The endpoint does not answer."""

    code = "unreachable"
    fatal = True
    default_hint = "Check that the store is running and that `endpoint_url` names its host and port."


class TlsFailure(StoreError):
    """The TLS connection failed."""

    code = "tls"
    fatal = True
    default_hint = "If the store uses a private certificate authority, set `ca_bundle` under [remote] to its file."


class ClockSkew(StoreError):
    """The store refuses the request's signature because the clocks differ too much."""

    code = "clock-skew"
    fatal = True
    default_hint = "Set this machine's clock (NTP), then run the command again."


class NoCredentials(StoreError):
    """No AWS credentials were found."""

    code = "no-credentials"
    fatal = True
    default_hint = (
        "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws/credentials "
        "named by AWS_PROFILE or `profile` under [remote]."
    )


class WrongCredentials(StoreError):
    """The store does not know the access key, or the secret key is wrong."""

    code = "wrong-credentials"
    fatal = True
    default_hint = "Check which profile is in use (AWS_PROFILE, `profile` under [remote]) and its keys."


class ExpiredCredentials(StoreError):
    """The session token has expired."""

    code = "expired-credentials"
    fatal = True
    default_hint = "Sign in again (for example `aws sso login`) and rerun; finished files are kept."


class AccessDenied(StoreError):
    """The credentials are valid but do not permit this request."""

    code = "access-denied"
    default_hint = "Ask for s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject on its keys."


class NoSuchBucket(StoreError):
    """The bucket does not exist at this endpoint."""

    code = "no-such-bucket"
    fatal = True
    default_hint = "Check the bucket name in `url` and the endpoint in `endpoint_url`."


class NoSuchObject(StoreError):
    """The key is not in the bucket."""

    code = "no-such-object"


class WrongRegion(StoreError):
    """The bucket is in another region."""

    code = "wrong-region"
    fatal = True


class SlowDown(StoreError):
    """The store limits the request rate (503 Slow Down), even after backing off."""

    code = "slow-down"
    default_hint = "Run the command again in a minute."


class ServerError(StoreError):
    """The store returned a server error (5xx), even after retries."""

    code = "server-fault"
    default_hint = "Run the command again. If the error persists, read the store's log."


class PreconditionFailed(StoreError):
    """The object is not, or is no longer, the one that the request expected."""

    code = "precondition-failed"
    default_hint = "The bucket changed since it was listed. Run `hashmark status` again."


class BadDigest(StoreError):
    """The bytes that arrived are not those that were sent."""

    code = "bad-digest"
    default_hint = "Run the command again. If the error persists, check for a proxy that changes data."


class BrokenListing(StoreError):
    """The response to a listing request is not a complete, well-formed S3 listing."""

    code = "broken-listing"
    default_hint = "Check that `endpoint_url` is the S3 endpoint itself, not a proxy, login or web page."


class UnexpectedAnswer(StoreError):
    """The store returned a response that S3 does not define."""

    code = "unexpected-answer"
    default_hint = "Check that `endpoint_url` is an S3 endpoint; `hashmark doctor` shows what it can do."


class Unsupported(StoreError):
    """The store does not offer this operation."""

    code = "unsupported"
