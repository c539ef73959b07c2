"""The runner keeps processes up, says what they said, and leaves nothing when it ends."""

import io
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from accepted.stack import ports, processes
from accepted.stack.child import Spec
from accepted.stack.errors import Problem
from accepted.stack.health import Http, Port
from accepted.stack.logs import Logs
from accepted.stack.runner import Runner, pause_before_restart

SLEEP = 'python -c "import time; time.sleep(60)"'
Said = Callable[[Runner, str, str], list[str]]
AllGone = Callable[..., bool]

# Says its pid and its descendants': a child in our group, one in a session of its own, and one that left the
# session and whose parent has died.
FAMILY = """
import os, signal, subprocess, sys, time
sleep = [sys.executable, "-c", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"]
child = subprocess.Popen(sleep)
apart = subprocess.Popen(sleep, start_new_session=True)
leave = f"import subprocess; print(subprocess.Popen({sleep!r}, start_new_session=True, stdout=2).pid)"
orphan = subprocess.run([sys.executable, "-c", leave], stdout=subprocess.PIPE, text=True).stdout.strip()
print("family", os.getpid(), child.pid, apart.pid, orphan, flush=True)
time.sleep(60)
"""


def test_a_crashed_process_comes_back_with_the_next_pid_and_is_healthy_again(runner: Runner) -> None:
    port = ports.free_port()
    runner.add(Spec("web", f"python -m http.server {port} --bind 127.0.0.1", health=Http(port, "/")))
    runner.start()
    runner.wait_healthy(10)
    (before,) = runner.pids("web")
    runner.kill("web")
    assert processes.until(lambda: runner.pids("web") not in ([], [before]), 5)
    runner.wait_healthy(10)
    assert any("ended by SIGKILL; starts again" in line for line in runner.logs.tail("web"))


def test_a_process_that_crashes_five_times_stops_everything_and_its_last_lines_are_shown(
    runner: Runner, all_gone: AllGone
) -> None:
    runner.add(Spec("worker", "python -c \"import sys; sys.exit('no such queue')\""))
    runner.add(Spec("other", SLEEP))
    runner.start()
    (other,) = runner.pids("other")
    assert runner.wait(20)
    assert runner.failure is not None
    assert "worker ended 5 times in 10 s: the last one ended with status 1" in str(runner.failure)
    assert sum("no such queue" in line for line in runner.failure.details) >= 4
    assert all_gone([other], 0)


def test_the_pause_before_a_restart_doubles_and_ends_in_giving_up() -> None:
    assert [pause_before_restart([0.0] * n, 1.0) for n in (1, 2, 3, 4, 5)] == [0.1, 0.2, 0.4, 0.8, None]
    assert pause_before_restart([0.0, 1.0, 2.0, 3.0, 14.0], 14.0) == 0.1  # what is long ago does not count
    assert pause_before_restart([0.0] * 4 + [9.9], 10.0) == 0.1


def test_a_process_that_is_not_to_restart_stays_ended_until_it_is_started(runner: Runner) -> None:
    runner.add(Spec("once", SLEEP, restart="never"))
    runner.start()
    (before,) = runner.pids("once")
    runner.kill("once", signal.SIGTERM)
    assert processes.until(lambda: "-- ended by SIGTERM" in runner.logs.tail("once"), 5)
    assert runner.pids("once") == []
    runner.start("once")
    assert runner.pids("once") not in ([], [before])


def test_the_end_reaches_descendants_that_ignore_it_moved_away_or_lost_their_parent(
    runner: Runner, script: Callable[[str, str], str], said: Said, all_gone: AllGone
) -> None:
    runner.grace = 0.5
    runner.add(Spec("family", script("family", FAMILY)))
    runner.start()
    pids = [int(pid) for pid in said(runner, "family", "family")]
    assert len(pids) == 4
    began = time.monotonic()
    runner.close()
    assert time.monotonic() - began < 5
    assert all_gone(pids, 0)


def test_killing_a_tree_and_killing_a_parent_alone_differ(
    runner: Runner, script: Callable[[str, str], str], said: Said, all_gone: AllGone
) -> None:
    runner.add(Spec("family", script("family", FAMILY), restart="never"))
    runner.start()
    parent, child, apart, orphan = (int(pid) for pid in said(runner, "family", "family"))
    runner.kill("family", tree=False)
    assert all_gone([parent])
    assert not all_gone([child], 0)
    runner.logs._tails.clear()
    runner.start("family")
    again = [int(pid) for pid in said(runner, "family", "family")]
    assert set(again[:3]) <= set(runner.kill("family"))
    assert all_gone(again[:3])
    runner.close()
    assert all_gone([child, apart, orphan, again[3]], 0)  # the first three of a start whose leader is long gone


def test_a_shell_line_of_several_commands_gets_the_polite_signal_too(
    runner: Runner, script: Callable[[str, str], str], tmp_path: Path, said: Said
) -> None:
    polite = script(
        "polite",
        "import pathlib, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('bye').touch(), sys.exit()))\n"
        "print('ready now', flush=True)\ntime.sleep(60)\n",
    )
    runner.add(Spec("pipe", f"true && {polite} | cat"))
    runner.start()
    said(runner, "pipe", "ready")
    runner.stop("pipe")
    assert (tmp_path / "bye").exists()
    assert runner.pids("pipe") == []


def test_who_is_in_a_hurry_cuts_the_grace_short(runner: Runner, script: Callable[[str, str], str], said: Said) -> None:
    runner.grace = 60
    runner.add(Spec("family", script("family", FAMILY.replace("print(", "signal.signal(15, signal.SIG_IGN); print("))))
    runner.start()
    said(runner, "family", "family")
    threading.Timer(0.2, runner.hurry.set).start()
    began = time.monotonic()
    runner.close()
    assert 0.2 <= time.monotonic() - began < 10


def test_scaled_processes_are_reached_one_by_one_or_together(runner: Runner, all_gone: AllGone) -> None:
    runner.add(Spec("relay", SLEEP), count=2)
    runner.start()
    first, second = runner.pids("relay")
    runner.stop("relay.1", grace=1)
    assert runner.pids("relay") == [second]
    assert all_gone([first], 0)
    with pytest.raises(KeyError, match=r"no process relay\.3; there are relay\.1, relay\.2"):
        runner.pids("relay.3")


def test_a_frozen_process_is_silent_goes_on_when_thawed_and_still_stops_politely(
    runner: Runner, script: Callable[[str, str], str], tmp_path: Path
) -> None:
    port = ports.free_port()
    command = script(
        "server",
        "import http.server, pathlib, signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path('bye').touch(), sys.exit()))\n"
        f"http.server.HTTPServer(('127.0.0.1', {port}), http.server.SimpleHTTPRequestHandler).serve_forever()\n",
    )
    health = Http(port, "/")
    runner.add(Spec("web", command, health=health))
    runner.start()
    runner.wait_healthy(10)
    runner.freeze("web")
    assert not health.met(0)
    runner.thaw("web")
    assert processes.until(lambda: health.met(0), 5)
    runner.freeze("web")
    runner.stop("web")
    assert (tmp_path / "bye").exists()


def test_a_release_that_fails_or_never_ends_says_so_with_its_last_lines(runner: Runner) -> None:
    runner.run_once(Spec("release", "echo fine"), 5)
    with pytest.raises(Problem, match="release failed: ended with status 3") as failed:
        runner.run_once(Spec("release", "echo no such table; exit 3"), 5)
    assert "no such table" in failed.value.details
    with pytest.raises(Problem, match=r"release failed: it took longer than 0\.3 s"):
        runner.run_once(Spec("release", SLEEP), 0.3)
    assert runner.children() == []


def test_what_does_not_become_healthy_in_time_is_named(runner: Runner) -> None:
    port = ports.free_port()
    runner.add(Spec("stream", SLEEP, health=Port(port)))
    runner.start()
    with pytest.raises(Problem, match=f"stream is not up: a connection to 127.0.0.1:{port} was waited for"):
        runner.wait_healthy(0.3)


def test_every_line_reaches_the_stream_and_its_own_file_and_colour_only_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, terminal = io.StringIO(), Terminal()
    for out in (plain, terminal):
        logs = Logs(tmp_path / "logs", out, width=6)
        logs.write("web", "hello")
        logs.close()
    assert plain.getvalue().endswith(" web    | hello\n")
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    logs = Logs(tmp_path / "logs", quiet := Terminal())
    logs.write("web", "again")
    logs.close()
    assert "\x1b[" not in quiet.getvalue()
    assert (tmp_path / "logs" / "web.log").read_text() == "hello\nhello\nagain\n"
    assert (tmp_path / "logs" / "all.log").read_text().count(" web | ") == 3
