"""What this library's store can do: probed once before the first change, remembered, and shown by `doctor`.

The probing itself is `s3.probe`; the meaning for the user is told here.
"""

from __future__ import annotations

from dataclasses import dataclass

from hashmark.library import Library
from hashmark.s3.probe import Finding, probe

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
        facts = remember(library, list(probe(library.bucket, library.remote_state)))
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


def remember(library: Library, findings: list[Finding]) -> dict[str, str]:
    """Keep what was found; what could not be found out is asked again another time."""
    facts = {finding.name: "yes" if finding.ok else "no" for finding in findings if finding.ok is not None}
    library.state.record_facts(library.bucket.store, facts)
    return facts
