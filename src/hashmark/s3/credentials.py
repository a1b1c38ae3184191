"""Finds AWS credentials in the usual places: environment, profiles, process, web identity, container, instance.

Keys in the environment and in a profile are read here. Everything else is botocore's chain, which is slow to import:
Identity Center (SSO), processes, roles, web identity, containers and instances. Secrets are passed on to sign with, and
never shown or logged.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from hashmark.core.errors import NoCredentials
from hashmark.s3.aws_settings import profile_settings, sections
from hashmark.s3.endpoint import Remote

_NOT_PLAIN = ("sso_session", "sso_start_url", "login_session", "role_arn", "web_identity_token_file")
"""Settings of a profile that come before its keys in botocore's chain."""


class Credentials(NamedTuple):
    """An access key and its secret; `token` for temporary ones."""

    access_key: str
    secret_key: str
    token: str | None


Source = Callable[[], Credentials]
"""Returns credentials that are valid now. Raises NoCredentials."""


def source(remote: Remote) -> Source:
    """Return the source of credentials for `remote`. Nothing but files is read before it is called.

    Raises:
        SettingsError: the profile does not exist, or a settings file can't be parsed.
    """
    if remote.credentials_file:
        found = _from_section(sections(remote.credentials_file).get("default", {}))
        return _constant(found) if found else _none
    # A profile in our settings is deliberate: it takes precedence over the environment.
    config = profile_settings(remote.profile)
    if remote.profile is None and (found := _from_environment()):
        return _constant(found)
    if not any(name in config for name in _NOT_PLAIN) and (found := _from_section(config)):
        return _constant(found)
    return _Botocore(remote.profile)


def _constant(found: Credentials) -> Source:
    return lambda: found


def _none() -> Credentials:
    raise NoCredentials("The file of credentials has none.")


def _from_environment() -> Credentials | None:
    access, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Credentials(access, secret, os.environ.get("AWS_SESSION_TOKEN") or None) if access and secret else None


def _from_section(section: Mapping[str, str]) -> Credentials | None:
    access, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
    token = section.get("aws_session_token") or section.get("aws_security_token") or None
    return Credentials(access, secret, token) if access and secret else None


class _Botocore:
    """The chain of botocore, which fetches credentials when they are first needed, and again before they expire."""

    def __init__(self, profile: str | None) -> None:
        self._profile = profile
        self._lock = threading.Lock()
        self._found: Any = None

    def __call__(self) -> Credentials:
        try:
            with self._lock:
                if self._found is None:
                    self._found = self._first()
            frozen = self._found.get_frozen_credentials()
        except NoCredentials:
            raise
        except Exception as error:  # noqa: BLE001 - botocore's errors have no common base
            why = type(error).__name__
            hint = "Run `aws sso login`." if "SSO" in why or "Token" in why else None
            where = f"The AWS profile '{self._profile}'" if self._profile else "The usual places of AWS"
            raise NoCredentials(f"{where} gave no credentials ({why}).", hint) from None
        return Credentials(frozen.access_key, frozen.secret_key, frozen.token)

    def _first(self) -> Any:
        from botocore.session import Session  # noqa: PLC0415 - slow to import

        logging.getLogger("botocore").setLevel(logging.CRITICAL)  # its errors are reported above
        found = Session(profile=self._profile).get_credentials()
        if found is None:
            raise NoCredentials("No AWS credentials were found.")
        return found
