"""The frontend's own tests, which Node runs on the TypeScript as it is, and the width of templates."""

import re
import subprocess
import sys
from pathlib import Path

from hashmark.web import views

TOOL = Path(__file__).parents[2] / "tools" / "frontend.py"
MAX_TEMPLATE_LINE_CHARS = 140


def test_the_frontend_passes_its_own_tests() -> None:
    done = subprocess.run([sys.executable, TOOL, "test"], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    counts = dict(re.findall(r"^\S+ (tests|pass|skipped|todo) (\d+)$", done.stdout, re.MULTILINE))
    assert int(counts["tests"]) > 0
    assert counts == {"tests": counts["tests"], "pass": counts["tests"], "skipped": "0", "todo": "0"}


def test_template_lines_fit_a_screen() -> None:
    templates = Path(views.__file__).parent / "templates"
    long = [
        f"{path.name}:{number}"
        for path in sorted(templates.glob("*.html"))
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if len(line) > MAX_TEMPLATE_LINE_CHARS
    ]
    assert long == []
