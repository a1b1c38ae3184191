"""What a library needs the user's permission for: other users' settings, and endpoints that the user never named.

Whoever writes `hashmark.toml` decides where signed requests go. So the settings of another user are refused, as git
refuses other users' repositories (`safe.directory`), and an endpoint must be one that the user named: with `init`, in
the environment, or with `hashmark trust`. AWS's own hosts and this machine need no permission. Knows no bucket.
"""

from __future__ import annotations

import contextlib
import shlex
from pathlib import Path

from hashmark.core.errors import LocalError, NotTrusted, UsageError
from hashmark.disk.private_folder import PrivateFolder, own_users
from hashmark.library.settings import SETTINGS, is_library
from hashmark.s3.endpoint import Remote, named_endpoint, normal_url
from hashmark.state import permissions


def check_owner(folder: Path) -> None:
    """Refuse a library whose settings belong to another user.

    Raises:
        NotTrusted: they do, and the user has not allowed this library.
    """
    owner = (folder / SETTINGS).stat().st_uid
    if owner not in own_users() and not permissions.is_known("library", str(folder)):
        raise NotTrusted(
            f"{folder / SETTINGS} belongs to another user (number {owner}), who decides where your requests go.",
            f"If you trust that user, run `hashmark trust {shlex.quote(str(folder))}`.",
        )


def check_endpoint(remote: Remote) -> None:
    """Refuse to send signed requests to an endpoint that the user never named.

    Raises:
        NotTrusted: it is such an endpoint.
    """
    endpoint = named_endpoint(remote)
    profile = remote.profile or ""
    if endpoint is None or endpoint.is_safe or permissions.is_known("endpoint", endpoint.url, profile):
        return
    what = f"the AWS profile '{profile}'" if profile else "your default AWS credentials"
    option = f" --profile {shlex.quote(profile)}" if profile else ""
    raise NotTrusted(
        f"{SETTINGS} names the endpoint {endpoint.url}. Requests there would be signed with {what}.",
        f"If you trust it, run `hashmark trust {shlex.quote(endpoint.url)}{option}`.",
        ("endpoint", endpoint.url, profile),
    )


def remember_endpoint(remote: Remote) -> None:
    """Remember that the user named the endpoint of these settings. Where that can't be written, it is asked later."""
    endpoint = named_endpoint(remote)
    if endpoint is not None and not endpoint.is_safe:
        with contextlib.suppress(LocalError):
            permissions.remember("endpoint", endpoint.url, remote.profile or "")


def permission_for(target: str, profile: str | None = None) -> tuple[str, ...]:
    """Return what trusting `target` allows: an endpoint's URL, a library's folder, or that of an embedded bucket.

    Raises:
        UsageError: it is none of these.
    """
    if target.startswith(("http://", "https://")):
        return ("endpoint", normal_url(target), profile or "")
    folder = Path(target).expanduser().resolve()
    if profile is not None:
        raise UsageError("--profile is for the URL of an endpoint.")
    if is_library(folder):
        return ("library", str(folder))
    if (folder / "users.lock").is_file():
        return ("bucket", str(folder))
    raise UsageError(
        f"'{target}' is neither an endpoint, nor a library, nor an embedded bucket.",
        "Give a URL such as https://minio.example:9000, or a folder.",
    )


def allow(permission: tuple[str, ...]) -> None:
    """Remember a permission; an embedded bucket's folder gets an identity that is remembered.

    Raises:
        LocalError: it can't be written.
    """
    if permission[0] != "bucket":
        permissions.remember(*permission)
        return
    from hashmark.embedded.embedded_bucket import adopt  # noqa: PLC0415 - only for embedded buckets

    folder = Path(permission[1])
    with PrivateFolder(folder.parent, folder.name) as opened:
        adopt(opened)


def withdraw(permission: tuple[str, ...]) -> bool:
    """Forget a permission. Return whether there was one.

    Raises:
        LocalError: it can't be removed.
    """
    if permission[0] != "bucket":
        return permissions.forget(*permission)
    from hashmark.embedded.embedded_bucket import identity_of  # noqa: PLC0415 - only for embedded buckets

    folder = Path(permission[1])
    with PrivateFolder(folder.parent, folder.name) as opened:
        return permissions.forget("bucket", identity_of(opened))
