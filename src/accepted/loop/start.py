"""`accepted start`: the tree of someone who is about to do an exercise."""

import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from accepted.ladder import compose, rungs
from accepted.loop import journal, stash
from accepted.loop.exchange import replace
from accepted.loop.options import NUMBER, as_json, directory
from accepted.loop.standing import next_of, standings
from accepted.loop.telling import Said, brief
from accepted.loop.turns import alone, uninterrupted
from accepted.loop.work import NOTES, Work, found
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
    with alone(found(directory) or Work(directory)):
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
    with _composed(work, at) as private:
        work.with_(tree=private).save()
        _note(work.with_(tree=private), at)
        if not work.tree.exists():
            private.rename(work.tree)
            return
        with uninterrupted():  # somebody may stand in that empty folder: it has to stay the one that it is
            for each in sorted(private.iterdir(), key=lambda path: path.name == NOTES):
                each.rename(work.tree / each.name)


def _anew(work: Work, at: int, said: Said) -> Path | None:
    def note(kept: Path | None) -> None:
        work.save()
        _note(work, at)

    with _composed(work, at) as private:
        return replace(work, f"start-{at}", stash.restored(private, work.tree), said.put_away, note)


@contextmanager
def _composed(work: Work, at: int) -> Iterator[Path]:
    """The tree of someone who begins there, in a folder beside it that is gone afterwards. Raises Problem."""
    private = work.stashes / f".{secrets.token_hex(6)}"
    try:
        yield compose(private, at - 1)
    except shutil.Error as error:  # a line for each file that could not be copied: the first says it
        _, path, why = error.args[0][0]
        raise cannot_write(path, OSError(re.sub(r"^\[Errno \d+\] |: '.*", "", why))) from error
    except OSError as error:
        raise cannot_write(error.filename2 or error.filename or work.tree, error) from error
    finally:
        shutil.rmtree(private, ignore_errors=True)


def _note(work: Work, at: int) -> None:
    journal.add(work, "started", exercise=at, backend=work.backend)
