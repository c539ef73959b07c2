"""The files of a tree that an exercise is about."""

from accepted.ladder import rungs


def paths(number: int, backend: str) -> list[str]:
    """The exercise's modules and the parts of the reference's, those of other libraries left out."""
    other = "on_celery/" if backend == "rq" else "on_rq/"
    mine = [rung for rung in rungs() if rung.number == number]
    return sorted(path for rung in mine for path in rung.modules | rung.parts if not path.startswith(other))
