"""The fault rig: a scripted HTTP server, alone or in front of a real store, and the fault matrix.

`server` delivers scripted answers; `proxy` stands in front of a store and injects faults; `world` has libraries that
use the proxy; `killing` runs commands that are killed; `matrix` lists the faults, `guards` the code that each relies
on; `report` writes the table.
"""

from support.faults.proxy import Proxy, forward, proxied
from support.faults.server import NS, Reply, Request, Scripted, error, listing, scripted

__all__ = ["NS", "Proxy", "Reply", "Request", "Scripted", "error", "forward", "listing", "proxied", "scripted"]
