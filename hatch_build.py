"""Has hatchling build the page and the hashing kernel before a wheel, so that an installed hashmark needs no tools."""

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class BuildHook(BuildHookInterface[BuilderConfig]):
    """Runs `tools/frontend.py` and `tools/native.py`; a wheel to hand out is never made from earlier results."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Build the page, or end the build: what failed has said why. Build the kernel if there is a compiler."""
        root, force = Path(self.root), [] if version == "editable" else ["--force"]
        if subprocess.run(
            [sys.executable, str(root / "tools" / "frontend.py"), "build", *force], check=False
        ).returncode:
            sys.exit("hashmark's page was not built, so neither is the package.")
        subprocess.run([sys.executable, str(root / "tools" / "native.py"), *force], check=True)
        if (root / "src" / "hashmark" / "native" / "md5.so").exists():
            # It is called through ctypes, so it suits every Python, but only this system.
            platform = sysconfig.get_platform().replace("-", "_").replace(".", "_")
            build_data |= {"tag": f"py3-none-{platform}", "pure_python": False}
