"""The fault rig: a scripted HTTP server, alone or before a real store, and the matrix of faults that it plays.

`server` answers and delivers, well or badly; `proxy` stands before a store and knows the faults by name; `world` is
libraries behind it; `guards` names what each row of the matrix rests on; `report` writes the table.
"""

from support.faults.proxy import Proxy, forward, proxied
from support.faults.server import NS, Reply, Request, Scripted, error, listing, scripted

__all__ = ["NS", "Proxy", "Reply", "Request", "Scripted", "error", "forward", "listing", "proxied", "scripted"]
