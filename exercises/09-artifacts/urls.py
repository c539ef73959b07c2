"""URLs that were tampered with."""

from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from exports import Report

from accepted.grade.stage import Stage


def changed(url: str) -> list[tuple[str, str]]:
    """(what was changed, the URL) for each argument of its query, and for the query as a whole."""
    parts = urlsplit(url)
    query = parse_qsl(parts.query, keep_blank_values=True)
    found = [("the whole query left out", urlunsplit(parts._replace(query="")))]
    for at, (name, value) in enumerate(query):
        for what, other in _others(value):
            put = [*query[:at], (name, other), *query[at + 1 :]]
            found.append((f"{name} {what}", urlunsplit(parts._replace(query=urlencode(put)))))
        less = [*query[:at], *query[at + 1 :]]
        found.append((f"{name} left out", urlunsplit(parts._replace(query=urlencode(less)))))
    return found


def _others(value: str) -> list[tuple[str, str]]:
    if value.isdigit():
        return [("made later", str(int(value) + 3600)), ("made far later", "9" * len(value))]
    end = "0" if value[-1:] != "0" else "1"
    return [("changed at its end", value[:-1] + end), ("cut short", value[:8]), ("made empty", "")]


def with_ids_of(stage: Stage, url: str, one: Report, other: Report) -> str:
    """The URL of one report with everything in its path that says whose it is taken from another."""
    statement = "SELECT args ->> 'report_id' FROM jobs WHERE id = %s"
    report, others = stage.value(statement, one.job), stage.value(statement, other.job)
    path = urlsplit(url).path
    for mine, theirs in (
        (f"/{one.tenant}/", f"/{other.tenant}/"), (one.job, other.job), (report, others), (report[:8], others[:8]),
    ):  # fmt: skip
        path = path.replace(mine, theirs)
    return urlunsplit(urlsplit(url)._replace(path=path))


def told(url: str) -> str:
    """Short enough for a line."""
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query[:60]}" + ("…" if len(parts.query) > 60 else "")
