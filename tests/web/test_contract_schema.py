"""The running web process held to openapi.yaml: what it takes, what it answers, and what it does with nonsense."""

import subprocess
import sys
from pathlib import Path

from .conftest import ACME, ROOT, Product, Served

# Not asked: `positive_data_acceptance`, because a schema can't say that an account exists or that `to` is not before
# `from`.
LEFT_OUT = "positive_data_acceptance"
# From an accepted job to its address goes by the document's own links; guessed ones name parameters that aren't there.
KINDS = 5  # all that can be asked for: report, fan-out, e-mail, payout, noop
SETTINGS = "[phases.stateful]\ninference.algorithms = []\n"


def test_the_running_system_keeps_its_document(served: Served, product: Product, tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "run", str(ROOT / "openapi.yaml"), "--url", served.url),
        *("--exclude-tag", "events"),  # another process's, and endless
        *("--header", f"Authorization: Bearer {ACME}", "--checks", "all", "--exclude-checks", LEFT_OUT),
        *("--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "6", "--seed", "7", "--no-shrink"),
        *("--workers", "2", "--request-timeout", "10", "--suppress-health-check", "all", "--no-color"),
    ]
    (tmp_path / "schemathesis.toml").write_text(SETTINGS)
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=180)
    assert run.returncode == 0, run.stdout[-12000:] + run.stderr[-2000:]
    assert product.one("SELECT count(DISTINCT kind) FROM jobs") == KINDS, "the tool did not get through to each kind"
