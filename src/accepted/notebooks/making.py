"""One notebook: its source executed in a fresh kernel, and the page and pictures that come of it."""

import base64
import re
import time
import warnings
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import papermill
from nbconvert import HTMLExporter

from accepted.notebooks.choosing import NoRun

TIMEOUT = 240  # s: for one cell
SAID = "Made from "
NO_TEXT = 'alt="No description has been provided for this image"'


@dataclass(frozen=True)
class Made:
    """`page` and `pictures` are files; `bundles`: the runs that it says it was made from. `failed`: what went wrong in
    which cell, or None. `missing`: there is no run that it could be made from."""

    name: str
    seconds: float
    page: Path
    pictures: tuple[Path, ...]
    bundles: tuple[str, ...]
    failed: str | None
    missing: str | None = None


def make(source: Path, folder: Path, root: Path) -> Made:
    """Runs the jupytext source in `root` and writes NAME.ipynb, NAME.html and NAME-n.png into the folder.

    A cell that fails ends it; the page then shows how far it came."""
    began = time.monotonic()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{source.stem}.ipynb"
    for old in folder.glob(f"{source.stem}-*.png"):
        old.unlink()
    asked = jupytext.read(source)
    asked.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(asked, path)
    failed = missing = None
    try:
        quietly(path, root)
    except papermill.PapermillExecutionError as error:
        if error.ename == NoRun.__name__:
            missing = error.evalue
        else:
            failed = f"cell {error.exec_count}: {error.ename}: {error.evalue}"
    done = nbformat.read(path, as_version=4)
    page = folder / f"{source.stem}.html"
    page.write_text(html(done, source.stem))
    return Made(source.stem, time.monotonic() - began, page, pictures(done, folder, source.stem), bundles(done), failed,
                missing)  # fmt: skip


def quietly(path: Path, root: Path) -> None:
    """In a kernel that says nothing of its own; what its libraries will do one day is nobody's business here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        papermill.execute_notebook(
            path, path, cwd=root, kernel_name="python3", progress_bar=False, execution_timeout=TIMEOUT,
            start_timeout=TIMEOUT, extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )  # fmt: skip


def html(done: Any, name: str) -> str:
    """A page that needs nothing else: no script and no font from elsewhere."""
    exporter = HTMLExporter(template_name="lab", mathjax_url="", require_js_url="", embed_images=True)
    exporter.exclude_input_prompt = exporter.exclude_output_prompt = True
    exporter.log.setLevel("ERROR")
    body, _ = exporter.from_notebook_node(done, resources={"metadata": {"name": name}})
    for each in outputs(done):
        if "image/png" in each.get("data", {}):  # what the picture says, which the template leaves out
            text = each.metadata.get("image/png", {}).get("alt", "a chart")
            body = body.replace(NO_TEXT, f'alt="{escape(text)}"', 1)
    return re.sub(r'<script src="">\s*</script>', "", body)


def outputs(done: Any) -> list[Any]:
    return [each for cell in done.cells if cell.cell_type == "code" for each in cell.outputs]


def pictures(done: Any, folder: Path, name: str) -> tuple[Path, ...]:
    found: list[Path] = []
    for each in outputs(done):
        if picture := each.get("data", {}).get("image/png"):
            found.append(folder / f"{name}-{len(found) + 1}.png")
            found[-1].write_bytes(base64.b64decode(picture))
    return tuple(found)


def bundles(done: Any) -> tuple[str, ...]:
    lines = [line for each in outputs(done) if each.output_type == "stream" for line in each.text.splitlines()]
    return tuple(dict.fromkeys(line.removeprefix(SAID) for line in lines if line.startswith(SAID)))
