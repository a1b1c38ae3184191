"""The quirks of stores that cannot run here, with their sources: the emulator plays them, docs/stores.md lists them."""

from __future__ import annotations

from typing import NamedTuple

from support.emulator import Quirks

NO_CONDITIONS = dict.fromkeys(("put", "delete", "complete"), "501")
UNQUOTED = dict.fromkeys(("put", "get", "copy", "delete", "complete"), "unquoted")
IGNORED = dict.fromkeys(UNQUOTED, "ignored")


class Played(NamedTuple):
    """A quirk, the store that has it with where that is said, and what hashmark does about it."""

    quirks: Quirks
    after: str
    answer: str


QUIRKS = {
    "none": Played(Quirks(), "Amazon S3 (API reference)", "conditions, and one listing"),
    "conditions on writes are refused with 501": Played(
        Quirks(conditions=NO_CONDITIONS),
        "Backblaze B2 (sathinduga/obsidian-s3-sync-and-backup, issue 78)",
        "a HEAD request just before each write",
    ),
    "conditions on copies and reads as well": Played(
        Quirks(conditions=NO_CONDITIONS | {"copy": "501", "get": "501"}), "", "none are sent with copies and reads"
    ),
    "… on the end of a multipart upload alone": Played(
        Quirks(conditions={"complete": "501"}), "", "a HEAD request just before the end"
    ),
    "… on DELETE alone": Played(Quirks(conditions={"delete": "501"}), "", "a HEAD request just before a delete"),
    "ETags in conditions are taken without quotes alone": Played(
        Quirks(conditions=UNQUOTED),
        "Ceph, so Hetzner and DigitalOcean (slatedb/slatedb, issue 1818; block/buzz, issue 3002)",
        "each operation is probed, and sent what it takes",
    ),
    **{
        f"… on {operation} alone": Played(Quirks(conditions={operation: "unquoted"}), "", "the same")
        for operation in UNQUOTED
    },
    "no condition on the source of a copy": Played(
        Quirks(conditions={"copy": "501"}),
        "Cloudflare R2 (chuanghiduoc/nestjs-fastify-nx, pull request 143)",
        "the copy's ETag, or the source's afterwards, is compared",
    ),
    "an ignored condition on the source of a copy": Played(
        Quirks(conditions={"copy": "ignored"}), "Ceph (ceph/ceph, pull request 30866)", "the same"
    ),
    "conditions are ignored": Played(
        Quirks(conditions=IGNORED),
        "Garage 1.2, versitygw (versity/versitygw, issue 1708)",
        "a HEAD request just before each write",
    ),
    "another ETag in listings": Played(Quirks(listed_etag="other"), "gateways", "each object gets a HEAD request"),
    "no ETag in listings": Played(Quirks(listed_etag="none"), "gateways", "each object gets a HEAD request"),
    "no ETag in the answer to a PUT": Played(Quirks(put_etag=False), "gateways", "HEAD, and reading back"),
    "no ETag in listings or from a PUT": Played(Quirks(put_etag=False, listed_etag="none"), "gateways", "both"),
    "random ETags": Played(
        Quirks(etag="random"),
        "MinIO without `--compat` (minio/minio, object-handlers.go)",
        "small objects are read, large ones by `verify`; pulls read twice",
    ),
    "random ETags, and others in listings": Played(Quirks(etag="random", listed_etag="other"), "gateways", "both"),
    "upper-case MD5s": Played(Quirks(etag="MD5"), "gateways", "they are MD5s"),
    "ETags of time and size": Played(
        Quirks(etag="time"),
        "chimera (chimera-nas/chimera, issue 469)",
        "as for random ones; what was just written is read before it is proven",
    ),
    "sizes of what is stored, not of what was sent": Played(
        Quirks(listed_bytes=28), "gateways that encrypt", "each object gets a HEAD request"
    ),
    "the token of a listing repeats; no DeleteObjects": Played(
        Quirks(pages="repeated", has_bulk_delete=False),
        "RunPod network volumes (runpod/runpod-python, issue 505; RunPod's documentation)",
        "folders are listed one by one, objects deleted one by one",
    ),
}
