"""Links that anyone may follow: for a while, and only as they were handed out."""

import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote, urlencode, urlsplit

import httpx
import pytest

from billing.storage import ObjectStore, StoreRefused, open_store
from billing.storage.memory import MemoryStore

NAME = 'Rechnungen "März".csv'


def put(store: ObjectStore, key: str, content: bytes) -> None:
    upload = store.begin(key)
    store.complete(upload, [(1, store.put_part(upload, 1, [content]))])


def tampered(url: str) -> dict[str, str]:
    """The link with one thing changed at a time."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))

    def with_query(**changed: str) -> str:
        return parts._replace(query=urlencode(query | changed)).geturl()

    return {
        "key": parts._replace(path=parts.path.replace("mine", "yours")).geturl(),
        "expiry": with_query(expires=str(int(query["expires"]) + 9999)),
        "filename": with_query(filename="other.exe"),
        "signature": with_query(signature=query["signature"][:-1] + ("0" if query["signature"][-1] != "0" else "1")),
        "no signature": parts._replace(query=urlencode({k: v for k, v in query.items() if k != "signature"})).geturl(),
        "an argument more": with_query(stat=""),
    }


@pytest.fixture
def local(one_server: Any) -> Any:
    store = one_server.open("links")
    put(store, "mine.csv", b"0123456789")
    put(store, "yours.csv", b"another tenant's")
    yield store
    store.close()


def test_a_link_of_the_local_store_downloads_under_its_filename(local: ObjectStore) -> None:
    answer = httpx.get(local.presign("mine.csv", 60, NAME), trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"0123456789")
    assert answer.headers["Content-Type"] == "text/csv"
    told = answer.headers["Content-Disposition"]
    assert told == "attachment; filename=\"Rechnungen _M_rz_.csv\"; filename*=UTF-8''" + quote(NAME, safe="")


def test_a_link_names_the_store_as_its_holder_reaches_it() -> None:
    store = open_store("http://store:9000/links?secret=s&public=http://127.0.0.1:8002/")
    assert store.presign("mine.csv", 60, NAME).startswith("http://127.0.0.1:8002/links/mine.csv?")


def test_a_download_cut_short_is_resumed_by_range(local: ObjectStore) -> None:
    link = local.presign("mine.csv", 60, NAME)
    first = httpx.get(link, headers={"Range": "bytes=0-3"}, trust_env=False)
    rest = httpx.get(link, headers={"Range": "bytes=4-"}, trust_env=False)
    assert (first.status_code, first.headers["Content-Range"]) == (206, "bytes 0-3/10")
    assert first.content + rest.content == b"0123456789"
    assert first.headers["ETag"] == rest.headers["ETag"]
    assert httpx.get(link, headers={"Range": "bytes=10-"}, trust_env=False).status_code == 416
    head = httpx.head(link, trust_env=False)
    assert (head.status_code, head.headers["Content-Length"], head.headers["Accept-Ranges"]) == (
        200,
        "10",
        "bytes",
    )


def test_a_link_changed_anywhere_is_refused_and_so_is_any_other_method(local: ObjectStore) -> None:
    link = local.presign("mine.csv", 60, NAME)
    for what, url in tampered(link).items():
        answer = httpx.get(url, trust_env=False)
        assert (what, answer.status_code) == (what, 403)
        assert b"tenant" not in answer.content
    assert httpx.delete(link, trust_env=False).status_code == 403
    assert httpx.put(link, content=b"x", trust_env=False).status_code == 403
    assert b"".join(local.get("mine.csv")) == b"0123456789"


def test_a_link_ends_with_its_time(local: ObjectStore) -> None:
    link = local.presign("mine.csv", 0.2, NAME)
    deadline = time.monotonic() + 5
    while (answer := httpx.get(link, trust_env=False)).status_code == 200:
        assert time.monotonic() < deadline, "the link outlives its time"
        time.sleep(0.05)
    assert answer.status_code == 403
    assert "expired" in answer.json()["message"]


def test_a_link_of_the_store_in_memory_keeps_the_same_rules() -> None:
    store = MemoryStore()
    put(store, "mine.csv", b"mine")
    put(store, "yours.csv", b"yours")
    link = store.presign("mine.csv", 60, NAME)
    assert store.download(link) == (b"mine", NAME)
    for url in tampered(link).values():
        with pytest.raises(StoreRefused):
            store.download(url)
    with pytest.raises(StoreRefused, match="expired"):
        store.download(link, now=time.time() + 62)


def test_a_link_of_s3_downloads_under_its_filename(open_s3: Callable[[str], ObjectStore]) -> None:
    store = open_s3("links")
    put(store, "mine.csv", b"mine")
    answer = httpx.get(store.presign("mine.csv", 60, NAME), trust_env=False)
    assert (answer.status_code, answer.content) == (200, b"mine")
    assert "filename*=UTF-8''" + quote(NAME, safe="") in answer.headers["Content-Disposition"]


def test_a_link_of_s3_signs_method_host_key_expiry_and_filename(
    open_s3: Callable[[str], ObjectStore],
) -> None:
    # moto answers 200 to tampered and to expired links, so asking it proves nothing. Instead the signature is
    # computed here once more by the rules of AWS Signature 4: what goes into it is what S3 would hold a link
    # to.
    link = open_s3("sealed").presign("a b/mine.csv", 90, NAME)
    query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
    assert query["X-Amz-Expires"] == "90"
    assert query["X-Amz-SignedHeaders"] == "host"
    assert "filename" in query["response-content-disposition"]
    assert query["X-Amz-Signature"] == _aws4(link, "test")
    for name, other in (("X-Amz-Expires", "9999"), ("response-content-disposition", "inline")):
        parts = urlsplit(link)
        changed = parts._replace(query=urlencode(query | {name: other}, quote_via=quote)).geturl()
        assert query["X-Amz-Signature"] != _aws4(changed, "test")
    assert query["X-Amz-Signature"] != _aws4(link.replace("mine", "yours"), "test")


def _aws4(link: str, secret: str) -> str:
    """The signature that AWS Signature 4 gives to a GET of this link."""
    parts = urlsplit(link)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query.pop("X-Amz-Signature")
    canonical = "&".join(f"{quote(name, safe='')}={quote(query[name], safe='')}" for name in sorted(query))
    path = quote(unquote(parts.path))
    request = f"GET\n{path}\n{canonical}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
    scope = query["X-Amz-Credential"].partition("/")[2]
    text = f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = b"AWS4" + secret.encode()
    for piece in scope.split("/"):
        key = hmac.new(key, piece.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
