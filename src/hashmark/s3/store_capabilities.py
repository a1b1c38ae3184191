"""What a store supports, as one value that listings, evidence and transfers read.

Where the answers come from (a probe, an earlier run, documentation) is not known here.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class Capability(Enum):
    """Whether a store supports something. All values but the last are words that the state file keeps."""

    SUPPORTED = "yes"
    UNQUOTED = "unquoted"
    """Only with ETags that have no quotes around them."""
    UNSUPPORTED = "no"
    UNKNOWN = "unknown"


SUPPORTED, UNQUOTED = Capability.SUPPORTED, Capability.UNQUOTED
UNSUPPORTED, UNKNOWN = Capability.UNSUPPORTED, Capability.UNKNOWN
HONOURED = frozenset({SUPPORTED, UNQUOTED})
"""What a capability to take a condition is where a request with it changes nothing else."""


class StoreCapabilities(NamedTuple):
    """The capabilities of one store. A field has the name of the probe's result, with `_` for `-`."""

    create_only: Capability = UNKNOWN
    """A PUT with `If-None-Match: *` replaces nothing."""
    replace_only: Capability = UNKNOWN
    """A PUT with `If-Match` replaces only that version. Where unsupported, it is ignored or, as by Swift, refused."""
    conditional_complete: Capability = UNKNOWN
    """A multipart upload that is completed with `If-None-Match: *` replaces nothing."""
    conditional_delete: Capability = UNKNOWN
    """A DELETE with `If-Match` deletes only that version."""
    content_md5: Capability = UNKNOWN
    """Bytes that do not have the Content-MD5 that came with them are refused."""
    checksum: Capability = UNKNOWN
    """Bytes that do not have the checksum that came with them are refused; where not, it is the uploader's claim."""
    etag_md5: Capability = UNKNOWN
    """The ETag of a single PUT is the MD5 of its bytes, unless a HEAD request reports encryption."""
    etag_multipart: Capability = UNKNOWN
    """The ETag of a multipart object is made of the MD5s of its parts."""
    etag_part_copy: Capability = UNKNOWN
    """A part copied from another object has its MD5 as ETag too. Where not (SeaweedFS), one multipart object does not
    show what the ETag of the next is made of."""
    exact_listing: Capability = UNKNOWN
    """An object is listed with the size and the ETag that a HEAD request shows. Not by gateways that encrypt, or that
    list no ETags or others: there, each object gets a HEAD request."""
    start_after: Capability = UNKNOWN
    """What is listed after a key is the rest of the whole listing."""
    etag_follows: Capability = UNKNOWN
    """The ETag changes whenever the bytes do. Not where objects can be written as files, too (SeaweedFS's mount,
    RunPod's volumes, NFS gateways): they may keep the ETag of the bytes before. No probe can find this out."""
    etag_changes: Capability = UNKNOWN
    """Objects of one size that are written in one second have different ETags. Not where those are made of time and
    size (chimera): there, what was just written is read before it counts as proven."""
    random_etags: Capability = UNKNOWN
    """Some ETags that look like MD5s are random numbers, as MinIO makes them. No probe can find this out."""

    @property
    def guards_writes(self) -> bool:
        """Whether a PUT can be limited to the version, or the absence, that was compared."""
        return self.create_only is SUPPORTED and self.replace_only in HONOURED


NOTHING_KNOWN = StoreCapabilities()

AWS = StoreCapabilities(
    checksum=SUPPORTED,
    etag_md5=SUPPORTED,
    etag_multipart=SUPPORTED,
    etag_part_copy=SUPPORTED,
    exact_listing=SUPPORTED,
    start_after=SUPPORTED,
    etag_follows=SUPPORTED,
    etag_changes=SUPPORTED,
    random_etags=UNSUPPORTED,
)
"""What AWS documents (Amazon S3 API reference), until a probe of the bucket finds otherwise."""

_OBJECTS_ONLY = (
    "backblazeb2.com", "digitaloceanspaces.com", "r2.cloudflarestorage.com", "storage.googleapis.com", "wasabisys.com",
    "your-objectstorage.com",
)  # fmt: skip
"""Hosts of services that document no way to write an object but requests (Backblaze B2, DigitalOcean, Cloudflare R2,
Google Cloud Storage, Wasabi, Hetzner)."""


_SERVICES = (*_OBJECTS_ONLY, "amazonaws.com", "runpod.io", "scw.cloud", "linodeobjects.com", "vultrobjects.com")
"""Domains of public services, which say nothing of who uses them."""


def service_of(host: str) -> str | None:
    """Return the domain of the public service that a host belongs to; None for anybody's own."""
    return next((name for name in _SERVICES if _is_under(host, name)), None)


def _is_under(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")


def documented(host: str, *, is_aws: bool) -> StoreCapabilities:
    """Return what the documentation of the store at this host says."""
    if is_aws:
        return AWS
    is_object_store = any(_is_under(host, name) for name in _OBJECTS_ONLY)
    if not is_object_store:
        return NOTHING_KNOWN
    return NOTHING_KNOWN._replace(etag_follows=SUPPORTED, exact_listing=SUPPORTED)
