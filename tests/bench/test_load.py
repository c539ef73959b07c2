"""The load generator, pointed at servers whose faults are known."""

import time
from collections.abc import Callable

import pytest

from accepted.bench.loading import Answers, load
from accepted.bench.measure import Invalid
from accepted.stack.runner import Runner

Start = Callable[[Callable[[int], tuple[int, bytes]]], object]
POST = {"label": "POST", "method": "POST", "path": "/", "headers": {}, "body": {"format": "csv"}}


def send(runner: Runner, server: object, **how: object) -> Answers:
    wanted = {"seconds": 1.0, "warm_up": 0.2, "connections": 8, "expect": {"POST": "202"}, **how}
    return load(runner, server.server_address[1], [POST], **wanted)  # type: ignore[attr-defined,arg-type]


def test_a_closed_loop_counts_the_answers_that_the_server_gave(runner: Runner, serving: Start):
    server = serving(lambda n: (202, b"{}"))
    found = send(runner, server)
    given = server.count  # type: ignore[attr-defined]
    assert len(found.latencies["POST"]) == pytest.approx(found.rate, abs=1)
    assert 0.5 * given < found.rate < given, "the warm-up is left out, and nothing else"
    assert 0 < found.generator < 1


def test_an_open_loop_counts_from_when_a_request_was_due_so_a_stall_is_seen_by_all_who_came_meanwhile(
    runner: Runner, serving: Start
):
    def stalls_once(number: int) -> tuple[int, bytes]:
        # All eight connections are busy for half a second: a closed loop would send nothing and see eight slow answers.
        if 41 <= number <= 48:
            time.sleep(0.5)
        return 202, b"{}"

    found = send(runner, serving(stalls_once), rate=100.0, seconds=2.0, warm_up=0.0)
    slow = [each for each in found.latencies["POST"] if each > 100]
    assert len(found.latencies["POST"]) == 200, "requests leave by the clock, whatever the answers do"
    assert 35 <= len(slow) <= 60, f"about 40 more were due within the 0.4 s that were left: {len(slow)}"
    assert found.p95("POST") > 250


def test_an_answer_of_another_status_makes_the_run_invalid(runner: Runner, serving: Start):
    with pytest.raises(Invalid, match="POST 500"):
        send(runner, serving(lambda n: (500 if n == 20 else 202, b"{}")), warm_up=0.0)


def test_a_connection_that_is_cut_makes_the_run_invalid(runner: Runner, serving: Start):
    with pytest.raises(Invalid, match="1 requests failed"):
        send(runner, serving(lambda n: (202, b"bye" if n == 20 else b"{}")), warm_up=0.0)


def test_a_server_that_never_answers_is_no_pass(runner: Runner, serving: Start):
    with pytest.raises(Invalid):
        send(runner, serving(lambda n: (time.sleep(7), (202, b""))[1]), seconds=0.3, warm_up=0.0)


def test_a_server_that_is_not_there_is_no_pass(runner: Runner, serving: Start):
    server = serving(lambda n: (202, b""))
    server.shutdown()  # type: ignore[attr-defined]
    server.server_close()  # type: ignore[attr-defined]
    with pytest.raises(Invalid, match="http_load ended early"):
        send(runner, server)
