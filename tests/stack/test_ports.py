"""Ports for many runs at once: whoever starts a system here is given what no other run may listen on."""

import os
import socket
import subprocess
import sys
from collections import deque

import pytest

from accepted.stack import ports
from accepted.stack.errors import Problem

TWO = "import sys; from accepted.stack import ports; ports.LOWEST, ports.HIGHEST = map(int, sys.argv[1:])"


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> tuple[int, int]:
    """Two neighbours, both free, and no other port to choose from."""
    while True:
        (low,) = ports.free_ports(1)
        if ports.is_free(low + 1) and ports._hold(low + 1):
            break
    for _ in range(2):  # ours no longer
        os.close(ports._held.pop())
    monkeypatch.setattr(ports, "LOWEST", low)
    monkeypatch.setattr(ports, "HIGHEST", low + 2)
    return low, low + 2


def test_what_another_run_was_given_is_not_given_again_before_that_run_is_over(pair: tuple[int, int]) -> None:
    picks = f"{TWO}; print(ports.free_port(), flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", picks, *map(str, pair)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        theirs = int(other.stdout.readline())  # it listens nowhere: a system takes seconds until it does
        ours = ports.free_port()
        assert {ours, theirs} == set(range(*pair))
        with pytest.raises(Problem, match="no free port"):
            ports.free_port()
    assert ports.free_port() == theirs


def test_a_server_listens_on_what_it_was_given(pair: tuple[int, int]) -> None:
    with socket.create_server(("127.0.0.1", ports.free_port())):
        pass


def test_a_process_that_lives_long_holds_the_newest_only(
    pair: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ports, "HELD", 1)
    monkeypatch.setattr(ports, "_held", deque())
    first, second = ports.free_port(), ports.free_port()
    assert first != second
    assert len(ports._held) == 1
    assert ports.free_port() == first
