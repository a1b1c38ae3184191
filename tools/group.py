"""Print the requirements of dependency groups in pyproject.toml, for versions of pip without `--group`.

The group `build` stands for the build system's requirements.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parent.parent / "pyproject.toml").read_text(encoding="utf-8"))
groups = {"build": project["build-system"]["requires"], **project["dependency-groups"]}
sys.stdout.write("\n".join(requirement for name in sys.argv[1:] for requirement in groups[name]) + "\n")
