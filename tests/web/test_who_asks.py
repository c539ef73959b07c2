"""Tokens, sessions, and what a browser may and may not do with its cookie."""

import pytest

from billing.settings import settings

from .conftest import ACME, BOLT, Client, Product


@pytest.mark.parametrize(
    "authorization", ["", "Bearer", "Bearer ", "Bearer wrong", "Basic YTpi", ACME, f"Bearer {ACME} x", "Bearer \xff"]
)
def test_without_a_good_token_nothing_is_shown_and_nothing_accepted(
    nobody: Client, product: Product, authorization: str
) -> None:
    before = product.rows()
    for method, path in (("GET", "/jobs"), ("POST", "/v1/reports"), ("GET", "/v1/invoices"), ("GET", "/session")):
        answer = nobody.open(path, method=method, headers={"Authorization": authorization} if authorization else {})
        assert answer.status_code == 401
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert product.rows() == before


def test_a_browser_gets_a_cookie_for_a_token_and_gives_it_back(nobody: Client, product: Product) -> None:
    answer = nobody.post("/session", json={"token": ACME})
    assert (answer.status_code, answer.json["tenant"]) == (201, "acme")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and "Path=/" in cookie and ACME not in cookie
    assert nobody.get("/session").json["tenant"] == "acme"
    assert nobody.get("/jobs").status_code == 200
    nobody.delete("/session")
    assert nobody.get("/jobs").status_code == 401


def test_a_wrong_token_opens_no_session(nobody: Client, product: Product) -> None:
    answer = nobody.post("/session", json={"token": "wrong"})
    assert answer.status_code == 401 and "Set-Cookie" not in answer.headers


def test_a_cookie_that_was_changed_is_none(nobody: Client, product: Product) -> None:
    from app.shared.auth import COOKIE

    nobody.post("/session", json={"token": ACME})
    found = nobody.get_cookie(COOKIE)
    assert found
    # Not the last letter: of its six bits only four belong to the signature.
    at = found.value.rindex(".") + 1
    changed = "A" if found.value[at] != "A" else "B"
    nobody.set_cookie(COOKIE, found.value[:at] + changed + found.value[at + 1 :])
    assert nobody.get("/jobs").status_code == 401


def test_a_wrong_token_is_not_saved_by_a_good_cookie(nobody: Client, product: Product) -> None:
    nobody.post("/session", json={"token": ACME})
    assert nobody.get("/jobs", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert nobody.get("/session", headers={"Authorization": f"Bearer {BOLT}"}).json["tenant"] == "bolt"


def test_a_page_of_another_port_of_this_host_cannot_act_with_the_cookie(nobody: Client, product: Product) -> None:
    """SameSite=Strict lets it pass: another port is the same site."""
    nobody.post("/session", json={"token": ACME})
    before = product.rows()
    path = f"/v1/invoices/{product.invoice}/email"
    assert nobody.post(path, headers={"Origin": "http://localhost:9999"}).status_code == 403
    assert product.rows() == before
    assert nobody.post(path, headers={"Origin": "http://localhost"}).status_code == 202


def test_taking_a_token_away_ends_its_sessions(nobody: Client, product: Product) -> None:
    from app.shared import auth

    nobody.post("/session", json={"token": ACME})
    product.do("UPDATE tenants SET token_hash = 'another' WHERE id = 'acme'")
    auth.forget()  # what CACHE_SECONDS do by themselves
    assert nobody.get("/jobs").status_code == 401


def test_a_token_is_looked_up_once_and_again_after_a_few_seconds(
    acme: Client, product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.shared import auth

    assert acme.get("/jobs").status_code == 200
    product.do("UPDATE tenants SET token_hash = 'another' WHERE id = 'acme'")
    assert acme.get("/jobs").status_code == 200
    assert auth.CACHE_SECONDS <= 5
    auth.forget()
    assert acme.get("/jobs").status_code == 401


def test_without_a_secret_key_nothing_starts(app_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.shared import web

    monkeypatch.setenv("SECRET_KEY", "")
    settings.cache_clear()
    with pytest.raises(RuntimeError, match="Set it to a long random string"):
        web.create_app()
