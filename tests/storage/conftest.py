"""Three object stores to hold to one contract: memory, the local store's process, S3 played by moto's
server.
"""

import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from billing.storage import ObjectStore, open_store

SECRET = "a secret of this run"


@dataclass
class StoreServer:
    process: subprocess.Popen[str]
    url: str
    root: Path
    log: Path
    complaints: Path
    secret: str = SECRET

    def open(self, bucket: str = "artifacts", secret: str | None = None) -> ObjectStore:
        return open_store(f"{self.url}/{bucket}?secret={secret or self.secret}")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)


def _first_line(process: subprocess.Popen[str]) -> str:
    watchdog = threading.Timer(30, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        return process.stdout.readline().strip()
    finally:
        watchdog.cancel()


@dataclass
class Servers:
    begun: list[StoreServer] = field(default_factory=list)

    def start(self, folder: Path) -> StoreServer:
        root, log = folder / "store", folder / "store.log"
        command = [sys.executable, "-m", "accepted.store", "--port", "0", "--root", str(root)]
        command += ["--secret", SECRET, "--log", str(log)]
        complaints = folder / "store.stderr"
        with complaints.open("a") as stderr:
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=stderr, text=True)
        server = StoreServer(process, _first_line(process).rpartition(" ")[2], root, log, complaints)
        self.begun.append(server)
        return server

    def stop(self) -> None:
        for server in self.begun:
            server.kill()
            assert server.process.stdout is not None
            server.process.stdout.close()


@pytest.fixture
def start_store(tmp_path: Path) -> Iterator[Callable[[], StoreServer]]:
    servers = Servers()
    yield lambda: servers.start(tmp_path)
    servers.stop()


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreServer]:
    servers = Servers()
    yield servers.start(tmp_path_factory.mktemp("objects"))
    servers.stop()


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """moto's S3 in a thread of ours."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def s3_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of no account at moto, but boto3 wants some."""
    for name, value in {
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["memory", "local", "s3"])
def store(request: pytest.FixtureRequest) -> Iterator[ObjectStore]:
    """An empty store: a bucket of its own in a server shared by the session."""
    bucket = f"b{uuid.uuid4().hex[:12]}"
    if request.param == "memory":
        opened = open_store(f"memory://{bucket}")
    elif request.param == "local":
        opened = request.getfixturevalue("one_server").open(bucket)
    else:
        opened = open_bucket(request.getfixturevalue("s3_endpoint"), bucket)
    yield opened
    opened.close()


def open_bucket(endpoint: str, bucket: str) -> ObjectStore:
    import boto3

    client = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1")
    client.create_bucket(Bucket=bucket)
    client.close()
    return open_store(f"s3://{bucket}?endpoint={endpoint}")


@pytest.fixture
def open_s3(s3_endpoint: str) -> Iterator[Callable[[str], ObjectStore]]:
    """A new bucket in moto, its name made unique."""
    opened: list[ObjectStore] = []

    def open_one(name: str) -> ObjectStore:
        opened.append(open_bucket(s3_endpoint, f"{name}-{uuid.uuid4().hex[:8]}"))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()
