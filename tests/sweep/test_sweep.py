"""The sweep as a stranger runs it: on the reference, and on the reference without one of its defences."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from accepted.sweep.ablation import ablations, overlay

ROOT = Path(__file__).resolve().parents[2]
CASE = "payout.send/worker-io → partner: POST /v:n/charges #2"  # the first call is answered with 503


def sweep(pages: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, the result, what was said on standard error)."""
    command = [sys.executable, "-m", "accepted.cli", "sweep", "--json", "--pages", str(pages), "--only", CASE]
    done = subprocess.run([*command, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=240)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_the_call_to_the_partner_is_killed_three_ways_and_charged_once(tmp_path: Path) -> None:
    code, found, said = sweep(tmp_path)
    assert code == 0, said or found
    assert [(one["case"].rpartition("/")[2], one["killed"]) for one in found["cases"]] == [
        ("before", True), ("after", True), ("reply", True),
    ]  # fmt: skip
    assert list(tmp_path.iterdir()) == []


def test_without_the_providers_key_it_is_charged_twice_and_a_page_shows_when(tmp_path: Path) -> None:
    ablation = next(one for one in ablations() if one.defence == "provider key")
    tree = overlay(ROOT / "solutions", ablation, tmp_path)
    code, found, said = sweep(tmp_path / "pages", "--tree", str(tree))
    assert code == 1, said or found
    assert {f["flaw"] for one in found["cases"] for f in one["findings"]} == {"duplicate"}
    pages = [path.read_text() for path in (tmp_path / "pages").iterdir()]
    assert any("SIGKILL" in page and "POST /v:n/charges #2" in page and page.count(">charge ") == 2 for page in pages)
