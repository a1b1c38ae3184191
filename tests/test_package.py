"""The packages: the wheel contains the built page, the sdist its sources."""

import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tools import native

ROOT = Path(__file__).parents[1]
STATIC = "hashmark/web/static"
REGISTRIES = tuple(
    ".".join(name).encode() for name in (("registry", "npmjs"), ("pypi", "org/simple"), ("files", "pythonhosted"))
)


class Packages(NamedTuple):
    """The files of each package by name; those of the sdist without its top folder."""

    wheel: Mapping[str, bytes]
    wheel_of_sdist: Mapping[str, bytes]
    sdist: frozenset[str]


def sources() -> list[Path]:
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [Path(name) for name in names if name and (ROOT / name).is_file()]


def run(*arguments: str | Path, cwd: Path) -> None:
    done = subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def unzipped(folder: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        return {name: wheel.read(name) for name in wheel.namelist()}


def test_what_the_wheel_depends_on_is_pinned_with_hashes() -> None:
    """`requirements.txt` can be installed alone: it has each dependency, direct or not, in the version of the tests."""
    pinned = {}
    text = (ROOT / "requirements.txt").read_text().replace("\\\n", "")
    for line in (line for line in text.splitlines() if not line.startswith("#")):
        pin, *hashes = line.split()
        assert hashes
        assert all(re.fullmatch("--hash=sha256:[0-9a-f]{64}", each) for each in hashes), pin
        name, _, version = pin.partition("==")
        pinned[canonicalize_name(name)] = version
    tested = [line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines()[1:]]
    assert pinned.items() <= {canonicalize_name(name): version for name, version in tested}.items()
    wanted = {canonicalize_name("hashmark")}
    seen = set(wanted)
    while wanted:
        requirements = map(Requirement, metadata.requires(wanted.pop()) or [])
        needed = {canonicalize_name(r.name) for r in requirements if not r.marker or r.marker.evaluate({"extra": ""})}
        assert needed <= pinned.keys()
        wanted |= needed - seen
        seen |= needed


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    tree, out, again = (tmp_path_factory.mktemp(name) for name in ("tree", "out", "again"))
    for source in sources():
        (tree / source).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / source, tree / source)
    # Files of an earlier build, newer than every source.
    web = tree / "src" / "hashmark" / "web"
    for left in ("page.js", "page.css", "licenses.txt", "page.js.map"):
        (web / "static").mkdir(exist_ok=True)
        (web / "static" / left).write_text("stale")
    (web / "frontend" / "node_modules" / "left").mkdir(parents=True)
    (web / "frontend" / "node_modules" / "left" / "index.js").write_text("stale")

    run("hatchling", "build", "--target", "sdist", "--directory", out, cwd=tree)
    run("hatchling", "build", "--target", "wheel", "--directory", out, cwd=tree)
    sdist = next(out.glob("*.tar.gz"))
    # As a user's pip does: in an isolated environment with the package's build requirements.
    run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", again, sdist, cwd=again)
    with tarfile.open(sdist) as archive:
        names = frozenset(name.partition("/")[2] for name in archive.getnames())
    return Packages(unzipped(out), unzipped(again), names)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_contains_the_page_built_from_the_sources(packages: Packages) -> None:
    page = {name for name in packages.wheel if name.startswith(f"{STATIC}/")}
    drawings = [path.name for path in sources() if path.match("src/hashmark/web/frontend/src/*.svg")]
    assert page == {f"{STATIC}/{name}" for name in ("page.js", "page.css", "licenses.txt", *drawings)}
    assert b"stale" not in {packages.wheel[name] for name in page}
    templates = {
        path.relative_to("src").as_posix() for path in sources() if path.match("src/hashmark/web/templates/*.html")
    }
    assert templates <= packages.wheel.keys()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_contains_the_hashing_kernel_where_there_is_a_compiler(packages: Packages) -> None:
    (wheel,) = (text.decode() for name, text in packages.wheel.items() if name.endswith(".dist-info/WHEEL"))
    has_kernel = "hashmark/native/md5.so" in packages.wheel
    assert has_kernel == any(map(shutil.which, native.COMPILERS))
    assert ("Root-Is-Purelib: false" in wheel) == has_kernel
    assert ("Tag: py3-none-any" in wheel) != has_kernel
    assert "Tag: py3-none-" in wheel


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_names_the_licences_of_what_is_in_the_page(packages: Packages) -> None:
    page, licences = (packages.wheel[f"{STATIC}/{name}"].decode() for name in ("page.js", "licenses.txt"))
    assert "htmx.org" in licences
    assert "THE SOFTWARE IS PROVIDED" in licences
    assert ("@tanstack/virtual-core" in licences) == ("getVirtualItems" in page)
    assert "axe-core" not in licences


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_wheel_contains_nothing_that_only_its_build_needs(packages: Packages) -> None:
    assert [
        name for name in packages.wheel if "node_modules" in name or "frontend" in name or name.endswith(".ts")
    ] == []
    assert {name.partition("/")[0] for name in packages.wheel if ".dist-info/" not in name} == {"hashmark"}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_sdist_builds_the_same_wheel(packages: Packages) -> None:
    made = [name for name in packages.sdist if "node_modules" in name or name.startswith(f"src/{STATIC}")]
    assert made == []
    assert {"hatch_build.py", "tools/frontend.py", "src/hashmark/web/frontend/package-lock.json"} <= packages.sdist
    assert packages.wheel_of_sdist == packages.wheel


def test_no_file_names_the_address_of_a_package_registry() -> None:
    named = [str(path) for path in sources() if any(registry in (ROOT / path).read_bytes() for registry in REGISTRIES)]
    assert named == []
