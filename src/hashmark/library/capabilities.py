"""What this library's store can do: probed once before the first change, remembered, and shown by `doctor`.

The probing itself is `s3.probe`; the meaning for the user is told here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from hashmark.core.errors import Busy, LocalError
from hashmark.library.library import Library
from hashmark.s3.probe import ProbeResult, probe, scratch_key, sweep

_ABILITIES = ("create-only", "replace-only", "content-md5", "conditional-delete")


@dataclass(frozen=True)
class Abilities:
    """What a transfer needs to know. `notes` are for the user."""

    guarded_writes: bool
    guarded_deletes: bool
    checks_md5: bool
    notes: tuple[str, ...]


def abilities(library: Library) -> Abilities:
    """What the store can do, from memory or by probing it now.

    Raises:
        StoreError: it can't be reached or written.
    """
    facts = library.state.facts(library.bucket.store)
    if not all(name in facts for name in _ABILITIES):
        facts = remember(library, list(find_out(library)))
    yes = {name for name, word in facts.items() if word == "yes"}
    writes = {"create-only", "replace-only"} <= yes
    notes: list[str] = []
    if not writes:
        notes.append(
            "This store ignores If-Match/If-None-Match: each object is looked at just before it is written, "
            "but a change in the same instant by someone else would be overwritten (and be in the trash)."
        )
    if "content-md5" not in yes:
        notes.append("This store does not check Content-MD5: uploads are proven by their ETag or by reading them back.")
    return Abilities(writes, "conditional-delete" in yes, "content-md5" in yes, tuple(notes))


def find_out(library: Library) -> Iterator[ProbeResult]:
    """Probe the store. What an earlier probe of this library has left that was killed is removed first.

    Raises:
        StoreError: it can't be reached or written.
    """
    state, store, key = library.state, library.bucket.store, scratch_key(library.remote_state)
    with contextlib.suppress(Busy, LocalError), library.lock("probe"):
        left = state.scratch_keys(store)
        for old in left:
            sweep(library.bucket, old)
        state.forget_scratch_keys(store, left)
    with _shared(library):
        state.record_scratch_key(store, key)
        yield from probe(library.bucket, key)
        state.forget_scratch_keys(store, [key])


@contextlib.contextmanager
def _shared(library: Library) -> Iterator[None]:
    """Keep others from taking this probe for a killed one; a library that can't be written remembers none."""
    with contextlib.ExitStack() as held:
        with contextlib.suppress(LocalError):
            held.enter_context(library.lock("probe", shared=True))
        yield


def remember(library: Library, findings: list[ProbeResult]) -> dict[str, str]:
    """Keep what was found; what could not be found out is asked again another time."""
    facts = {finding.name: "yes" if finding.ok else "no" for finding in findings if finding.ok is not None}
    library.state.record_facts(library.bucket.store, facts)
    return facts
