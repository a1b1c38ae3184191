"""Finds AWS credentials in the usual places: environment, profiles, process, web identity, container, instance.

The chain of the C runtime does all of that. Only IAM Identity Center (SSO) profiles need botocore, the extra
`hashmark[sso]`. Secrets are passed to the runtime, and never kept, shown or logged.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from awscrt.auth import AwsCredentials, AwsCredentialsProvider

from hashmark.core.errors import NoCredentials
from hashmark.s3.endpoint import Remote, aws_config

_SSO_KEYS = ("sso_session", "sso_start_url", "login_session")


def provider(remote: Remote) -> AwsCredentialsProvider:
    """Return the source of credentials for `remote`, which fetches and refreshes them when a request needs them.

    Raises:
        NoCredentials: the profile signs in through Identity Center and botocore is not installed.
        SettingsError: the profile does not exist.
    """
    if remote.credentials_file:
        return AwsCredentialsProvider.new_profile(credentials_filepath=remote.credentials_file, profile_name="default")
    config = aws_config(remote.profile)
    named = remote.profile or os.environ.get("AWS_PROFILE")
    if any(key in config for key in _SSO_KEYS) and (named or "AWS_ACCESS_KEY_ID" not in os.environ):
        return _through_botocore(remote)
    if remote.profile is None:
        if os.environ.get("AWS_ACCESS_KEY_ID") and os.environ.get("AWS_SECRET_ACCESS_KEY"):
            # The first link of the default chain (aws-c-auth, credentials_provider_default_chain), without the
            # certificates that its other links read: 12 ms.
            return AwsCredentialsProvider.new_environment()
        return AwsCredentialsProvider.new_default_chain()
    # A profile in our settings is deliberate: it takes precedence over the environment.
    try:
        if "credential_process" in config:
            return AwsCredentialsProvider.new_process(remote.profile)
        return AwsCredentialsProvider.new_profile(profile_name=remote.profile)
    except RuntimeError:
        # The runtime's message is about its internals; what is wrong is in the profile.
        raise NoCredentials(
            f"The AWS profile '{remote.profile}' can't be used.", "Check its role_arn, source_profile or process."
        ) from None


def _through_botocore(remote: Remote) -> AwsCredentialsProvider:
    try:
        from botocore.session import Session  # noqa: PLC0415 - optional, and slow to import
    except ImportError:
        raise NoCredentials(
            "The AWS profile signs in through IAM Identity Center.", "Install it with `pip install 'hashmark[sso]'`."
        ) from None
    logging.getLogger("botocore").setLevel(logging.CRITICAL)  # its errors are reported below
    session = Session(profile=remote.profile)

    def fetch() -> Any:
        frozen = session.get_credentials().get_frozen_credentials()
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token)

    try:
        fetch()  # now, so that an error can be explained; later the runtime calls it
    except Exception as error:  # noqa: BLE001 - botocore's errors have no common base, and None has no attributes
        why = type(error).__name__
        raise NoCredentials(f"The AWS profile gives no credentials ({why}).", "Run `aws sso login`.") from None
    return AwsCredentialsProvider.new_delegate(fetch)
