"""Fill a bucket with other programs, which split large files into parts in different ways, and compare the bytes.

After the upload, one byte of every second file is flipped on disk; its size and time stay. So half of the files equal
their objects and half do not.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig

from hashmark.embedded.embedded_bucket import read_credentials
from support.stores import BUCKET, SCRIPTS, Store, aws, rclone_remote, run_tool

MIB = 1 << 20

Upload = Callable[[Store, Path, str, int], None]
"""Uploads a folder under a prefix of the bucket, in parts of the given size in MiB."""


def by_aws(store: Store, folder: Path, prefix: str, _part: int) -> None:
    """Use its defaults: parts of 8 MiB, and the checksums that it adds."""
    aws(store, "s3", "cp", "--recursive", "--only-show-errors", folder, f"s3://{BUCKET}/{prefix}/")


def by_old_aws(store: Store, folder: Path, prefix: str, _part: int) -> None:
    """Use the defaults of before 2025: no checksums unless required."""
    command: list[object] = [SCRIPTS / "python", SCRIPTS / "aws", "--endpoint-url", store.endpoint_url, "s3", "cp"]
    command += ["--recursive", "--only-show-errors", folder, f"s3://{BUCKET}/{prefix}/"]
    run_tool(command, store.environment() | {"AWS_REQUEST_CHECKSUM_CALCULATION": "when_required"})


def by_s5cmd(store: Store, folder: Path, prefix: str, part: int) -> None:
    command: list[object] = [SCRIPTS / "s5cmd", "--endpoint-url", store.endpoint_url, "cp", "--part-size", part]
    run_tool([*command, f"{folder}/", f"s3://{BUCKET}/{prefix}/"], store.environment())


def by_rclone(store: Store, folder: Path, prefix: str, part: int) -> None:
    sizes = ["--s3-chunk-size", f"{part}M", "--s3-upload-cutoff", f"{part}M"]
    run_tool([SCRIPTS / "rclone", "copy", *sizes, folder, f"box:{BUCKET}/{prefix}"], rclone_remote(store))


def by_s3cmd(store: Store, folder: Path, prefix: str, part: int) -> None:
    host = store.endpoint_url.removeprefix("http://")
    access, secret = read_credentials(store.credentials_file)
    command: list[object] = [SCRIPTS / "python", SCRIPTS / "s3cmd", f"--config={os.devnull}", "--no-ssl", "--quiet"]
    command += [f"--host={host}", f"--host-bucket={host}", f"--access_key={access}", f"--secret_key={secret}"]
    command += [f"--multipart-chunk-size-mb={part}", "--region=us-east-1", "put", "--recursive"]
    run_tool([*command, f"{folder}/", f"s3://{BUCKET}/{prefix}/"], {})


def _boto3_client(store: Store) -> Any:
    access, secret = read_credentials(store.credentials_file)
    return boto3.client(
        "s3",
        endpoint_url=store.endpoint_url,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
    )


def put_by_boto3(store: Store, key: str, data: bytes) -> None:
    """Write an object under any key, even one that hashmark would not write."""
    client = _boto3_client(store)
    client.put_object(Bucket=BUCKET, Key=key, Body=data)
    client.close()


def by_boto3(store: Store, folder: Path, prefix: str, part: int) -> None:
    """Use another checksum algorithm for each file."""
    client = _boto3_client(store)
    config = TransferConfig(multipart_threshold=part * MIB, multipart_chunksize=part * MIB, max_concurrency=2)
    kinds = ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256")
    for number, path in enumerate(sorted(folder.iterdir())):
        extra = {"ChecksumAlgorithm": kinds[number % len(kinds)]}
        client.upload_file(str(path), BUCKET, f"{prefix}/{path.name}", ExtraArgs=extra, Config=config)
    client.close()


@dataclass(frozen=True)
class PeerUpload:
    """A program, the size of its parts in MiB, and the number of parts of its largest files."""

    name: str
    upload: Upload
    part: int
    parts: int = 1

    def sizes(self) -> list[int]:
        """Return sizes around each part boundary: one byte less, exactly, one byte more."""
        borders = range(self.part * MIB, (self.parts * self.part + 1) * MIB, self.part * MIB)
        return [border + step for border in borders for step in (-1, 0, 1)]


QUICK = (
    PeerUpload("aws", by_aws, 8),
    PeerUpload("aws-without-checksums", by_old_aws, 8),
    PeerUpload("s5cmd-5", by_s5cmd, 5),
    PeerUpload("rclone", by_rclone, 5),
    PeerUpload("boto3", by_boto3, 5),
    PeerUpload("s3cmd-5", by_s3cmd, 5),
)
WHOLE = (
    PeerUpload("aws", by_aws, 8, 2),
    PeerUpload("aws-without-checksums", by_old_aws, 8, 2),
    PeerUpload("s5cmd-5", by_s5cmd, 5, 3),
    PeerUpload("s5cmd", by_s5cmd, 50),
    PeerUpload("rclone", by_rclone, 5, 3),
    PeerUpload("boto3", by_boto3, 8, 2),
    PeerUpload("boto3-6", by_boto3, 6, 2),
    PeerUpload("s3cmd", by_s3cmd, 15),
)


def write_and_upload(store: Store, prefix: str, folder: Path, uploads: Iterable[PeerUpload]) -> None:
    """Write the files of each upload to `folder/NAME`, and upload them to `prefix/NAME` with its program."""
    for upload in uploads:
        here = folder / upload.name
        here.mkdir(parents=True)
        for number, size in enumerate(upload.sizes() * 2):
            (here / f"{size}-{number:02d}.bin").write_bytes(random.Random(f"{upload.name} {number}").randbytes(size))
        upload.upload(store, here, f"{prefix}/{upload.name}", upload.part)


def flip_half(folder: Path) -> int:
    """Flip a byte in every second file: the first, the last, or one at a boundary. Return how many files changed."""
    flipped = 0
    for path in sorted(folder.rglob("*.bin")):
        size, number = (int(word) for word in path.stem.split("-"))
        names = sorted(other.name for other in path.parent.glob(f"{size}-*.bin"))
        if path.name != names[0]:
            at = (0, size - 1, size // MIB * MIB - 1, size // 2)[number % 4]
            facts = path.stat()
            with path.open("r+b") as file:
                file.seek(at)
                byte = file.read(1)
                file.seek(at)
                file.write(bytes([byte[0] ^ 1]))
            os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
            flipped += 1
    return flipped


def truth(store: Store, prefix: str, folder: Path) -> dict[str, bool]:
    """Download every object with `aws`; return for each file whether its bytes are equal."""
    there = folder.with_name(f"{folder.name}-downloaded")
    aws(store, "s3", "cp", "--recursive", "--only-show-errors", f"s3://{BUCKET}/{prefix}/", there)
    names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(there) for path in there.rglob("*") if path.is_file())
    found = {name.as_posix(): (folder / name).read_bytes() == (there / name).read_bytes() for name in names}
    shutil.rmtree(there)
    return found
