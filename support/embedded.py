"""What Linux tells of a running embedded bucket."""

from __future__ import annotations

import json
from pathlib import Path

from hashmark.embedded.embedded_bucket import EmbeddedBucket


def ports_of(box: EmbeddedBucket) -> list[int]:
    """The ports at which the server of this bucket listens, from Linux's tables."""
    supervisor = json.loads((box.folder / "address.json").read_text())["pid"]
    (server,) = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    open_files = [str(file.readlink()) for file in Path(f"/proc/{server}/fd").iterdir()]
    ports = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()  # proc(5): the second is the address, the fourth the state, the tenth the inode
        if fields[3] == "0A" and f"socket:[{fields[9]}]" in open_files:
            ports.append(int(fields[1].rpartition(":")[2], 16))
    return ports
