"""The frontend's own tests, which Node runs on the TypeScript as it is."""

import re
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "frontend.py"


def test_the_frontend_passes_its_own_tests() -> None:
    done = subprocess.run([sys.executable, TOOL, "test"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^\S+ (tests|pass|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    assert int(counts["tests"]) > 0
    assert counts == {"tests": counts["tests"], "pass": counts["tests"], "skipped": "0", "todo": "0"}
