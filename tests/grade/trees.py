"""Trees that behave badly: everything of exercise 1 done, and something put into it that nobody asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil

from accepted.grade.exercise import find
from accepted.ladder import ROOT, compose

COMMAND = [sys.executable, "-m", "accepted.cli", "check"]
SERVER = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        healthy = self.path == "/healthz" and "{healthz}" == "200"
        self.send_response(200 if healthy else 500)
        self.send_header("Content-Length", "0")
        self.end_headers()
    do_POST = do_PUT = do_GET

HTTPServer(("127.0.0.1", {port}), Answers).serve_forever()
"""


def with_code(folder: Path, code: str, known_bad: str | None = None) -> Path:
    """`code` runs when its routes are imported, in whatever process does that."""
    tree = find(1).known_bad(known_bad, folder) if known_bad else compose(folder, 1)
    routes = tree / "shared" / "routes.py"
    routes.write_text(f"{routes.read_text()}\n\n{code}")
    return tree


def with_web(folder: Path, port: str, healthz: int) -> Path:
    """Its web is a small server of its own, which answers 500 but perhaps for GET /healthz."""
    tree = compose(folder, 1)
    (tree / "server.py").write_text(SERVER.format(port=port, healthz=healthz))
    lines = (tree / "Procfile").read_text().splitlines()
    web = f"web: python {tree / 'server.py'}"
    (tree / "Procfile").write_text("\n".join(web if line.startswith("web:") else line for line in lines) + "\n")
    return tree


def check(tree: Path, results: Path, *more: str, number: int = 1, **env: str) -> tuple[int, dict[str, Any]]:
    """The exit code of `accepted check`, and what results/NN.json says."""
    command = [*COMMAND, str(number), "--tree", str(tree), "--json", "--results", str(results), *more]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **env}, capture_output=True, text=True, timeout=240)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def statuses(report: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["status"] for one in report["checks"]}


def failed(report: dict[str, Any]) -> dict[str, Any]:
    """The first check that failed."""
    return next(one for one in report["checks"] if one["status"] == "fail")


def running(argument: str) -> list[psutil.Process]:
    """Processes with that among their arguments."""
    found = []
    for each in psutil.process_iter():
        try:
            if argument in each.cmdline() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
        except psutil.Error:
            continue
    return found
