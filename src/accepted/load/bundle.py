"""What a run leaves in `results/load/<run>/`. `loadtests/schema` describes each file.

Events are JSON lines, compressed: a run of a few minutes has some thousand rows, which any language reads, and a
Parquet library would be larger than everything else of the kit together.
"""

import base64
import gzip
import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from accepted.load.account import Account
from accepted.load.figures import TIMES, Figures, histogram
from accepted.load.scenario import Scenario
from accepted.load.summary import Ran, summary


def leave(folder: Path, ran: Ran) -> None:
    """All that a finished run leaves."""
    zero = float(ran.manifest["zero"])
    write(folder, "manifest.json", ran.manifest)
    write_events(folder, ran.account, zero)
    write_lines(folder / "samples.jsonl.gz", ({**one, "at": round(one["at"] - zero, 3)} for one in ran.samples))
    faults = [{**one, "at": round(one["at"] - zero, 3)} for one in ran.faults]
    write(folder, "faults.json", {"schema": "faults/v1", "faults": faults})
    write_histograms(folder, ran.figures)
    write(folder, "summary.json", summary(ran))
    write(folder, "verdict.json", ran.verdict.as_dict())
    for name in ("sent.jsonl", "plan.json"):  # all that is in them is in the events
        (folder / name).unlink(missing_ok=True)


def write(folder: Path, name: str, what: Mapping[str, Any]) -> None:
    (folder / name).write_text(json.dumps(what, indent=1, ensure_ascii=False, default=str, allow_nan=False) + "\n")


def write_lines(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Compressed, the same bytes for the same rows."""
    with path.open("wb") as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0, filename="") as packed:
        for row in rows:
            packed.write(json.dumps(row, ensure_ascii=False, default=str).encode() + b"\n")


def read_lines(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt") as lines:
        return [json.loads(line) for line in lines]


def write_events(folder: Path, found: Account, zero: float) -> None:
    """A row a job; times in seconds since zero."""
    rows = []
    for row in found.rows:
        each = asdict(row)
        rows.append({k: round(v - zero, 6) if k.startswith("t_") and v is not None else v for k, v in each.items()})
    write_lines(folder / "events.jsonl.gz", rows)


def write_histograms(folder: Path, figures: Figures) -> None:
    """HDR histograms in HdrHistogram's own compressed form, in µs: one for each metric and phase."""
    for metric in TIMES:
        lines = []
        for phase in figures.scenario.phases:
            found, beside = histogram(figures.values(metric, phase.name))
            packed = found.encode()
            text = packed.decode() if isinstance(packed, bytes) else base64.b64encode(packed).decode()
            lines.append(json.dumps({"phase": phase.name, "unit": "µs", **beside, "count": found.get_total_count(),
                                     "hdr": text}, ensure_ascii=False))  # fmt: skip
        (folder / f"{metric}.hlog").write_text("\n".join(lines) + "\n")


def fingerprint(scenario: Scenario, seed: int) -> str:
    """Of everything that decides what arrives when."""
    return hashlib.sha256(json.dumps([asdict(scenario), seed], sort_keys=True).encode()).hexdigest()[:16]


def revision(root: Path) -> dict[str, Any]:
    """The commit, and whether the tree has changes that it does not have."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, timeout=20, check=False)
        return done.stdout.strip()

    try:
        return {"commit": git("rev-parse", "HEAD") or None, "changed": bool(git("status", "--porcelain", "-uno"))}
    except OSError:
        return {"commit": None, "changed": None}


def version(git: Mapping[str, Any]) -> str:
    """A `revision` in one word: its commit, with a `+` where files differ from it."""
    return f"{git['commit'] or 'no commit'}{'+' if git['changed'] else ''}"
