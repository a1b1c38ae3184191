"""Prints the requirements of dependency groups in pyproject.toml, for a pip that does not know `--group` yet.

`build` is what the package is built with.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
groups = {"build": project["build-system"]["requires"], **project["dependency-groups"]}
sys.stdout.write("\n".join(requirement for name in sys.argv[1:] for requirement in groups[name]) + "\n")
