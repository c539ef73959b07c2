"""Databases on a PostgreSQL server: URLs, making, filling, dropping."""

from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from accepted.stack.errors import Problem
from billing.seed import AlreadySeeded, NotMigrated, seed

PATIENCE = 30  # seconds to connect, on a busy machine


def at(url: str, name: str) -> str:
    """The same server's URL with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def create(server: str, name: str, template: str | None = None) -> str:
    """Makes database `name`, as a copy of `template` where one is given, and returns its URL.

    `server`: a URL that may do so.
    """
    command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if template is not None:
        command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
    _run(server, command)
    return at(server, name)


def fill(url: str, scale: str | int, partner_url: str) -> None:
    """Makes up a billing year in tables that `release` made; `scale`: of `billing.seed`, or so many lines. Raises
    Problem."""
    log = "The log of release says what it did."
    try:
        if isinstance(scale, int):
            seed(url, lines=scale, partner_url=partner_url)
        else:
            seed(url, scale, partner_url=partner_url)
    except NotMigrated as error:
        raise Problem("release made no tables", "there is nothing to fill with data", log) from error
    except (AlreadySeeded, psycopg.Error) as error:
        raise Problem("the database cannot be filled with data", str(error).strip(), log) from error


def drop(server: str, name: str) -> None:
    """Drops it, its connections included; nothing happens where it is not there."""
    _run(server, sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def serves(url: str) -> bool:
    """Whether a connection works now."""
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True


def require_server(url: str) -> None:
    """A Problem where DATABASE_URL leads nowhere, or to a server too old."""
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE) as connection:
            version = connection.info.server_version
    except psycopg.Error as error:
        why = (str(error).strip().splitlines() or ["no answer"])[-1].strip()
        raise Problem("DATABASE_URL does not work", why, "Mend it, or unset it to get a server of our own.") from error
    if version < 140_000:
        why = f"that server is PostgreSQL {version // 10_000}, and 14 is the oldest that works"
        raise Problem("DATABASE_URL does not work", why, "Name a newer one, or unset it to get a server of our own.")


def _run(server: str, command: sql.Composed) -> None:
    try:
        with psycopg.connect(server, autocommit=True, connect_timeout=PATIENCE) as connection:
            connection.execute(command)
    except psycopg.errors.InsufficientPrivilege as error:
        raise Problem(
            "cannot make a database of our own",
            str(error).strip().splitlines()[0],
            "Give that role CREATEDB, or unset DATABASE_URL to get a server of our own.",
        ) from error
