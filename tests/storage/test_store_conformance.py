"""What every object store owes, run on all three."""

import random
from collections.abc import Iterator

import pytest

from billing.storage import (
    MIN_PART,
    NoSuchObject,
    NoSuchUpload,
    ObjectStore,
    PartChanged,
    PartTooSmall,
    StoreDown,
    StoreRefused,
    Upload,
)

BIG = random.Random(7).randbytes(MIN_PART)


def put(store: ObjectStore, key: str, *parts: bytes) -> None:
    upload = store.begin(key)
    store.complete(upload, [(n, store.put_part(upload, n, [part])) for n, part in enumerate(parts, 1)])


def content(store: ObjectStore, key: str) -> bytes:
    return b"".join(store.get(key))


def keys(store: ObjectStore, prefix: str = "") -> list[str]:
    return [stat.key for stat in store.list(prefix)]


def test_an_object_is_the_parts_in_order_of_number_however_they_came(store: ObjectStore) -> None:
    upload = store.begin("reports/1/a.csv")
    last = store.put_part(upload, 3, iter([b"the ", b"", b"end"]))
    first = store.put_part(upload, 1, [BIG])
    store.complete(upload, [(3, last), (1, first)])
    assert content(store, "reports/1/a.csv") == BIG + b"the end"
    stat = store.stat("reports/1/a.csv")
    assert (stat.key, stat.size) == ("reports/1/a.csv", MIN_PART + 7)
    assert stat.modified.tzinfo is not None
    assert all(len(chunk) <= 1 << 20 for chunk in store.get("reports/1/a.csv")), "content comes in chunks"


def test_an_upload_goes_on_from_its_key_and_id_alone(store: ObjectStore) -> None:
    begun = store.begin("k")
    again = Upload("k", begun.id)
    etag = store.put_part(again, 1, [b"x"])
    store.complete(Upload("k", begun.id), [(1, etag)])
    assert content(store, "k") == b"x"


def test_nothing_is_seen_before_complete_and_the_former_object_stays(store: ObjectStore) -> None:
    put(store, "k", b"old")
    upload = store.begin("k")
    etag = store.put_part(upload, 1, [b"new"])
    assert content(store, "k") == b"old"
    store.complete(upload, [(1, etag)])
    assert content(store, "k") == b"new"
    assert keys(store) == ["k"]


def test_a_part_put_again_replaces_the_former_whose_etag_is_then_refused(store: ObjectStore) -> None:
    upload = store.begin("k")
    old = store.put_part(upload, 1, [b"written by one worker"])
    new = store.put_part(upload, 1, [b"and by another"])
    assert old != new
    with pytest.raises(PartChanged):
        store.complete(upload, [(1, old)])
    store.complete(upload, [(1, new)])
    assert content(store, "k") == b"and by another"


def test_the_same_bytes_put_again_are_the_same_part(store: ObjectStore) -> None:
    upload = store.begin("k")
    once, twice = (store.put_part(upload, 1, [b"same"]) for _ in range(2))
    assert once == twice
    store.complete(upload, [(1, once)])


def test_a_part_that_was_never_put_is_refused_and_one_not_named_is_left_out(store: ObjectStore) -> None:
    upload = store.begin("k")
    etag = store.put_part(upload, 1, [b"a"])
    store.put_part(upload, 2, [b"b"])
    with pytest.raises(PartChanged):
        store.complete(upload, [(1, etag), (3, etag)])
    store.complete(upload, [(1, etag)])
    assert content(store, "k") == b"a"


def test_a_small_part_in_the_middle_is_refused_with_the_size_that_is_wanted(store: ObjectStore) -> None:
    upload = store.begin("k")
    parts = [(n, store.put_part(upload, n, [b"small"])) for n in (1, 2)]
    with pytest.raises(PartTooSmall):
        store.complete(upload, parts)


def test_complete_may_be_repeated_when_its_reply_was_lost(store: ObjectStore) -> None:
    upload = store.begin("k")
    parts = [(1, store.put_part(upload, 1, [b"x"]))]
    store.complete(upload, parts)
    store.complete(upload, parts)
    assert content(store, "k") == b"x"


def test_an_empty_object_is_one_empty_part(store: ObjectStore) -> None:
    put(store, "k", b"")
    assert content(store, "k") == b""
    assert store.stat("k").size == 0
    with pytest.raises(StoreRefused):
        store.complete(store.begin("none"), [])


def test_an_aborted_upload_leaves_nothing_and_can_be_aborted_again(store: ObjectStore) -> None:
    upload = store.begin("k")
    etag = store.put_part(upload, 1, [b"x"])
    store.abort(upload)
    store.abort(upload)
    assert list(store.uploads()) == []
    assert keys(store) == []
    # moto breaks with a 500 on these calls, where S3 itself answers NoSuchUpload.
    gone = StoreDown if type(store).__name__ == "S3Store" else NoSuchUpload
    with pytest.raises(gone):
        store.put_part(upload, 1, [b"x"])
    with pytest.raises(gone):
        store.complete(upload, [(1, etag)])


def test_unfinished_uploads_are_listed_by_prefix_until_they_end(store: ObjectStore) -> None:
    one, two, other = (store.begin(key) for key in ("a/1", "a/2", "b/1"))
    found = list(store.uploads("a/"))
    assert sorted(found, key=lambda upload: upload.key) == [one, two]
    assert all(upload.begun is not None and upload.begun.tzinfo is not None for upload in found)
    store.complete(one, [(1, store.put_part(one, 1, [b"x"]))])
    assert list(store.uploads("a/")) == [two]
    assert sorted(upload.key for upload in store.uploads()) == ["a/2", other.key]


def test_a_source_that_fails_halfway_passes_its_error_on_and_leaves_no_part(store: ObjectStore) -> None:
    def rows() -> Iterator[bytes]:
        yield b"x" * 600_000
        raise LookupError("the database went away")

    upload = store.begin("k")
    good = store.put_part(upload, 1, [b"good"])
    with pytest.raises(LookupError, match="went away"):
        store.put_part(upload, 1, rows())
    store.complete(upload, [(1, good)])
    assert content(store, "k") == b"good"


def test_objects_are_listed_by_prefix_in_order(store: ObjectStore) -> None:
    for key in ("r/2", "r/10", "q/1", "r"):
        put(store, key, key.encode())
    assert keys(store, "r/") == ["r/10", "r/2"]
    assert keys(store) == ["q/1", "r", "r/10", "r/2"]
    assert {stat.size for stat in store.list("r/1")} == {4}


def test_delete_is_idempotent_and_what_is_gone_is_no_such_object(store: ObjectStore) -> None:
    put(store, "k", b"x")
    store.delete("k")
    store.delete("k")
    with pytest.raises(NoSuchObject):
        store.stat("k")
    with pytest.raises(NoSuchObject):
        content(store, "k")
    assert keys(store) == []


@pytest.mark.parametrize("key", ["acme:report:7:1/ünï côdé (1).csv", "a%2Fb", "100%", "q?x=1&y#z", "a+b", ".dot"])
def test_a_key_may_hold_what_people_write(store: ObjectStore, key: str) -> None:
    put(store, key, key.encode())
    assert content(store, key) == key.encode()
    assert keys(store, key[:3]) == [key]


def test_a_long_key_is_a_key(store: ObjectStore) -> None:
    long = [f"{'k' * 400}{n}" for n in (1, 2)]
    for key in long:
        put(store, key, key.encode())
    assert keys(store) == long
    assert content(store, long[1]) == long[1].encode()


@pytest.mark.parametrize("key", ["", "../up", "a/../../b", "/abs", "a//b", "a/.", "a\\..\\b", "nul\0", "new\nline"])
def test_a_path_in_disguise_is_no_key(store: ObjectStore, key: str) -> None:
    with pytest.raises(StoreRefused):
        store.begin(key)
    with pytest.raises(StoreRefused):
        list(store.get(key))


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_parts_are_numbered_from_1_to_10000(store: ObjectStore, number: int) -> None:
    with pytest.raises(StoreRefused):
        store.put_part(store.begin("k"), number, [b"x"])
