"""One effect for each natural key, whatever is delivered twice, killed in the middle, or fails."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from app.shared import claims, effects
from app.shared.core import Failure, NotYet, PartnerError, Receipt
from sqlalchemy import event

from billing import db
from billing.db import unit

KEY = "acme:payout:2024-7:1"


def test_twenty_workers_at_the_same_effect_act_once_and_all_get_its_receipt(spine):
    acts, start = [], threading.Barrier(20)

    def pay(key: str) -> Receipt:
        acts.append(key)
        return Receipt(f"charge-{len(acts)}", {"provider": "charges"})

    def deliver(_: int) -> Receipt:
        start.wait(10)
        return effects.once(KEY, pay)

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(deliver, range(20)))
    assert acts == [KEY]
    assert set(map(str, found)) == {str(Receipt("charge-1", {"provider": "charges"}))}


def test_different_keys_do_not_wait_for_each_other(spine):
    def slow(_: str) -> Receipt:
        return effects.once("acme:payout:other:1", Receipt)

    assert effects.once(KEY, slow).reference == "acme:payout:other:1"
    assert spine.one("SELECT count(*) FROM effects") == 2


def test_a_process_killed_within_the_act_leaves_nothing_and_the_next_acts_again_with_the_same_key(spine, actor, until):
    killed = actor("act", KEY)
    assert killed.line() == f"acting {KEY}"
    killed.kill()
    acts = []
    receipt = effects.once(KEY, lambda key: acts.append(key) or Receipt("from the second"))
    assert acts == [KEY], "the partner knows by the key that it has done this"
    assert receipt.reference == "from the second"
    assert effects.once(KEY, pytest.fail).reference == "from the second"


def test_whoever_comes_while_the_first_is_at_it_waits_and_then_skips(spine, actor, until):
    first = actor("act", KEY)
    first.line()
    with ThreadPoolExecutor(1) as pool:
        second = pool.submit(effects.once, KEY, pytest.fail)
        until(lambda: spine.one("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        first.go_on()
        assert second.result(10).reference == "from the first process"
    assert first.line() == "from the first process"


def test_an_act_that_fails_leaves_no_row_so_that_a_retry_acts(spine):
    def refuse(key: str) -> Receipt:
        raise PartnerError(Failure("HTTP503", "not now", 503))

    with pytest.raises(PartnerError):
        effects.once(KEY, refuse)
    assert spine.one("SELECT count(*) FROM effects") == 0
    assert effects.once(KEY, lambda key: Receipt("paid")).reference == "paid"


def test_the_failure_of_the_first_lets_the_second_act(spine, until):
    inside, fail = threading.Event(), threading.Event()

    def refuse(key: str) -> Receipt:
        inside.set()
        assert fail.wait(10)
        raise PartnerError(Failure("HTTP503", "not now", 503))

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(effects.once, KEY, refuse)
        assert inside.wait(10)
        second = pool.submit(effects.once, KEY, lambda key: Receipt("by the second"))
        until(lambda: spine.one("SELECT count(*) FROM pg_locks WHERE NOT granted"))
        fail.set()
        with pytest.raises(PartnerError):
            first.result(10)
        assert second.result(10).reference == "by the second"
    assert spine.rows("SELECT receipt ->> 'reference' FROM effects") == [("by the second",)]


def test_an_effect_on_record_is_not_touched_by_a_later_caller(spine):
    effects.once(KEY, lambda key: Receipt("paid", {"n": 1}))
    before = spine.rows("SELECT * FROM effects")
    with pytest.raises(ZeroDivisionError):
        effects.once("acme:other:1", lambda key: Receipt(str(1 / 0)))
    effects.once(KEY, lambda key: Receipt("paid twice"))
    assert spine.rows("SELECT * FROM effects") == before


def test_a_lock_that_is_not_had_in_time_is_no_failure_but_not_yet(spine, actor):
    first = actor("act", KEY)
    first.line()

    @event.listens_for(db.engine(), "connect")
    def impatient(connection, _record) -> None:
        connection.execute("SET lock_timeout = '100ms'")
        connection.commit()

    with pytest.raises(NotYet):
        effects.once(KEY, pytest.fail)
    first.go_on()
    assert first.line() == "from the first process"


def test_the_receipt_names_the_job_that_acted(spine):
    job = spine.one_job()
    with unit() as s:
        claim = claims.claim(s, job.id)
    effects.once(job.natural_key, lambda key: Receipt("r"), claim=claim)
    assert spine.rows("SELECT natural_key, job_id FROM effects") == [(job.natural_key, job.id)]


@pytest.mark.parametrize("claimed", [True, False])
def test_an_act_of_several_slow_calls_is_not_cut_off_before_its_receipt_is_kept(spine, configure, claimed):
    """An e-mail asks, then sends, and either may take as long as a partner is waited for."""
    configure(PARTNER_TIMEOUT=0.3)
    job = spine.one_job()
    with unit() as s:
        claim = claims.claim(s, job.id)
    idled = []

    def ask_then_send(key: str) -> Receipt:
        # The longest that this session may idle, as Postgres will judge it.
        idled.append(spine.one("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'"))
        time.sleep(2.6)  # not a condition: the time itself is what is tried
        return Receipt("sent")

    assert effects.once(KEY, ask_then_send, claim=claim if claimed else None).reference == "sent"
    assert idled == [1]
