"""What the object store and its command refuse: unsigned requests, nonsense, a folder in use; each with its reason."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from billing.storage import StoreDown, StoreRefused, open_store
from billing.storage.signing import signed


def test_a_request_unsigned_or_signed_with_another_secret_is_refused_and_writes_nothing(
    one_server: Any,
) -> None:
    stranger = one_server.open("strange", secret="guessed")
    with pytest.raises(StoreRefused):
        stranger.begin("k")
    for method, path in (
        ("GET", "/strange"),
        ("PUT", "/strange/k?upload=1&part=1"),
        ("GET", "/"),
        ("GET", "/a/b/c"),
    ):
        assert httpx.request(method, one_server.url + path, trust_env=False).status_code == 403
    assert not (one_server.root / "strange").exists()
    assert httpx.get(one_server.url + "/healthz", trust_env=False).status_code == 200
    stranger.close()


@pytest.mark.parametrize(
    ("method", "path", "query", "body", "status"),
    [
        ("POST", "/good/../../etc/x", {"uploads": ""}, b"", (400, 404)),
        ("POST", "/..%2f..%2fetc/x", {"uploads": ""}, b"", (400, 404)),
        ("POST", "/good/a/../../../x", {"uploads": ""}, b"", (400, 404)),
        ("POST", "/Not_A_Bucket/x", {"uploads": ""}, b"", (400,)),
        ("PUT", "/good/k", {"upload": "../../..", "part": "1"}, b"x", (404,)),
        ("PUT", "/good/k", {"upload": "0" * 32, "part": "1"}, b"x", (404,)),
        ("PUT", "/good/k", {"upload": "0" * 32, "part": "one"}, b"x", (400,)),
        ("PUT", "/good/k", {}, b"x", (400,)),
        ("DELETE", "/good/k", {"upload": "../objects"}, b"", (404,)),
        ("POST", "/good/k", {"upload": "0" * 32}, b"{", (400,)),
        ("POST", "/good/k", {"upload": "0" * 32}, b'{"parts": [[1]]}', (400,)),
        ("PATCH", "/good/k", {}, b"", (405,)),
    ],
)
def test_a_request_that_makes_no_sense_is_told_so_even_when_signed(
    one_server: Any, method: str, path: str, query: dict[str, str], body: bytes, status: tuple[int, ...]
) -> None:
    # Over a bare connection: a well-behaved client would tidy the path up.
    before = {path.name for path in one_server.root.parent.iterdir()}
    import http.client

    server = httpx.URL(one_server.url)
    connection = http.client.HTTPConnection("127.0.0.1", server.port or 0, timeout=10)
    from urllib.parse import unquote

    connection.request(method, signed(one_server.secret, method, unquote(path), query, 60), body)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    assert answer.status in status
    assert "Traceback" not in told["message"]
    assert {path.name for path in one_server.root.parent.iterdir()} == before


def test_a_url_of_another_shape_or_a_store_that_is_not_there_says_so(
    free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    for url in ("http://127.0.0.1:1/b", "http://127.0.0.1:1?secret=s", "ftp://x/y", "s3://", "here"):
        with pytest.raises(StoreRefused, match="OBJECT_STORE_URL"):
            open_store(url)
    for url in (
        f"http://127.0.0.1:{free_port}/b1?secret=s",
        f"s3://b1?endpoint=http://127.0.0.1:{free_port}",
    ):
        store = open_store(url)
        with pytest.raises(StoreDown):
            store.begin("k")
        store.close()


def test_without_boto3_the_cure_is_named(tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise ImportError('no boto3 here')")
    code = "from billing.storage import open_store; open_store('s3://bucket')"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(tmp_path)},
        timeout=20
    )  # fmt: skip
    assert "pip install 'accepted[s3]'" in ended.stderr.splitlines()[-1]


def test_a_folder_in_use_and_a_missing_secret_are_told_in_one_line(one_server: Any, tmp_path: Path) -> None:
    for options, word in (
        (["--root", str(one_server.root), "--secret", "s"], "in use"),
        (["--root", str(tmp_path)], "--secret"),
        (["--root", "/proc/none", "--secret", "s"], "--root"),
    ):
        command = [sys.executable, "-m", "accepted.store", "--port", "0", *options]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert (ended.returncode, len(ended.stderr.splitlines())) == (1, 1)
        assert word in ended.stderr


@pytest.fixture
def free_port() -> int:
    import socket

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port
