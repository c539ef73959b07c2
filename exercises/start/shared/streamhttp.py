"""The stream's manners: problems as application/problem+json, and who may read across origins."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from billing.settings import settings

log = structlog.get_logger(__name__)


class Problem(Exception):
    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, headers

    def response(self, path: str) -> web.Response:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "instance": path,
        }
        return web.json_response(
            body, status=self.status, headers=self.headers, content_type="application/problem+json"
        )


@web.middleware
async def problems(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Every answer of 400 and above is a problem; what nobody foresaw says nothing of itself."""
    try:
        return await handler(request)
    except Problem as problem:
        return problem.response(request.path)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        allow = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return Problem(error.status, "Streams are at /events and /jobs/<id>/events.", allow).response(request.path)
    except ConnectionError:
        raise
    except Exception as error:
        log.error("stream failed", exc_info=error)
        return Problem(500, "Something went wrong on our side.").response(request.path)


def origin_of(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def cors(request: web.Request, response: web.StreamResponse) -> None:
    """The client page is served by web, at another port, and sends its cookie: that origin and no other may read."""
    response.headers["Vary"] = "Origin"
    if request.headers.get("Origin") == origin_of(settings().public_url):
        response.headers["Access-Control-Allow-Origin"] = origin_of(settings().public_url)
        response.headers["Access-Control-Allow-Credentials"] = "true"


async def preflight(_: web.Request) -> web.Response:
    return web.Response(
        status=204,
        headers={
            "Access-Control-Allow-Methods": "GET",
            "Access-Control-Allow-Headers": "Authorization, Last-Event-ID, Cache-Control",
            "Access-Control-Max-Age": "600",
        },
    )
