"""The readers of protocols: what passes comes out as it went in, cut where one crossing ends and another begins."""

import struct
from collections.abc import Callable
from random import Random

import pytest

from accepted.faults.amqp import Amqp
from accepted.faults.http import Http
from accepted.faults.pg import Postgres
from accepted.faults.resp import Resp
from accepted.faults.sqlnames import Transactions, name_of
from accepted.faults.wire import Reader


def message(kind: bytes, body: bytes = b"") -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def statement(sql: bytes, name: bytes = b"") -> bytes:
    parse = message(b"P", name + b"\0" + sql + b"\0\0\0")
    return parse + message(b"B", b"\0" + name + b"\0" + b"\0" * 6) + message(b"E", b"\0" * 5) + message(b"S")


STARTUP = struct.pack("!ii", 8, 80877103) + struct.pack("!ii", 17, 196608) + b"user\0me\0\0"
READY = message(b"Z", b"I")
PG_OUT = (
    STARTUP
    + message(b"p", b"secret")
    + message(b"Q", b"BEGIN\0")
    + statement(b"UPDATE outbox SET published_at = now()")
)
PG_OUT += message(b"Q", b"COMMIT\0") + message(b"X")
PG_IN = b"N" + message(b"R", struct.pack("!i", 0)) + READY + READY + message(b"D", b"row" * 50) + READY + READY


def resp(*words: bytes) -> bytes:
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


RESP_OUT = resp(b"HELLO", b"3") + resp(b"MULTI") + resp(b"LPUSH", b"q", b"a\r\nb") + resp(b"EXEC")
RESP_OUT += resp(b"BLPOP", b"rq:queue:payouts", b"5")
RESP_IN = (
    b"%1\r\n+proto\r\n:3\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n>2\r\n+invalidate\r\n_\r\n*2\r\n$1\r\nq\r\n$4\r\na\r\nb\r\n"
)

HTTP_OUT = (
    b"POST /v1/charges HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd" + b"GET /v1/emails?reference=a HTTP/1.1\r\n\r\n"
)
HTTP_OUT += b"PUT /b/r/7?part=1&upload=x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
HTTP_IN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" + b"HTTP/1.1 204 No Content\r\n\r\n"
HTTP_IN += b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


def method(cls: int, number: int, arguments: bytes = b"", channel: int = 1) -> bytes:
    payload = struct.pack("!HH", cls, number) + arguments
    return struct.pack("!BHI", 1, channel, len(payload)) + payload + b"\xce"


def content(body: bytes, channel: int = 1) -> bytes:
    header = struct.pack("!HHQH", 60, 0, len(body), 0)
    head = struct.pack("!BHI", 2, channel, len(header)) + header + b"\xce"
    return head + struct.pack("!BHI", 3, channel, len(body)) + body + b"\xce"


AMQP_OUT = b"AMQP\0\0\x09\x01" + method(20, 10) + method(85, 10)
AMQP_OUT += (method(60, 40, b"\0\0\0\x07payouts\0") + content(b"one")) * 2
AMQP_OUT += method(60, 80, struct.pack("!QB", 1, 0))
AMQP_IN = method(10, 41, channel=0) + method(20, 11) + method(85, 11) + method(60, 80, struct.pack("!QB", 2, 1))
AMQP_IN += method(60, 60, b"tag") + content(b"two")

CASES: list[tuple[str, Callable[[], Reader], bytes, bytes, list[str], int]] = [
    ("postgres", Postgres, PG_OUT, PG_IN, ["connect", "begin", "mark published", "commit (mark published)"], 4),
    ("redis", Resp, RESP_OUT, RESP_IN, ["HELLO", "EXEC (LPUSH q)", "BLPOP"], 3),
    ("http", Http, HTTP_OUT, HTTP_IN, ["POST /v:n/charges", "GET /v:n/emails?reference", "PUT /b/r/:n?part&upload"], 3),
    ("amqp", Amqp, AMQP_OUT, AMQP_IN,
     ["connect", "channel.open", "confirm.select", "basic.publish payouts", "basic.publish payouts", "basic.ack"], 5),
]  # fmt: skip


@pytest.mark.parametrize(("_", "make", "out", "back", "names", "answers"), CASES, ids=[case[0] for case in CASES])
@pytest.mark.parametrize("chunks", ["whole", "bytes", "random"])
def test_bytes_pass_unchanged_and_crossings_are_named_however_the_network_cuts_them(
    _: str, make: Callable[[], Reader], out: bytes, back: bytes, names: list[str], answers: int, chunks: str
) -> None:
    reader, rng = make(), Random(7)

    def pieces(data: bytes) -> list[bytes]:
        found = []
        while data:
            size = {"whole": len(data), "bytes": 1, "random": rng.randint(1, 40)}[chunks]
            found.append(data[:size])
            data = data[size:]
        return found

    sent = [one for piece in pieces(out) for one in reader.sent(piece)]
    received = [one for piece in pieces(back) for one in reader.received(piece)]
    assert b"".join(one.data for one in sent) == out
    assert b"".join(one.data for one in received) == back
    assert [one.begins for one in sent if one.begins] == names
    assert sum(one.ends for one in received) == answers


def test_what_rabbitmq_pushes_is_a_crossing_of_its_own() -> None:
    reader = Amqp()
    reader.sent(AMQP_OUT)
    assert [one.begins for one in reader.received(AMQP_IN) if one.begins] == ["basic.deliver"]


def test_who_does_not_wait_is_owed_nothing_and_a_refusal_answers_all_that_was_asked_on_its_channel() -> None:
    reader = Amqp()
    consume = b"\0\0\x07payouts\x03tag"
    nowait = reader.sent(method(60, 20, consume + b"\x08" + b"\0\0\0\0"))
    assert [(one.begins, one.answered) for one in nowait] == [("basic.consume", False)]
    reader.sent(method(50, 10, b"\0\0\x04gone\x01" + b"\0\0\0\0"))
    reader.sent(method(60, 70, b"\0\0\x04gone\0", channel=2))
    assert [one.ends for one in reader.received(method(20, 40, b"\x01\x94\0\0\x32\0\x0a"))] == [1]


def test_one_confirm_may_answer_several_publishes() -> None:
    reader = Amqp()
    reader.sent(AMQP_OUT)
    assert [one.ends for one in reader.received(AMQP_IN)] == [1, 1, 1, 2, 0]


def test_a_statement_that_is_only_prepared_is_no_crossing() -> None:
    reader = Postgres()
    reader.sent(STARTUP)
    reader.received(b"N" + READY)
    parse = message(b"P", b"_pg_0\0SELECT 1 FROM effects\0\0\0") + message(b"S")
    assert [one.begins for one in reader.sent(parse)] == [None]
    assert [one.ends for one in reader.received(READY)] == [0]
    run = message(b"B", b"\0_pg_0\0" + b"\0" * 6) + message(b"E", b"\0" * 5) + message(b"S")
    assert [one.begins for one in reader.sent(run)] == ["read the receipt"]
    assert [one.ends for one in reader.received(READY)] == [1]


def test_a_pipeline_is_one_crossing_named_after_its_last_statement() -> None:
    def executed(sql: bytes) -> bytes:
        return message(b"P", b"\0" + sql + b"\0\0\0") + message(b"B", b"\0" * 8) + message(b"E", b"\0" * 5)

    reader = Postgres()
    reader.sent(STARTUP)
    reader.received(b"N" + READY)
    first = executed(b"BEGIN") + executed(b"INSERT INTO effects VALUES (1)") + message(b"S")
    last = executed(b"UPDATE effects SET receipt = 1") + executed(b"COMMIT") + message(b"S")
    for unit, name in ((first, "intend the effect"), (last, "commit (store the receipt)")):
        assert [one.begins for one in reader.sent(unit)] == [name]
        assert [one.ends for one in reader.received(READY)] == [1]


def test_no_value_becomes_part_of_a_name() -> None:
    reader = Resp()
    secret = resp(b"AUTH", b"hunter2") + resp(b"HSET", b"rq:job:0f8fad5b-d9cb-469f-a165-70867728950e", b"x", b"private")
    assert [one.begins for one in reader.sent(secret)] == ["AUTH", "HSET rq:job:*"]


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT pg_try_advisory_xact_lock(7101, 1)", "lead the relays"),
        ("WITH x AS (SELECT 1)\nUPDATE jobs SET lease_until = least(now(), deadline)", "renew the lease"),
        ("SELECT a FROM some_table WHERE b = $1", "select some_table"),
        ("/* why */ VACUUM ANALYZE jobs", "vacuum analyze jobs"),
        ("INSERT INTO effects (natural_key) VALUES ($1)", "intend the effect"),
    ],
)
def test_statements_have_short_names_and_unknown_ones_their_own_first_words(sql: str, name: str) -> None:
    assert name_of(sql) == name


def test_a_commit_is_named_after_what_it_makes_true() -> None:
    names = Transactions()
    said = [
        names.name(sql) for sql in ("BEGIN", "UPDATE outbox SET published_at = now()", "SELECT 1 FROM jobs", "COMMIT")
    ]
    assert said[-1] == "commit (mark published)"
    assert names.name("ROLLBACK") == "rollback"
