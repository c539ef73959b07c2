"""`accepted start`: the tree of someone who is about to do an exercise."""

import os
import secrets
import shutil
import time
from pathlib import Path

import click

from accepted.ladder import compose, files, rungs
from accepted.loop import journal, stash
from accepted.loop.options import NUMBER, as_json, directory
from accepted.loop.standing import next_of, standings
from accepted.loop.telling import Said, brief
from accepted.loop.work import Work, found
from accepted.stack.environment import CHOICES, settle
from accepted.stack.errors import Problem, cannot_write


@click.command()
@click.option("--at", type=NUMBER, metavar="N", help="Begin there: what comes before is done as the reference does it.")
@click.option("--backend", envvar="BACKEND", type=click.Choice(CHOICES), help="The broker and its library; the same "
              "tree serves all.  [default: $BACKEND, else rq]")  # fmt: skip
@directory
@as_json
def start(at: int | None, backend: str | None, directory: Path, as_json: bool) -> None:
    """Make the tree that you work in: the app that everyone ships first.

    Where there is one already you go on with that one; with --at it begins anew, and your files go into a stash first.
    """
    began = time.monotonic()
    said, hint, kept = Said(as_json), None, None
    if backend:
        backend, hint = settle(backend, os.environ)
    with stash.alone(found(directory) or Work(directory)):
        before = found(directory)
        if before is None:
            _make(Work(directory, backend or "rq", _below(at or 1)), at or 1)
        elif at is not None:
            kept = _anew(before.with_(backend=backend or before.backend, given=_below(at)), at, said)
        elif backend and backend != before.backend:
            before.with_(backend=backend).save()
    work = found(directory) or Work(directory)
    outcome = "made" if before is None else "begun anew" if at else "still there"
    following = next_of(standings(work))
    said.outcome(
        tree=directory, outcome=outcome, backend=work.backend, stash=kept, next=following and following.number,
        seconds=round(time.monotonic() - began, 3),
    )  # fmt: skip
    if hint:
        said.line(hint)
    said.line(f"{directory} is {outcome}, for {work.backend}.")
    if before and not at:
        said.line("To begin anew: make start N=1 (accepted start --at 1); your files go into a stash first.")
    if following is None:
        said.line("Every exercise is behind you: make score")
        return
    said.line(f"Next is exercise {following.number}, {following.title}. Read {brief(following.number)}, then:")
    said.line(f"  {f'make exercise-{following.number}':<16} grade it")
    said.line(f"  {'make watch':<16} grade it on every save")


def _below(number: int) -> tuple[int, ...]:
    return tuple(rung.number for rung in rungs() if rung.number < number)


def _make(work: Work, at: int) -> None:
    """In one step: there is a whole tree or none."""
    if work.tree.exists() and (not work.tree.is_dir() or any(work.tree.iterdir())):
        why = "there is something else in it, which is not to be lost"
        raise Problem(f"{work.tree} can't be the tree to work in", why, "Move it away, or name another with --dir.")
    private = work.stashes / f".{secrets.token_hex(6)}"
    try:
        compose(private, at - 1)
        work.with_(tree=private).save()
        _note(work.with_(tree=private), at)
        private.rename(work.tree)
    except OSError as error:
        raise cannot_write(error.filename or work.tree, error) from error
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _anew(work: Work, at: int, said: Said) -> Path | None:
    private = work.stashes / f".{secrets.token_hex(6)}"
    try:
        compose(private, at - 1)
        gone: dict[str, Path | None] = dict.fromkeys(files(work.tree))
        wanted = gone | {path: private / path for path in files(private)}
        kept = stash.replace(work, f"start-{at}", wanted, said.put_away)
    finally:
        shutil.rmtree(private, ignore_errors=True)
    work.save()
    _note(work, at)
    return kept


def _note(work: Work, at: int) -> None:
    journal.add(work, "started", exercise=at, backend=work.backend)
