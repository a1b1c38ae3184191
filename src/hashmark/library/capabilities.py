"""What the library's store supports, by AWS's documentation, probes, and what comparisons have shown.

The store is probed once before the first change, and the results are recorded. The probing itself is `s3.probe`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from hashmark.core.compare import NO_TIME, is_racy
from hashmark.core.errors import Busy, LocalError
from hashmark.core.model import Base, Evidence
from hashmark.library.library import Library
from hashmark.s3.store_capabilities import (
    SUPPORTED,
    UNKNOWN,
    UNQUOTED,
    UNSUPPORTED,
    Capability,
    StoreCapabilities,
    documented,
)

if TYPE_CHECKING:
    from hashmark.s3.probe import ProbeResult

_OF_ETAGS = (Evidence.ETAG_MD5, Evidence.ETAG_MULTIPART)
_CONTRADICTED = "contradicted-"

_NEEDED_TO_WRITE = ("create-only", "replace-only", "content-md5", "conditional-delete")


def capabilities(library: Library) -> StoreCapabilities:
    """Return what is known of the store, without asking it."""
    return _capabilities(library, library.state.facts(library.bucket.store))


def probed_capabilities(library: Library, on_probe: Callable[[], None] = lambda: None) -> StoreCapabilities:
    """Return what is known of the store; probe it first, after calling `on_probe`, if what a write needs is not known.

    Raises:
        StoreError: it can't be reached or written.
    """
    facts = library.state.facts(library.bucket.store)
    if not all(name in facts for name in _NEEDED_TO_WRITE):
        on_probe()
        facts |= record_probe(library, probe_store(library))
    return _capabilities(library, facts)


def _capabilities(library: Library, facts: Mapping[str, str]) -> StoreCapabilities:
    endpoint = library.bucket.client.endpoint
    recorded = {field: facts.get(field.replace("_", "-")) for field in StoreCapabilities._fields}
    values = {capability.value for capability in Capability if capability is not UNKNOWN}
    return documented(endpoint.hostname, is_aws=endpoint.is_aws)._replace(
        **{field: Capability(value) for field, value in recorded.items() if value in values}
    )


def write_notes(capabilities: StoreCapabilities) -> tuple[str, ...]:
    """Return what the user should know before something is written to such a store."""
    notes: list[str] = []
    if not capabilities.guards_writes:
        notes.append(
            "This store does not support If-Match/If-None-Match: each object is inspected just before it is written, "
            "but a change in the same instant by someone else would be overwritten (and be in the trash)."
        )
    if capabilities.content_md5 is not SUPPORTED:
        notes.append("This store does not check Content-MD5: uploads are proven by their ETag or by reading them back.")
    return tuple(notes)


def probe_store(library: Library) -> Iterator[ProbeResult]:
    """Probe the store, after removing what a killed probe of this library has left there.

    Raises:
        StoreError: it can't be reached or written.
    """
    from hashmark.s3.probe import probe, scratch_key, sweep  # noqa: PLC0415 - a comparison probes nothing

    state, store, key = library.state, library.bucket.store, scratch_key(library.remote_state)
    with contextlib.suppress(Busy, LocalError), library.lock("probe"):
        left = state.scratch_keys(store)
        for old in left:
            sweep(library.bucket, old)
        state.forget_scratch_keys(store, left)
    with contextlib.ExitStack() as held:
        # Shared, so that no other process takes this probe for a killed one. A read-only library records no probe.
        with contextlib.suppress(LocalError):
            held.enter_context(library.lock("probe", shared=True))
        state.record_scratch_key(store, key)
        yield from probe(library.bucket, key)
        state.forget_scratch_keys(store, [key])


def record_probe(library: Library, results: Iterable[ProbeResult]) -> dict[str, str]:
    """Record the results of a probe, and return them as recorded. Those it could not find out are left out."""
    words = {True: SUPPORTED.value, False: UNSUPPORTED.value}
    facts = {
        result.name: UNQUOTED.value if result.is_unquoted else words[result.ok]
        for result in results
        if result.ok is not None
    }
    library.state.record_facts(library.bucket.store, facts)
    return facts


def record_shown(library: Library, shown: Collection[Evidence]) -> None:
    """Record what objects have shown of the store's ETags, unless a probe found the opposite."""
    store = library.bucket.store
    if shown:
        known = library.state.facts(store)
        facts = {str(kind): SUPPORTED.value for kind in shown if known.get(kind) != UNSUPPORTED.value}
        library.state.record_facts(store, facts)


def record_exact_listing(library: Library, capability: Capability) -> None:
    """Record whether a comparison has found the store to list objects as a HEAD request shows them."""
    if capability is not UNKNOWN:
        library.state.record_facts(library.bucket.store, {"exact-listing": capability.value})


def lasting(library: Library, bases: list[Base]) -> list[Base]:
    """Return bases so that those count for now alone whose ETags the store may still give to other bytes."""
    if not bases or capabilities(library).etag_changes is not UNSUPPORTED:
        return bases
    now = library.bucket.client.store_time()
    return [base._replace(last_modified=NO_TIME) if is_racy(base, now) else base for base in bases]


def contradictions(library: Library) -> frozenset[Evidence]:
    """Return what objects have shown the store's ETags not to be, though a probe may have seen it.

    It concerns mismatches alone. A transfer does not heed it: what was read may also be a damaged object, and the bytes
    of one must not be taken for good.
    """
    facts = library.state.facts(library.bucket.store)
    return frozenset(kind for kind in _OF_ETAGS if _CONTRADICTED + kind in facts)


def record_contradictions(library: Library, shown: Collection[Evidence]) -> None:
    """Record that an object has shown the store's ETags to be something else. No probe outweighs that."""
    if shown:
        library.state.record_facts(library.bucket.store, {_CONTRADICTED + kind: SUPPORTED.value for kind in shown})
