"""The client page in a real browser, before the tree's own web and stream processes."""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

from accepted.stack import ports
from accepted.stack.child import Spec
from accepted.stack.health import Http
from accepted.stack.logs import Logs
from accepted.stack.runner import Runner
from accepted.stack.tether import Tether

from .conftest import ACME, ROOT, Product

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
expect.set_options(timeout=20_000)  # ms: a browser on a machine that has other things to do
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on the PATH; install one to test the page")


@pytest.fixture
def runner(app_environment: None, product: Product, tether: Tether, tmp_path: Path) -> Iterator[Runner]:
    """Web and stream, running, on ports of their own."""
    web, stream = ports.free_port(), ports.free_port()
    places = {"PORT": str(web), "STREAM_PORT": str(stream), "WEB_WORKERS": "1"}
    places |= {"PUBLIC_URL": f"http://127.0.0.1:{web}", "STREAM_URL": f"http://127.0.0.1:{stream}"}
    with ExitStack() as done:
        logs = Logs(tmp_path / "logs")
        done.callback(logs.close)
        runner = Runner(env={**os.environ, **places}, cwd=ROOT, logs=logs, tether=tether, grace=5)
        done.callback(runner.close)
        runner.add(Spec("web", "python -m app web", restart="never", health=Http(web)))
        runner.add(Spec("stream", "python -m app stream", restart="never", health=Http(stream)))
        runner.start()
        runner.wait_healthy(30)
        yield runner


@pytest.fixture
def page(runner: Runner) -> Iterator[Page]:
    """A page whose every error, in its script or against its security policy, fails the test."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        opened = browser.new_page(base_url=runner.env["PUBLIC_URL"], viewport={"width": 1100, "height": 900})
        broken: list[str] = []
        opened.on("pageerror", lambda error: broken.append(str(error)))
        opened.on("console", lambda said: broken.append(said.text) if "Content Security" in said.text else None)
        yield opened
        browser.close()
        assert not broken


def picture(page: Page, name: str) -> None:
    """A screenshot for people to look at, where PICTURES names a folder."""
    if folder := os.environ.get("PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


def move(product: Product, kind: str, state: str, percent: int, message: str, more: str = "") -> None:
    """What a worker writes: the row and its event, as one."""
    product.do(
        f"""WITH changed AS (
            UPDATE jobs SET state = %s, percent = %s, message = %s, event_seq = event_seq + 1 {more} WHERE kind = %s
            RETURNING id, event_seq, tenant_id, state, percent, message)
        INSERT INTO job_events (job_id, seq, tenant_id, state, percent, message) SELECT * FROM changed""",
        state,
        percent,
        message,
        kind,
    )


def sign_in(page: Page) -> None:
    page.goto("/")
    page.get_by_label("Your API token").fill(ACME)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Live", exact=True)).to_be_visible()


def test_a_report_is_asked_for_followed_live_and_offered_for_download(page: Page, product: Product) -> None:
    page.goto("/")
    picture(page, "sign-in")
    sign_in(page)
    page.get_by_role("button", name="Export").click()
    job = page.locator("#jobs > li")
    expect(job.locator(".chip")).to_have_text("queued")
    move(product, "report.export", "running", 40, "400 of 1000 lines", ", started_at = now()")
    expect(job.get_by_text("400 of 1000 lines")).to_be_visible()
    expect(job.get_by_role("progressbar", name="Report: 40 percent")).to_be_visible()
    picture(page, "running")
    product.do("UPDATE reports SET artifact_key = 'acme/reports/x/v1/1.csv', artifact_fence = 1")
    move(product, "report.export", "succeeded", 100, "done", ", finished_at = now()")
    expect(job.locator(".chip")).to_have_text("done")
    link = job.get_by_role("link", name="Download")
    expect(link).to_have_attribute("href", str(product.one("SELECT '/jobs/' || id || '/artifact' FROM jobs")))
    expect(page.get_by_text("Report: done", exact=True)).to_be_attached()  # said aloud by a screen reader


def test_a_fan_out_shows_its_deliveries_and_why_one_was_given_up(page: Page, product: Product) -> None:
    sign_in(page)
    page.get_by_role("button", name="Send webhooks").click()
    job = page.locator("#jobs > li")
    expect(job.locator(".chip").first).to_have_text("queued")
    fanout = product.one("SELECT id FROM jobs")
    for state, error, result in (
        ("succeeded", None, '{"subscriber_id": 1}'),
        ("retrying", None, None),
        ("failed", '{"class": "PartnerError", "message": "the subscriber answered 410 Gone"}', None),
    ):
        product.do(
            "INSERT INTO jobs (id, tenant_id, kind, natural_key, args, aggregate, seq, parent_id, state, error, result,"
            " message, failures, trace_id, traceparent) VALUES (gen_random_uuid(), 'acme', 'webhook.deliver',"
            " 'acme:webhook:7:1:1:invoice.reminder', '{}', 'a', 1,"
            " %s, %s, %s, %s, 'attempt 1 failed (HTTP 503); the next is due in 0.8 s', 1, 't', 't')",
            *(fanout, state, error, result),
        )
    move(product, "webhook.fanout", "succeeded", 100, "done", ", started_at = now(), finished_at = now()")
    expect(job.get_by_text("3 deliveries: 1 will retry, 1 done, 1 failed")).to_be_visible()
    expect(job.get_by_text("Subscriber 7").first).to_be_visible()
    expect(job.get_by_text("PartnerError: the subscriber answered 410 Gone")).to_be_visible()
    picture(page, "fan-out")


def test_what_happened_while_the_stream_was_away_is_shown_by_polling_and_live_again_later(
    page: Page, product: Product, runner: Runner
) -> None:
    sign_in(page)
    page.get_by_role("button", name="Export").click()
    expect(page.locator("#jobs .chip")).to_have_text("queued")
    runner.stop("stream")
    expect(page.get_by_text("Reconnecting; asking every 2 seconds")).to_be_visible()
    move(product, "report.export", "running", 10, "under way", ", started_at = now()")
    expect(page.get_by_text("under way")).to_be_visible(timeout=10_000)
    runner.start("stream")
    expect(page.get_by_text("Live", exact=True)).to_be_visible(timeout=20_000)
    move(product, "report.export", "running", 20, "further on")
    expect(page.get_by_text("further on")).to_be_visible()


def test_a_token_in_the_fragment_signs_in_and_leaves_the_address_bar(page: Page, product: Product) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/#token={ACME}")
    expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert page.url.endswith("/") and not [url for url in asked if ACME in url.partition("#")[0]]
    page.reload()
    expect(page.get_by_text("acme", exact=True)).to_be_visible()  # the cookie remembers
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Your API token")).to_be_focused()


def test_what_is_refused_is_said_beside_the_button(page: Page, product: Product) -> None:
    sign_in(page)
    page.get_by_label("From").fill("2020-01-01")
    page.get_by_role("button", name="Export").click()
    expect(page.locator("#export").get_by_role("alert")).to_contain_text("the period is longer than 366 days")
    page.get_by_role("button", name="Sign out").click()
    page.get_by_label("Your API token").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#sign-in").get_by_role("alert")).to_have_text("No tenant has this token.")


def test_everything_can_be_done_by_keyboard_and_has_a_name(page: Page, product: Product) -> None:
    sign_in(page)
    nameless = page.evaluate(
        "() => [...document.querySelectorAll('button, input, select, a')].filter(e => e.offsetParent && !("
        " e.matches('input, select') ? e.labels.length : e.textContent.trim())).map(e => e.outerHTML)"
    )
    assert nameless == []
    page.keyboard.press("Tab")
    page.locator("#export button").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#jobs > li")).to_have_count(1)


@pytest.mark.parametrize("width", [360, 700, 940, 1100])
def test_nothing_hangs_over_its_card_at_any_width(page: Page, product: Product, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page)
    picture(page, f"width-{width}")
    over = page.evaluate(
        "() => [...document.querySelectorAll('.card, body')].flatMap(card => [...card.querySelectorAll('*')].filter("
        "e => e.offsetParent && !e.closest('.unseen, .skip') &&"
        " e.getBoundingClientRect().right > card.getBoundingClientRect().right + 1).map(e => e.outerHTML))"
    )
    assert over == []


def test_everything_it_shows_comes_from_the_web_process_itself(page: Page, runner: Runner) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3])))
    sign_in(page)
    assert asked == {runner.env["PUBLIC_URL"], runner.env["STREAM_URL"]}
