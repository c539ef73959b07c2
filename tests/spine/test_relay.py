"""The relay: in order within an aggregate, at least once, whatever dies, hangs or lies in the way."""

import os
import signal
import threading
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from app.shared import backend, jobs, memory, relay
from app.shared.core import BrokerDown
from app.shared.memory import MemoryBroker

from billing.db import unit

from .steps import everything_on


def first_deliveries_by_aggregate(spine, delivered: list[UUID]) -> dict[str, list[int]]:
    known = {id: (aggregate, seq) for id, aggregate, seq in spine.rows("SELECT id, aggregate, seq FROM jobs")}
    found = defaultdict(list)
    for job in dict.fromkeys(delivered):
        aggregate, seq = known[job]
        found[aggregate].append(seq)
    return found


def write_payouts(spine, writers: int, each: int, aggregates: int) -> None:
    def write(writer: int) -> None:
        for n in range(each):
            spine.one_job("payout.send", aggregate=f"acme:{(writer + n) % aggregates}")

    with ThreadPoolExecutor(writers) as pool:
        list(pool.map(write, range(writers)))


def test_two_relays_in_one_process_keep_the_order_of_each_aggregate(spine, configure, until):
    configure(RELAY_BATCH=3, RELAY_POLL=0.001)
    stop = threading.Event()
    relays = [threading.Thread(target=relay.loop, args=(stop,)) for _ in range(2)]
    for one in relays:
        one.start()
    write_payouts(spine, writers=4, each=30, aggregates=5)
    until(lambda: spine.waiting() == 0)
    stop.set()
    for one in relays:
        one.join(10)
    found = everything_on("payouts")
    assert len(found) == 120, "no row was published twice, since nobody died"
    assert first_deliveries_by_aggregate(spine, found) == {f"acme:{n}": list(range(1, 25)) for n in range(5)}


def test_two_relay_processes_keep_the_order_of_each_aggregate(spine, on_rq, actor, configure, until):
    configure(RELAY_BATCH=5, RELAY_POLL=0.001)
    for _ in range(2):
        actor(command=["-m", "app", "relay"])
    write_payouts(spine, writers=4, each=25, aggregates=5)
    until(lambda: spine.waiting() == 0, 20)
    found = [UUID(id[:36]) for id in on_rq.queue("payouts").get_job_ids()]
    assert len(found) == 100
    assert first_deliveries_by_aggregate(spine, found) == {f"acme:{n}": list(range(1, 21)) for n in range(5)}


def test_a_relay_that_dies_after_the_brokers_confirmation_publishes_again_and_loses_nothing(spine, on_rq, actor, until):
    accepted = spine.accept(*[spine.new() for _ in range(3)])
    relay_ = actor("relay_after_confirm")
    assert relay_.line() == "published 3"
    assert spine.waiting() == 3, "it had not committed"
    relay_.kill()
    assert until(relay.run_once) == 3
    assert spine.waiting() == 0
    sent = [UUID(id[:36]) for id in on_rq.queue("noops").get_job_ids()]
    assert sent == [job.id for job in accepted] * 2


def test_a_frozen_relay_loses_the_lead_and_what_it_does_on_waking_is_undone(spine, on_rq, actor, configure, until):
    configure(PARTNER_TIMEOUT=0.1)  # its session may idle in a transaction for 2 s more than this
    spine.one_job()
    frozen = actor("relay_after_confirm")
    frozen.line()
    os.kill(frozen.pid, signal.SIGSTOP)
    assert relay.run_once() == 0, "it holds the lead still"
    assert until(relay.run_once, 8, every=0.1) == 1
    os.kill(frozen.pid, signal.SIGCONT)
    frozen.go_on()
    assert frozen.line() == "DatabaseDown"
    assert spine.waiting() == 0


def test_while_the_broker_is_down_rows_wait_and_then_they_go(spine):
    spine.accept(spine.new(), spine.new())
    memory.the.down = True
    with pytest.raises(BrokerDown):
        relay.run_once()
    assert spine.waiting() == 2
    memory.the.down = False
    assert relay.run_once() == 2
    assert memory.the.depth("noops") == 2


def test_the_loop_lives_through_an_outage_of_the_broker(spine, until):
    spine.one_job()
    memory.the.down = True
    stop = threading.Event()
    looping = threading.Thread(target=relay.loop, args=(stop,))
    looping.start()
    spine.one_job()
    memory.the.down = False
    until(lambda: spine.waiting() == 0)
    stop.set()
    looping.join(10)
    assert memory.the.depth("noops") == 2


class Picky(MemoryBroker):
    """A broker that confirms no message of some jobs, as RabbitMQ may."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: set[UUID] = set()

    def publish(self, envelopes):
        return super().publish([e for e in envelopes if e.job_id not in self.refused])


@pytest.fixture
def picky(spine, monkeypatch: pytest.MonkeyPatch) -> Picky:
    monkeypatch.setattr(memory, "the", Picky())
    return backend.broker()


def test_a_row_that_is_not_confirmed_holds_its_own_aggregate_and_nothing_else(spine, picky):
    bad = spine.one_job("payout.send", aggregate="acme:a")
    picky.refused = {bad.id}
    relay.run_once()
    behind = spine.one_job("payout.send", aggregate="acme:a")
    other = spine.one_job("payout.send", aggregate="acme:b")
    assert relay.run_once() == 1
    assert everything_on("payouts") == [other.id]
    picky.refused = set()
    spine.rows("UPDATE outbox SET not_before = now() WHERE not_before IS NOT NULL")
    assert relay.run_once() == 2
    assert everything_on("payouts") == [other.id, bad.id, behind.id]


def test_a_row_that_is_never_confirmed_ends_among_the_dead_letters(spine, picky):
    bad = spine.one_job("payout.send")
    picky.refused = {bad.id}
    for _ in range(relay.GIVE_UP_AFTER):
        assert relay.run_once() == 1
        spine.rows("UPDATE outbox SET not_before = now() WHERE not_before IS NOT NULL")
    assert relay.run_once() == 0
    assert spine.look(bad) == "failed"
    assert spine.rows("SELECT job_id, reason FROM dead_letters") == [(bad.id, "it could not be published")]


def test_a_row_of_an_unknown_kind_is_parked_and_its_batch_goes(spine):
    """As a later release leaves it behind when it is rolled back."""
    first, unknown, last = spine.accept(spine.new(), spine.new("fax.send"), spine.new())
    assert relay.run_once() == 3
    assert everything_on("noops") == [first.id, last.id]
    assert spine.look(unknown) == "failed"
    assert spine.one("SELECT kind FROM dead_letters") == "fax.send"
    assert relay.run_once() == 0


@pytest.mark.parametrize("scope", ["all", "kind:payout.send", "queue:payouts"])
def test_a_paused_kind_stays_in_the_outbox_until_it_is_resumed(spine, scope):
    spine.accept(spine.new("payout.send"), spine.new("email.send"))
    spine.rows("INSERT INTO pauses (scope, actor) VALUES (%s, 'ann')", scope)
    assert relay.run_once() == (0 if scope == "all" else 1)
    assert memory.the.depth("payouts") == 0
    spine.rows("DELETE FROM pauses")
    relay.run_once()
    assert memory.the.depth("payouts") == 1
    assert memory.the.depth("emails") == 1
    assert spine.waiting() == 0


def test_a_batch_has_one_time_of_publishing_so_that_its_order_can_be_told_afterwards(spine, configure):
    configure(RELAY_BATCH=10)
    spine.accept(*[spine.new() for _ in range(20)])
    relay.run_once()
    relay.run_once()
    assert spine.rows("SELECT count(*) FROM outbox GROUP BY published_at ORDER BY min(id)") == [(10,), (10,)]


def test_only_one_relay_leads(spine):
    with unit() as s:
        assert s.execute(relay._LEAD).scalar_one()
        spine.one_job()
        assert relay.run_once() == 0
    assert relay.run_once() == 1


def test_the_kinds_that_the_relay_knows_all_have_a_queue(spine):
    assert {backend.broker().queue_of(kind) for kind in jobs.KINDS} == set(backend.broker().queues())
