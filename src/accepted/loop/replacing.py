"""`accepted catch-up`, `reset` and `restore`: what replaces a learner's files, each with a stash first."""

import shlex
from pathlib import Path

import click

from accepted import durable
from accepted.ladder import REFERENCE, START, Rung, rungs
from accepted.loop import journal, stash
from accepted.loop.exchange import Wanted, replace
from accepted.loop.invocation import program
from accepted.loop.options import NUMBER, as_json, directory
from accepted.loop.telling import Said, brief
from accepted.loop.turns import alone
from accepted.loop.work import DEFAULT, Work, opened
from accepted.stack.errors import Problem


@click.command("catch-up")
@click.argument("number", type=NUMBER)
@directory
@as_json
def catch_up(number: int, directory: Path, as_json: bool) -> None:
    """Take the reference's modules for all exercises below NUMBER, to go on there.

    Your files go into a stash first, and it says where. What the reference did for you earns no points.
    """
    said = Said(as_json)
    below = [rung for rung in rungs() if rung.number < number]
    wanted = {path: REFERENCE / path for rung in below for path in rung.modules | rung.parts}
    with alone(opened(directory)) as work:

        def note(kept: Path | None) -> None:
            work.with_(given=tuple(sorted({*work.given, *(rung.number for rung in below)}))).save()
            journal.add(work, "caught-up", exercise=number, stash=kept and kept.name)

        kept = replace(work, f"catch-up-{number}", wanted, said.put_away, note)
    said.outcome(tree=directory, exercise=number, given=[rung.number for rung in below], stash=kept)
    if kept is None:
        said.line(f"Nothing had to change: {directory} has the reference's modules below exercise {number} already.")
    else:
        said.line(f"{directory} has the reference's modules for all below exercise {number}.")
    said.line(f"Go on: make exercise-{number}; its brief is {brief(number)}")


@click.command()
@click.argument("number", type=NUMBER)
@directory
@as_json
def reset(number: int, directory: Path, as_json: bool) -> None:
    """Put the modules of exercise NUMBER back to what everyone ships first.

    Your files go into a stash first, and it says where. All others stay as they are.
    """
    said = Said(as_json)
    wanted = _as_at_first(_rung(number))
    with alone(opened(directory)) as work:

        def note(kept: Path | None) -> None:
            work.with_(given=tuple(one for one in work.given if one != number)).save()
            journal.add(work, "reset", exercise=number, stash=kept and kept.name)

        kept = replace(work, f"reset-{number}", wanted, said.put_away, note)
    said.outcome(tree=directory, exercise=number, modules=sorted(wanted), stash=kept)
    if kept is None:
        said.line(f"Nothing had to change: the modules of exercise {number} are as they were at first.")
    else:
        said.line(f"As they were at first: {', '.join(sorted(path for path, source in wanted.items() if source))}")
    said.line(f"Go on: make exercise-{number}")


@click.command()
@click.argument("stashed", metavar="[STASH]", required=False, type=click.Path(path_type=Path))
@click.option("--list", "listing", is_flag=True, help="Say what there is, and change nothing.")
@directory
@as_json
def restore(stashed: Path | None, listing: bool, directory: Path, as_json: bool) -> None:
    """Put your files back as they were when STASH was made (default: the newest).

    What is there now goes into a stash of its own first.
    """
    said, work = Said(as_json), opened(directory)
    if listing:
        there = stash.all_of(work)
        said.outcome(tree=directory, stashes=[str(path) for path in there])
        for path in there:
            said.line(str(path))
        return
    with alone(work):
        chosen = _chosen(work, stashed)

        def note(kept: Path | None) -> None:
            if (chosen / stash.ABOUT).exists():
                durable.put(chosen / stash.ABOUT, work.about)
            journal.add(work, "restored", stash=chosen.name, kept=stash.kept_at(chosen))

        wanted = stash.restored(chosen, work.tree)
        kept = replace(work, "restore", wanted, said.put_away, note, chosen / stash.UNDERWAY)
    said.outcome(tree=directory, restored=chosen, stash=kept)
    said.line(f"{directory} is as it was in {chosen}." if kept else f"Nothing had to change: {directory} is like it.")


def _chosen(work: Work, stashed: Path | None) -> Path:
    there = stash.all_of(work)
    if stashed is None and there:
        return there[-1]
    for path in () if stashed is None else (stashed, work.stashes / stashed):
        if stash.is_one(work, path):
            return path
    which = f"{stashed} is no stash" if stashed else "there is no stash"
    names = [str(path) for path in there] or ["(none: nothing has replaced your files yet)"]
    where = "" if work.tree == DEFAULT else f" --dir {shlex.quote(str(work.tree))}"
    cure = f"Name one of these, which `{program()} restore --list{where}` lists:"
    raise Problem(which, f"those of {work.tree} are in {work.stashes}", cure, names)


def _rung(number: int) -> Rung:
    for rung in rungs():
        if rung.number == number:
            return rung
    raise Problem(f"exercise {number} has no modules", "exercises/ladder.toml does not name it", "Reset another.")


def _as_at_first(rung: Rung) -> Wanted:
    parts: dict[str, Path | None] = dict.fromkeys(rung.parts)
    return parts | {path: START / path for path in rung.modules}
