"""URLs that were tampered with. Where a tree puts its signature is its own affair: in the query, or in the path."""

from collections.abc import Iterator
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit, urlunsplit

from exports import Report, url_of

from accepted.grade.stage import Stage

LONG = 16  # characters of a path's segment that may be a token


def changed(url: str) -> dict[str, str]:
    """The URLs by what was changed: each argument of the query, and the query as a whole; without one, the path."""
    parts = urlsplit(url)
    return dict(_in_query(parts) if parts.query else _in_path(parts))


def _in_query(parts: SplitResult) -> Iterator[tuple[str, str]]:
    query = parse_qsl(parts.query, keep_blank_values=True)
    yield "the whole query left out", urlunsplit(parts._replace(query=""))
    for at, (name, value) in enumerate(query):
        for what, other in _others(value):
            put = [*query[:at], (name, other), *query[at + 1 :]]
            yield f"{name} {what}", urlunsplit(parts._replace(query=urlencode(put)))
        less = [*query[:at], *query[at + 1 :]]
        if less:  # of one alone this is the whole query
            yield f"{name} left out", urlunsplit(parts._replace(query=urlencode(less)))


def _in_path(parts: SplitResult) -> Iterator[tuple[str, str]]:
    pieces = parts.path.split("/")
    for at, piece in enumerate(pieces):
        if len(piece) > LONG:
            for what, other in _others(piece):
                put = "/".join([*pieces[:at], other, *pieces[at + 1 :]])
                yield f"piece {at} of its path {what}", urlunsplit(parts._replace(path=put))


def _others(value: str) -> Iterator[tuple[str, str]]:
    """Never the value itself."""
    if value.isdigit():
        found = [("made later", str(int(value) + 3600)), ("made far later", "9" * len(value))]
    else:
        # Not the last: there base64 has bits that mean nothing. And twice: a token may have what it tells in front, and
        # its signature behind.
        found = [(f"changed {where}", _put(value, at)) for where, at in (
            ("in the middle", len(value) // 2), ("near its end", max(0, len(value) - 4)),
        )]  # fmt: skip
        found += [("cut short", value[:8]), ("made empty", "")]
    return ((what, other) for what, other in found if other != value)


def _put(value: str, at: int) -> str:
    """With another character at this place; it differs in more than such bits."""
    other = "A" if value[at : at + 1] in "0123456789wxyz+/-_" else "0"
    return value[:at] + other + value[at + 1 :]


def with_ids_of(stage: Stage, url: str, one: Report, other: Report) -> str | None:
    """The URL of one report with everything that says whose it is taken from another. Where it tells nothing, half of
    either's; None where the two halves are a URL that was given out."""
    statement = "SELECT args ->> 'report_id' FROM jobs WHERE id = %s"
    report, others = stage.value(statement, one.job), stage.value(statement, other.job)
    found = url
    for mine, theirs in (
        (f"/{one.tenant}/", f"/{other.tenant}/"), (f"={one.tenant}", f"={other.tenant}"), (one.job, other.job),
        (report, others), (report[:8], others[:8]),
    ):  # fmt: skip
        found = found.replace(mine, theirs)
    if found != url:
        return found
    our, their = urlsplit(url), urlsplit(url_of(stage, other))
    for half in (our._replace(query=their.query), their._replace(query=our.query)):
        if half not in (our, their):
            return urlunsplit(half)
    return None


def told(url: str) -> str:
    """Short enough for a line."""
    parts = urlsplit(url)
    query = f"?{parts.query[:60]}" + ("…" if len(parts.query) > 60 else "") if parts.query else ""
    return (parts.path if len(parts.path) < 120 else f"{parts.path[:120]}…") + query
