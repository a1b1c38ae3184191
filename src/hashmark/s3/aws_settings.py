"""Reads profiles of the AWS settings files, `~/.aws/config` and `~/.aws/credentials`.

What their settings are for is not known here.
"""

from __future__ import annotations

import os

from hashmark.core.errors import SettingsError


def profile_settings(profile: str | None) -> dict[str, str]:
    """Return the settings of a profile in `~/.aws/config` and `~/.aws/credentials`, secrets included.

    None: the profile that the environment names, or the default one.

    Raises:
        SettingsError: a profile was named that neither file has, or a file can't be parsed.
    """
    name = profile or os.environ.get("AWS_PROFILE") or "default"
    config = sections(os.environ.get("AWS_CONFIG_FILE", "~/.aws/config"))
    keys = sections(os.environ.get("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    section = name if name == "default" and "default" in config else f"profile {name}"
    known = name in keys or section in config
    if not known and (profile or os.environ.get("AWS_PROFILE")):
        raise SettingsError(f"There is no AWS profile called '{name}'.", "See `aws configure list-profiles`.")
    return keys.get(name, {}) | config.get(section, {})


def sections(path: str) -> dict[str, dict[str, str]]:
    """Return the sections of a settings file; none if it is missing or can't be read.

    Raises:
        SettingsError: it can't be parsed.
    """
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:  # noqa: PTH111, PTH123 - pathlib's raises without a home
            text = file.read()
        return _parsed(text, path) if text else {}
    except OSError:
        return {}
    except UnicodeDecodeError as error:
        raise _unparsed(path, error) from None


def _parsed(text: str, path: str) -> dict[str, dict[str, str]]:
    import configparser  # noqa: PLC0415 - many users have no such file

    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text, path)
    except configparser.Error as error:
        raise _unparsed(path, error) from None
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _unparsed(path: str, error: Exception) -> SettingsError:
    return SettingsError(f"{path} can't be parsed: {type(error).__name__}.", "Fix or move the file.")
