"""The demo as a stranger runs it, and the same demo on a system whose natural key is switched off."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def demo(*arguments: str) -> tuple[int, dict[str, Any], str]:
    """(exit code, the closing count, what was said on standard error)."""
    command = [sys.executable, "-m", "accepted.cli", "demo", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=180)
    return done.returncode, json.loads(done.stdout) if done.stdout else {}, done.stderr


def test_the_story_ends_with_one_effect_for_each_key() -> None:
    code, closing, said = demo()
    assert code == 0, said or closing
    assert closing["accepted"] == closing["done"] > 100
    assert (closing["retried"], closing["dead_lettered"], closing["requeued"]) == (2, 1, 1)
    assert set(closing["effects"].values()) == {1}


def test_without_the_natural_key_the_killed_payout_is_paid_twice_and_the_demo_says_so(tmp_path: Path) -> None:
    tree = tmp_path / "no_natural_key"
    shutil.copytree(ROOT / "solutions", tree, ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "shared" / "effects.py").write_text(
        "from uuid import uuid4\n\ndef once(key, act, *, claim=None):\n    return act(f'{key}:{uuid4()}')\n"
    )
    code, closing, said = demo("--tree", str(tree))
    assert code == 1, closing
    assert not closing["holds"], said
    doubled = [wrong for wrong in closing["wrong"] if "payout:demo-settlement-1" in wrong]
    assert len(doubled) >= 2, closing["wrong"]  # two charges under keys that nobody asked for
