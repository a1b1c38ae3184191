"""Has hatchling build the page's frontend before a wheel, so that an installed hashmark needs neither Node nor npm."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class FrontendHook(BuildHookInterface[BuilderConfig]):
    """Runs `tools/frontend.py build`; a wheel to hand out is never made from an earlier bundle."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling passes both
        """Build the page, or end the build: what failed has said why."""
        command = [sys.executable, str(Path(self.root) / "tools" / "frontend.py"), "build"]
        if subprocess.run([*command, *([] if version == "editable" else ["--force"])], check=False).returncode:
            sys.exit("hashmark's page was not built, so neither is the package.")
