"""Limits a change in the bucket to the object that was compared: by a condition, or by a HEAD request just before.

Stores take conditions on some requests and not on others, with quotes around ETags or without. What is changed, and
why, is not known here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from hashmark.core.errors import NoSuchObject, PreconditionFailed, Unsupported
from hashmark.core.model import RemoteObject
from hashmark.s3.requests import Expect, Head, Requests
from hashmark.s3.store_capabilities import HONOURED, SUPPORTED, UNQUOTED, UNSUPPORTED, Capability, StoreCapabilities
from hashmark.s3.waiting import Steps

T = TypeVar("T")


class GuardedWrites:
    """Sends the changes of one run, each only if the object is the one that was compared, or is still missing.

    Where the store is not known to honour the condition, a HEAD request comes just before, which leaves a small gap.
    `remote` is the object that was compared, None if there was none.

    Raises (every method that sends a change):
        PreconditionFailed: the object is another one by now.
    """

    def __init__(self, requests: Requests, capabilities: StoreCapabilities) -> None:
        self._requests = requests
        self._capabilities = capabilities

    async def put(self, key: str, remote: RemoteObject | None, send: Callable[[Expect | None], Steps[T]]) -> T:
        """Write an object by `send`, which is given the condition to send along."""
        capabilities = self._capabilities
        return await self._change(key, remote, capabilities.replace_only if remote else capabilities.create_only, send)

    async def delete(self, key: str, remote: RemoteObject) -> None:
        """Delete an object."""
        await self._change(
            key,
            remote,
            self._capabilities.conditional_delete,
            lambda expect: self._requests.delete(key, expect=expect),
        )

    async def before_completion(self, key: str, remote: RemoteObject | None) -> Expect | None:
        """Return the condition for the completion of a multipart upload, once it is worth beginning one.

        Where the store refuses it after all, `check` must come just before.
        """
        form = self._capabilities.conditional_complete
        if form is SUPPORTED and remote is not None:
            form = self._capabilities.replace_only
        expect = _condition(remote, form)
        if form not in HONOURED or expect is None:
            await self.check(key, remote)
        return expect

    async def check(self, key: str, remote: RemoteObject | None) -> None:
        """Inspect the object.

        Raises:
            PreconditionFailed: it is not the one that was compared.
        """
        there = await self.head(key)
        if there is None or remote is None:
            is_same = there is None and remote is None
        elif there.etag or remote.etag:
            is_same = there.etag == remote.etag
        else:
            is_same = (there.size, there.last_modified_utc()) == (remote.size, remote.last_modified)
        if not is_same:
            raise PreconditionFailed(f"'{key}' changed in the bucket after it was compared.")

    async def head(self, key: str) -> Head | None:
        """Return what a HEAD request tells of the object, or None if there is none."""
        try:
            return await self._requests.head(key)
        except NoSuchObject:
            return None

    async def _change(
        self, key: str, remote: RemoteObject | None, form: Capability, send: Callable[[Expect | None], Steps[T]]
    ) -> T:
        expect = _condition(remote, form)
        if form not in HONOURED or expect is None:
            await self.check(key, remote)
        try:
            return await send(expect)
        except Unsupported:
            if expect is None:
                raise
            await self.check(key, remote)
            return await send(None)


def _condition(remote: RemoteObject | None, form: Capability) -> Expect | None:
    """Return the condition that the object is the one that was compared, or still missing, as a store takes it.

    None where it takes none: such a store ignores it or, as Swift and Backblaze B2 do, refuses the request.
    """
    if form is UNSUPPORTED or (remote is not None and not remote.etag):
        return None
    return Expect(remote.etag if remote else None, quoted=form is not UNQUOTED)
