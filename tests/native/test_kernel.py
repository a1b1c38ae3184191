"""The kernel that hashes many streams and files at once: hashlib's digests, a file's stamp, and an error where due."""

from __future__ import annotations

import errno
import hashlib
import os
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.disk.walk import stamp_of
from hashmark.native import kernel as kernel_module
from hashmark.native.kernel import CHANGED, COUNT, NOT_A_FILE, Kernel, loaded
from tools import native

BUFFER = 64 << 10
"""What the kernel reads of a file at a time."""

EDGES = sorted({n * edge + d for edge in (64, BUFFER) for n in range(1, 4) for d in range(-10, 3)} | {0, 1, 300_000})
"""Sizes around the edges of blocks, of the padding, and of what is read at a time."""


@pytest.fixture(name="kernel", scope="module")
def fixture_kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    """Return the kernel as it is built, or with what `make native-check` adds."""
    path = tmp_path_factory.mktemp("native") / "md5.so"
    why = native.compile_to(path, os.environ.get("NATIVE_FLAGS", "").split())
    if why.startswith("there is no C compiler"):
        pytest.skip(why)
    assert not why
    return Kernel(path)


def md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def test_streams_of_every_size_around_an_edge_have_hashlibs_digests(kernel: Kernel) -> None:
    contents = [random.Random(size).randbytes(size) for size in EDGES]
    assert kernel.digests(contents) == list(map(md5, contents))


@given(st.lists(st.binary(max_size=400), max_size=3 * COUNT))
def test_any_number_of_streams_have_hashlibs_digests(kernel: Kernel, contents: list[bytes]) -> None:
    assert kernel.digests(contents) == list(map(md5, contents))


def test_files_of_every_size_have_their_digests_and_stamps(kernel: Kernel, tmp_path: Path) -> None:
    paths = []
    for size in EDGES:
        path = tmp_path / f"{size}"
        path.write_bytes(random.Random(size).randbytes(size))
        paths.append(path)
    for path, found in zip(paths, kernel.files([os.fspath(path) for path in paths]), strict=True):
        *stamp, digest, error, content = found
        assert (tuple(stamp), digest, error) == (tuple(stamp_of(path.stat())), md5(path.read_bytes()), 0), path.name
        assert content is None or found.size == 0


@pytest.mark.parametrize("room", [1, 64, 4096])
def test_the_contents_of_small_files_are_kept(kernel: Kernel, tmp_path: Path, room: int) -> None:
    contents = [random.Random(size).randbytes(size) for size in [*EDGES, room - 1, room, room + 1]]
    for number, content in enumerate(contents):
        (tmp_path / f"{number}").write_bytes(content)
    (tmp_path / "1").unlink()
    found = kernel.files([os.fspath(tmp_path / f"{number}") for number in range(len(contents))], room)
    expected = [content if len(content) <= room else None for content in contents]
    assert (found[1].error, found[1].digest) == (errno.ENOENT, bytes(16))
    assert [file.content for file in found[2:]] == expected[2:]
    assert found[0].content == expected[0]


@given(st.lists(st.integers(0, 3 * BUFFER), max_size=3 * COUNT))
def test_any_number_of_files_have_their_digests(
    kernel: Kernel, tmp_path_factory: pytest.TempPathFactory, sizes: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    contents = [random.Random(size).randbytes(size) for size in sizes]
    for number, content in enumerate(contents):
        (folder / f"{number}").write_bytes(content)
    found = kernel.files([os.fspath(folder / f"{number}") for number in range(len(sizes))])
    assert [(file.digest, file.error) for file in found] == [(md5(content), 0) for content in contents]


@pytest.mark.timeout(20)
def test_what_cannot_be_read_has_an_error_and_the_others_their_digests(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    names = ["missing", "a", "pipe", ".", "loop", "link", "a/b"]
    found = kernel.files([os.fspath(tmp_path / name) for name in names])
    errors = [errno.ENOENT, 0, NOT_A_FILE, NOT_A_FILE, errno.ELOOP, 0, errno.ENOTDIR]
    assert [file.error for file in found] == errors
    assert [file.digest for file in found if not file.error] == [md5(b"a")] * 2
    assert kernel.files([]) == []


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_a_file_with_more_bytes_than_the_system_says_has_no_digest(kernel: Kernel) -> None:
    (found,) = kernel.files(["/proc/self/status"])
    assert found.error == CHANGED


@pytest.fixture(name="edited")
def fixture_edited(tmp_path: Path) -> Iterator[Path]:
    """Return a file that another thread replaces the bytes of all the time: each version is of one byte."""
    path, stop = tmp_path / "edited", threading.Event()
    path.write_bytes(b"a" * 5 * BUFFER)

    def edit() -> None:
        versions = random.Random(1)
        while not stop.is_set():
            with path.open("r+b", buffering=0) as file:
                size = versions.randrange(1, 5 * BUFFER)
                file.write(bytes([versions.randrange(256)]) * 5 * BUFFER)
                file.truncate(size)

    thread = threading.Thread(target=edit)
    thread.start()
    yield path
    stop.set()
    thread.join()


def test_a_file_that_changes_while_it_is_read_has_no_digest(kernel: Kernel, edited: Path) -> None:
    errors = {kernel.files([os.fspath(edited)] * COUNT)[-1].error for _ in range(300)}
    assert CHANGED in errors
    assert errors <= {0, CHANGED}


def test_no_descriptor_stays_open(kernel: Kernel, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    before = len(list(Path("/dev/fd").iterdir()))
    kernel.files([os.fspath(tmp_path / name) for name in ("a", "missing", ".", "a")] * 20)
    assert len(list(Path("/dev/fd").iterdir())) == before


@pytest.fixture(name="afresh")
def fixture_afresh() -> Iterator[None]:
    loaded.cache_clear()
    yield
    loaded.cache_clear()


@pytest.mark.usefixtures("afresh")
def test_the_kernel_is_not_used_where_it_is_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HASHMARK_KERNEL", "off")
    assert loaded() is None


@pytest.mark.usefixtures("afresh")
@pytest.mark.parametrize(
    ("broken", "by"),
    [
        (f"return {kernel_module.INTERFACE};\n", f"return {kernel_module.INTERFACE + 1};\n"),
        ("0xd76aa478", "0xd76aa479"),
        ("hashmark_md5_files", "hashmark_md5_documents"),
    ],
    ids=["another build", "wrong digests", "something else"],
)
def test_the_kernel_is_not_used_where_it_is_broken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kernel: Kernel, broken: str, by: str
) -> None:
    text = native.SOURCE.read_text()
    assert broken in text
    (tmp_path / "md5.c").write_text(text.replace(broken, by, 1))
    monkeypatch.setattr(native, "SOURCE", tmp_path / "md5.c")
    assert not native.compile_to(tmp_path / "md5.so")
    monkeypatch.setattr(kernel_module, "LIBRARY", tmp_path / "md5.so")
    assert loaded() is None


@pytest.mark.usefixtures("afresh")
def test_a_file_that_is_no_kernel_is_not_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(kernel_module, "LIBRARY", tmp_path / "md5.so")
    assert loaded() is None
    (tmp_path / "md5.so").write_bytes(b"no kernel")
    assert loaded() is None


@pytest.fixture(name="built")
def fixture_built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Return where the kernel is built, with what an earlier build has left there."""
    path = tmp_path / "md5.so"
    path.write_bytes(b"earlier")
    os.utime(path, (0, 0))
    monkeypatch.setattr(native, "LIBRARY", path)
    return path


def test_without_a_compiler_there_is_no_kernel_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], built: Path
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv("PATH", "")
    native.build(force=False)
    assert not built.exists()
    line = "hashmark is built without its hashing kernel, and will hash more slowly: there is no C compiler"
    assert capfd.readouterr().err == f"{line} (cc, gcc, clang).\n"


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_if_the_compiler_fails_there_is_no_kernel_and_the_reason_is_printed(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], built: Path, compiler: str
) -> None:
    monkeypatch.setenv("CC", compiler)
    native.build(force=True)
    assert not built.exists()
    assert f"more slowly: {compiler} " in capfd.readouterr().err


@pytest.mark.usefixtures("kernel")
def test_the_kernel_is_built_again_only_if_its_source_is_newer(built: Path) -> None:
    native.build(force=False)
    first = built.stat()
    assert first.st_size > 1000
    native.build(force=False)
    assert built.stat().st_mtime_ns == first.st_mtime_ns
    native.build(force=True)
    assert built.stat().st_mtime_ns > first.st_mtime_ns


def test_the_stamps_of_files_are_those_of_stat(kernel: Kernel, tmp_path: Path) -> None:
    paths = [os.fspath(tmp_path / f"{size}") for size in range(3)]
    for size, path in enumerate(paths):
        Path(path).write_bytes(bytes(size))
    (tmp_path / "link").symlink_to("2")
    paths.append(os.fspath(tmp_path / "link"))
    found = kernel.stamps(paths)
    assert found is not None
    assert list(zip(*found, strict=True)) == [tuple(stamp_of(Path(path).stat())) for path in paths]


@pytest.mark.parametrize("odd", ["folder", "pipe", "missing", "loop"])
def test_there_are_no_stamps_where_one_is_not_that_of_a_file(kernel: Kernel, tmp_path: Path, odd: str) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").touch()
    assert kernel.stamps([os.fspath(tmp_path / "file"), os.fspath(tmp_path / odd)]) is None
    assert kernel.stamps([]) is None
