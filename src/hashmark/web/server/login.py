"""The page that a printed link opens, and the form with which it sends the link's token back.

Opening the page changes nothing, so a program that only fetches the link does not use it up. The script submits the
form at once; the button is for browsers without scripts. Does not know which tokens are valid.
"""

from __future__ import annotations

import base64
import hashlib
import html
from urllib.parse import parse_qs

LOGIN_PATH = "/login"
"""Where the form is sent to."""

FORM_TYPE = "application/x-www-form-urlencoded"

MAX_FORM_BYTES = 4096
"""The largest form that is read: many times the length of a token."""

FORM_LIMIT_S = 10.0
"""How long the form may take: unlike other bodies, strangers send it."""

_SCRIPT = "document.forms[0].submit()"

_SCRIPT_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()

LOGIN_CSP = (
    f"default-src 'none'; script-src 'sha256-{_SCRIPT_HASH}'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
"""Allows this page its one script, by its hash, and its form."""

_PAGE = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>hashmark</title><h1>hashmark</h1>'
    '<form method="post" action="{path}"><input type="hidden" name="token" value="{token}">'
    "<button>Open hashmark</button></form><script>{script}</script></html>"
)


def login_page(token: str) -> bytes:
    """Return the page that sends this token back."""
    return _PAGE.format(path=LOGIN_PATH, token=html.escape(token), script=_SCRIPT).encode("utf-8", "replace")


def token_of(form: bytes) -> str:
    """Return the token in a submitted form, or an empty string."""
    try:
        return parse_qs(form.decode("ascii"), max_num_fields=8).get("token", [""])[0]
    except ValueError:  # other characters, or too many fields
        return ""
