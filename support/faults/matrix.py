"""The fault matrix: each row's fault, and what hashmark must do."""

from __future__ import annotations

ROWS: dict[int, tuple[str, str]] = {
    1: ("SIGKILL during download", "old or new file, never mixed"),
    2: (
        "SIGKILL before proven content is recorded",
        "the next run converges without a false conflict",
    ),
    3: ("SIGKILL during a multipart upload", "no visible object; the next push continues the upload"),
    4: ("power loss", "fsync of the file, rename, fsync of the folder, in this order"),
    5: ("disk full", "old file kept, temporary file removed, run stops"),
    6: ("read-only tree", "fails before anything is transferred"),
    7: ("unreadable source file", "an error, not a deleted file"),
    8: ("source changes during upload", "aborted before it is visible"),
    9: ("edit that keeps size and mtime", "seen"),
    10: ("edit within one clock tick", "seen: the digest is not cached"),
    11: ("local edit after the plan", "not overwritten"),
    12: ("remote edit after the plan", "the condition fails; a conflict"),
    13: ("server ignores conditions", "detected by the probe; a HEAD precedes each write, and the summary says so"),
    14: ("two uploaders of one new file", "one succeeds, the other gets a conflict"),
    15: ("both sides edited", "both kept"),
    16: ("deleted on one side, edited on the other", "the edit survives"),
    17: ("response lost after the PUT landed", "digests are compared, then success"),
    18: ("412 from our own retry", "like row 17"),
    19: ("burst of 503 SlowDown", "lower concurrency; the run finishes"),
    20: ("status 200 with an error in the body", "a failure"),
    21: ("reset, stall, 1 kB/s", "retried; the version is pinned by its ETag"),
    22: ("a body shorter than the object, or longer than announced", "never put in place; what is short is retried"),
    23: ("flipped byte in GET", "digest mismatch, retried once, never put in place"),
    24: ("flipped byte in PUT", "the store refuses it, or reading back detects it"),
    25: ("bit-rot at rest", "verify names the object; it is never pulled"),
    26: ("object replaced between ranges", "the condition stops it"),
    27: ("an HTML page or an error with status 200 for a listing", "a listing error; nothing is deleted"),
    28: ("truncated listing, or one that loops", "like row 27"),
    29: ("listing fails at page 3", "like row 27"),
    30: ("empty source, or more than a tenth deleted", "refused, or only with the exact number"),
    31: ("DeleteObjects fails in part", "reported for each key"),
    32: ("delete or overwrite applied", "restored from the trash"),
    33: (
        "keys with `..`, `//`, backslash, NUL, CON, an absolute path",
        "refused by name; the rest continues; exit 4",
    ),
    34: ("names that differ only in case or Unicode normalization", "both refused before anything is written"),
    35: ("symlinked parent or target", "never followed"),
    36: ("clock a day off; 403 for clock skew", "decisions unchanged; the message names the clock"),
    37: ("expired token, wrong region", "the run stops, says what to do, and resumes"),
    38: ("redirect", "refused; the token is sent nowhere"),
    39: ("hostile request to the page", "403, nothing changes"),
    40: ("decompression bomb; markup in names and captions; metadata address", "bounded, inert, out of reach"),
    41: ("another user, or a page on another port, reaches for the embedded bucket", "nothing is read or changed"),
    42: ("a symlink at or below `.hashmark` in an unpacked folder", "never followed"),
    43: ("`hashmark.toml` names an endpoint that the user never named", "nothing is sent there without permission"),
    44: ("over a thousand half-open requests", "the page answers"),
    45: ("connection cut amid a body, in either direction", "sent again, whole"),
    46: ("a store that accepts and never answers; a TLS handshake that stalls", "fails within a minute"),
    47: ("an answer or an error without end", "an error; a bounded part of it is read"),
    48: ("a name that cannot be looked up for a moment", "looked up again"),
    49: ("a proxy that demands a login", "the message says so"),
    50: ("the beginning of an upload is not confirmed", "not begun again"),
    51: ("a clock that is off, and a store that tells its time", "corrected once, by the answer's Date"),
    52: ("a large file's transfer ends in the middle", "the next run continues it, and proves the whole"),
    53: ("an object rewritten through a mount, with its old ETag", "read again, or grey: no longer proven"),
    54: ("a listing that lags behind what was written", "looked up; nothing is deleted or overwritten for it"),
    55: ("a file system that hides changes of a file", "every check reads every file, and says so"),
    56: ("a store that refuses or ignores conditions, or takes some", "nobody's change is overwritten"),
    57: ("a listing with other sizes or ETags than the objects have", "a HEAD request for each; no false verdict"),
    58: ("a listing whose token repeats", "complete, folder by folder"),
}

LIMITS: dict[int, str] = {
    4: "A power loss cannot be simulated here: a killed process loses nothing that the kernel holds. The test asserts "
    "the order of the system calls instead, with strace if it is installed, else from inside the process.",
    25: "SeaweedFS detects bit-rot by its own checksums and refuses the object; the proxy plays a store that "
    "serves it.",
    34: "The kernel here has no vfat, so no case-insensitive disk is involved: the names alone show the collision, and "
    "nothing is written.",
    36: "libfaketime is not part of the project's set-up, so the test shifts the clocks that hashmark reads: the "
    "interpreter's, the files' dates and the listing's. It does not shift the runtime's signing clock; row 37 injects "
    "the store's answer to a skewed one.",
    40: "The browser cannot name an endpoint: no route takes one, so there is no address to block.",
}
"""Rows that cannot run as the matrix describes, and what the tests do instead."""
