"""What moto can't show by itself: how the S3 client reads the answers of S3 proper."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from billing.storage import MIN_PART, NoSuchUpload, ObjectStore, PartChanged, StoreDown, StoreError, StoreRefused
from billing.storage.s3 import S3Store, _joined, _translated


def test_a_finished_upload_that_s3_forgot_is_known_by_the_etag_of_its_object(
    open_s3: Callable[[str], ObjectStore],
) -> None:
    # moto remembers finished uploads and S3 need not; so the comparison itself is held to an object's true
    # etag.
    store = open_s3("forgetful")
    assert isinstance(store, S3Store)
    upload = store.begin("k")
    etags = [store.put_part(upload, n, [content]) for n, content in ((1, b"x" * MIN_PART), (2, b"y"))]
    store.complete(upload, list(enumerate(etags, 1)))
    assert store._etag("k") == _joined(etags)
    assert store._etag("k") != _joined(etags[:1])
    assert store._etag("other") is None


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("NoSuchUpload", 404, NoSuchUpload),
        ("InvalidPart", 400, PartChanged),
        ("SlowDown", 503, StoreDown),
        ("InternalError", 500, StoreDown),
        ("RequestTimeout", 400, StoreDown),
        ("AccessDenied", 403, StoreRefused),
        ("NoSuchBucket", 404, StoreRefused),
    ],
)
def test_an_error_of_s3_is_worth_a_retry_only_where_waiting_helps(
    code: str, status: int, kind: type[StoreError]
) -> None:
    told: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    error = ClientError(told, "Any")
    with pytest.raises(kind) as caught, _translated():
        raise error
    assert caught.value.retryable == (kind is StoreDown)


def test_missing_credentials_are_no_outage() -> None:
    with pytest.raises(StoreRefused), _translated():
        raise NoCredentialsError
    with pytest.raises(StoreDown), _translated():
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
