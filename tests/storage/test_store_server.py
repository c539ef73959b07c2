"""The local store as a process: killed, asked wrongly, watched by its log, measured."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from billing.storage import MIN_PART, NoSuchObject, ObjectStore, StoreDown
from billing.storage.signing import signed

MIB = 1 << 20


def put(store: ObjectStore, key: str, content: bytes) -> None:
    upload = store.begin(key)
    store.complete(upload, [(1, store.put_part(upload, 1, [content]))])


def log(server: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.log.read_bytes().splitlines()]


def test_a_killed_store_comes_back_with_objects_and_unfinished_uploads(
    start_store: Callable[[], Any],
) -> None:
    server = start_store()
    store = server.open()
    put(store, "done", b"finished")
    upload = store.begin("half")
    etag = store.put_part(upload, 1, [b"part one"])
    server.kill()
    with pytest.raises(StoreDown):
        store.stat("done")
    blobs = server.root / "artifacts" / "blobs"
    (blobs / "of a completion that was killed").write_bytes(b"...")

    store = start_store().open()
    assert len(list(blobs.iterdir())) == 1
    assert b"".join(store.get("done")) == b"finished"
    assert list(store.uploads()) == [upload]
    store.complete(upload, [(1, etag)])
    assert b"".join(store.get("half")) == b"part one"


def test_a_store_killed_while_a_part_arrives_or_an_object_leaves_is_down_and_keeps_no_half_part(
    start_store: Callable[[], Any],
) -> None:
    server = start_store()
    store = server.open()
    put(store, "big", b"x" * (64 * MIB))
    reading = store.get("big")
    next(reading)
    upload = store.begin("half")

    def rows() -> Iterator[bytes]:
        for n in range(400):
            if n == 20:
                server.kill()
            yield b"x" * MIB

    with pytest.raises(StoreDown):
        store.put_part(upload, 1, rows())
    with pytest.raises(StoreDown):
        list(reading)
    again = start_store().open()
    assert list((server.root / "artifacts" / "uploads" / upload.id).glob("[!u]*")) == []
    put(again, "big", b"small now")


def test_a_client_killed_in_the_middle_of_a_part_leaves_no_part(start_store: Callable[[], Any], tmp_path: Path) -> None:
    server = start_store()
    upload = server.open().begin("k")
    folder = server.root / "artifacts" / "uploads" / upload.id
    url = server.url + signed(server.secret, "PUT", "/artifacts/k", {"upload": upload.id, "part": "1"}, 60)

    def rows() -> Iterator[bytes]:
        yield b"x" * 2 * MIB
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), httpx.Client(trust_env=False) as client:
        client.put(url, content=rows())
    _until(lambda: any(line["op"] == "part" for line in log(server)))
    [line] = [line for line in log(server) if line["op"] == "part"]
    assert (line["status"], line["part"]) == (None, 1)
    assert [path.name for path in folder.iterdir()] == ["upload.json"]


def test_a_download_cut_short_is_told_by_the_log_and_troubles_no_one(start_store: Callable[[], Any]) -> None:
    server = start_store()
    store = server.open()
    put(store, "big", b"x" * 64 * MIB)
    with httpx.Client(trust_env=False) as client, client.stream("GET", store.presign("big", 60, "big")) as answer:
        next(answer.iter_raw())
    _until(lambda: log(server)[-1]["op"] == "get")
    assert (log(server)[-1]["status"], log(server)[-1]["broke"]) == (None, "client left")
    server.process.terminate()
    assert server.process.wait(10) == 0
    assert server.complaints.read_text() == ""


def test_the_log_tells_every_request_and_so_every_repeat(start_store: Callable[[], Any]) -> None:
    server = start_store()
    store = server.open()
    upload = store.begin("k")
    for _ in range(2):
        etag = store.put_part(upload, 2, [b"12345"])
    store.complete(upload, [(2, etag)])
    b"".join(store.get("k"))
    store.delete("k")
    with pytest.raises(NoSuchObject):
        store.stat("k")
    _until(lambda: len(log(server)) == 7)  # a download's line is written when it is through
    told = [(line["method"], line["op"], line["part"], line["status"], line["bytes"]) for line in log(server)]
    assert told[1:3] == [("PUT", "part", 2, 200, 5)] * 2
    assert [line[:2] for line in told] == [
        ("POST", "begin"), ("PUT", "part"), ("PUT", "part"), ("POST", "complete"),
        ("GET", "get"), ("DELETE", "delete"), ("GET", "stat"),
    ]  # fmt: skip
    assert told[4][3:] == (200, 5)
    assert told[6][3] == 404
    assert {(line["bucket"], line["key"]) for line in log(server)} == {("artifacts", "k")}


def test_uploads_of_one_key_from_many_threads_end_as_one_whole_object(one_server: Any) -> None:
    store = one_server.open("crowd")
    contents = [bytes([n]) * 300_000 for n in range(12)]
    threads = [threading.Thread(target=put, args=(store, "k", content)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert b"".join(store.get("k")) in contents
    assert len(list((one_server.root / "crowd" / "blobs").iterdir())) == 1
    store.close()


def test_what_is_being_read_is_read_to_its_end_although_it_is_replaced(one_server: Any) -> None:
    store = one_server.open("swap")
    put(store, "k", b"a" * 30 * MIB)
    reading = store.get("k")
    first = next(reading)
    put(store, "k", b"b")
    assert len(first) + sum(map(len, reading)) == 30 * MIB
    assert b"".join(store.get("k")) == b"b"
    store.close()


SEND = """
import resource, sys
from billing.storage import open_store
store = open_store(sys.argv[1])
def rows(n):
    for _ in range(n):
        yield b"x" * 65536
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
def send(key, megabytes):
    upload = store.begin(key)
    half = megabytes * 8
    store.complete(upload, [(n, store.put_part(upload, n, rows(half))) for n in (1, 2)])
send("small", 10)
before = peak()
send("large", 200)
size = sum(map(len, store.get("large")))
print(before, peak(), size)
"""


def test_two_hundred_megabytes_pass_through_client_and_store_in_flat_memory(
    start_store: Callable[[], Any],
) -> None:
    server = start_store()
    url = f"{server.url}/artifacts?secret={server.secret}"
    watched = psutil.Process(server.process.pid)
    resting = watched.memory_info().rss // MIB
    sent = subprocess.run([sys.executable, "-c", SEND, url], capture_output=True, text=True, timeout=120, check=True)
    before, after, size = map(int, sent.stdout.split())
    assert size == 200 * MIB
    assert size > 10 * MIN_PART
    assert after - before < 16, f"the client grew from {before} to {after} MiB"
    peak = int(Path(f"/proc/{server.process.pid}/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
    assert peak - resting < 40, f"the store grew from {resting} to {peak} MiB"


def _until(condition: Callable[[], object], seconds: float = 10.0) -> None:
    import time

    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_of_two_parts_with_one_number_the_later_counts_and_the_former_goes(tmp_path: Path) -> None:
    from accepted.store.layout import Layout
    from accepted.store.parts import Uploads

    uploads = Uploads(Layout(tmp_path))
    upload = uploads.begin("bucket", "k")["upload"]
    kept = []
    for content in (b"former", b"later"):
        draft = uploads.draft("bucket", "k", upload, 1)
        draft.write(content)
        kept.append(draft.keep())
        draft.drop()
    folder = tmp_path / "bucket" / "uploads" / upload
    [left] = folder.glob("00001-*")
    assert left.read_bytes() == b"later"
    # A store killed between the two steps leaves both.
    (folder / f"00001-{1:020d}-{kept[0]}").write_bytes(b"former")
    assert uploads.parts("bucket", "k", upload)[1].etag == kept[1]
