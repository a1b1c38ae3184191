"""The fault matrix: what each row is, and what is required of hashmark under it."""

from __future__ import annotations

ROWS: dict[int, tuple[str, str]] = {
    1: ("SIGKILL during download", "old or new file, never mixed"),
    2: (
        "SIGKILL before what is proven is recorded",
        "the next run converges without a false conflict",
    ),
    3: ("SIGKILL in an upload in parts", "no visible object; the parts are aborted by the next push"),
    4: ("power loss", "fsync of the file, rename, fsync of the folder, in this order"),
    5: ("disk full", "old file kept, unfinished gone, run stops"),
    6: ("read-only tree", "fails before anything is transferred"),
    7: ("unreadable source file", "an error, not a deleted file"),
    8: ("source changes during upload", "given up before it is visible"),
    9: ("edit that keeps size and mtime", "seen"),
    10: ("edit within one tick of the clock", "seen: the digest is not remembered"),
    11: ("local edit after the plan", "left as it is"),
    12: ("remote edit after the plan", "the condition fails; a conflict"),
    13: ("server ignores conditions", "found by the probe; each write preceded by a look, and said so"),
    14: ("two uploaders of one new file", "one wins, the other hears of a conflict"),
    15: ("both sides edited", "both kept"),
    16: ("delete against edit", "the edit survives"),
    17: ("response lost after the PUT landed", "digests compared, then success"),
    18: ("412 from our own retry", "as 17"),
    19: ("burst of 503 SlowDown", "fewer at once, and the run finishes"),
    20: ("status 200 with an error in the body", "a failure"),
    21: ("reset, stall, 1 kB/s", "tried again; the version pinned by its ETag"),
    22: ("truncated body", "tried again, never put in place"),
    23: ("flipped byte in GET", "digest mismatch, tried once more, never put in place"),
    24: ("flipped byte in PUT", "the store refuses it, or reading back finds it"),
    25: ("bit-rot at rest", "verify names the object; it is never pulled"),
    26: ("object replaced between ranges", "the condition stops it"),
    27: ("a page or an error with status 200 for a listing", "a listing error; nothing is deleted"),
    28: ("listing cut short, or going round", "as 27"),
    29: ("listing fails at page 3", "as 27"),
    30: ("empty source, or more than a tenth deleted", "refused, or only with the number"),
    31: ("DeleteObjects fails in part", "told for each key"),
    32: ("delete or overwrite applied", "comes back from the trash"),
    33: (
        "keys with `..`, `//`, backslash, NUL, CON, an absolute path",
        "refused by name; the rest goes on; exit 4",
    ),
    34: ("names that differ in case or accents' spelling", "both refused before anything is written"),
    35: ("symlinked parent or target", "never followed"),
    36: ("clock a day off; 403 for skew", "decisions unchanged; the message names the clock"),
    37: ("expired token, wrong region", "the run stops, says what to do, and resumes"),
    38: ("redirect", "refused; the token goes nowhere"),
    39: ("hostile request to the page", "403, nothing changes"),
    40: ("decompression bomb; markup in names and captions; metadata address", "bounded, inert, out of reach"),
}

TOLD: dict[int, str] = {
    4: "A power cut itself can't be made here: a killed process loses nothing that the kernel holds. So the order of "
    "the system calls is asserted instead, from outside by strace where it is installed and from inside otherwise.",
    21: "The idle timeout and the retries are the AWS runtime's own and have no guard in this code to remove; the last "
    "test shows what happens when they do not help.",
    25: "SeaweedFS knows rot by its own checksums and refuses the object; one that serves it is played by the proxy.",
    34: "The kernel here has no vfat, so no case-insensitive disk is written to: the collision is found by the "
    "names alone, and nothing is written.",
    36: "libfaketime is not part of the project's set-up, so the clocks are moved where hashmark reads them: the "
    "interpreter's, the files' dates and the listing's. The signing clock of the runtime is not moved: the store's "
    "answer to it is played (with row 37).",
    38: "That no redirect is followed is the runtime's way; the guard is seen by making our code follow.",
    40: "The browser can't name an endpoint at all: no route takes one, so there is no address to block.",
}
"""What could not be run as the matrix has it, and what is done instead."""
