"""The store's HTTP. Every request but /healthz is signed; see `billing.storage.signing`.

    POST   /BUCKET/KEY?uploads=             begin              -> 200 {"key", "upload", "begun"}
    PUT    /BUCKET/KEY?upload=ID&part=N     part, streamed     -> 200 {"etag", "size"}
    POST   /BUCKET/KEY?upload=ID            complete {"parts": [[n, etag], …]} -> 200 {"key", "size", "modified"}
    DELETE /BUCKET/KEY?upload=ID            abort              -> 204
    GET    /BUCKET/KEY[?filename=…]         content, with Range -> 200, 206
    GET    /BUCKET/KEY?stat=                about it           -> 200 {"key", "size", "modified"}
    DELETE /BUCKET/KEY                                         -> 204
    GET    /BUCKET?list=PREFIX              its objects        -> 200 {"objects": […]}
    GET    /BUCKET?uploads=PREFIX           begun, not ended   -> 200 {"uploads": […]}

Errors are {"error": code, "message": text}.
"""

import asyncio
import time
from http import HTTPStatus
from mimetypes import guess_type
from typing import Any

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import Handler
from pydantic import BaseModel, ConfigDict, ValidationError

from accepted.store.layout import Layout
from accepted.store.objects import Objects
from accepted.store.parts import Uploads
from accepted.store.requestlog import REQUEST, RequestLog, middleware
from billing.storage.disposition import attachment
from billing.storage.errors import (
    NoSuchObject,
    NoSuchUpload,
    PartChanged,
    PartTooSmall,
    StoreError,
    StoreRefused,
)
from billing.storage.signing import objection

STATUS: dict[type[StoreError], int] = {
    NoSuchObject: 404,
    NoSuchUpload: 404,
    PartChanged: 409,
    PartTooSmall: 422,
    StoreRefused: 400,
}
STALLED = 60.0  # seconds without a byte after which an upload is given up
PIECE = 1 << 20  # bytes gathered before a thread is asked to write them


class Parts(BaseModel):
    model_config = ConfigDict(extra="forbid")
    parts: list[tuple[int, str]]


class Content(web.FileResponse):
    """A file that may be prepared (which sends it) by the log, and then once more by the server."""

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None if self.prepared else await super().prepare(request)


class Front:
    """HTTP in front of the folder. Files are touched in threads: a slow disk delays its own request only."""

    def __init__(self, layout: Layout) -> None:
        self.uploads = Uploads(layout)
        self.objects = Objects(layout, self.uploads)

    async def post(self, request: web.Request) -> web.StreamResponse:
        bucket, key, query = *_names(request), request.query
        if "upload" not in query:
            request[REQUEST]["op"] = "begin"
            return web.json_response(await asyncio.to_thread(self.uploads.begin, bucket, key))
        request[REQUEST]["op"] = "complete"
        try:
            wanted = Parts.model_validate_json(await request.read()).parts
        except ValidationError:
            raise StoreRefused('the body must be {"parts": [[number, etag], …]}') from None
        made = await asyncio.to_thread(self.objects.complete, bucket, key, query["upload"], wanted)
        return web.json_response(_told(made))

    async def put(self, request: web.Request) -> web.StreamResponse:
        bucket, key, line = *_names(request), request[REQUEST]
        line["op"] = "part"
        if line["upload"] is None or line["part"] is None:
            raise StoreRefused("content comes in parts: PUT with ?upload=ID&part=NUMBER")
        draft = await asyncio.to_thread(self.uploads.draft, bucket, key, line["upload"], line["part"])
        try:
            gathered = bytearray()
            async for chunk in _arriving(request):
                line["bytes"] += len(chunk)
                gathered += chunk
                if len(gathered) >= PIECE:
                    await asyncio.to_thread(draft.write, gathered)
                    gathered = bytearray()
            await asyncio.to_thread(draft.write, gathered)
            try:
                etag = await asyncio.to_thread(draft.keep)
            except FileNotFoundError:
                raise NoSuchUpload(f"upload {line['upload']} was aborted meanwhile") from None
        finally:
            await asyncio.to_thread(draft.drop)
        return web.json_response({"etag": etag, "size": line["bytes"]})

    async def get(self, request: web.Request) -> web.StreamResponse:
        bucket, key = _names(request)
        request[REQUEST]["op"] = "stat" if "stat" in request.query else "get"
        about = await asyncio.to_thread(self.objects.find, bucket, key)
        if "stat" in request.query:
            return web.json_response(_told(about))
        headers = {
            "Content-Type": guess_type(key)[0] or "application/octet-stream",
            "Content-Disposition": attachment(request.query.get("filename") or key.rpartition("/")[2]),
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "private, no-store",
        }
        return Content(self.objects.content(bucket, about), headers=headers)

    async def delete(self, request: web.Request) -> web.StreamResponse:
        bucket, key = _names(request)
        if "upload" in request.query:
            request[REQUEST]["op"] = "abort"
            await asyncio.to_thread(self.uploads.abort, bucket, request.query["upload"])
        else:
            request[REQUEST]["op"] = "delete"
            await asyncio.to_thread(self.objects.delete, bucket, key)
        return web.Response(status=204)

    async def listing(self, request: web.Request) -> web.StreamResponse:
        bucket, query = request.match_info["bucket"], request.query
        request[REQUEST]["op"] = "list"
        if "uploads" in query:
            unfinished = await asyncio.to_thread(lambda: list(self.uploads.list(bucket, query["uploads"])))
            return web.json_response({"uploads": unfinished})
        found = await asyncio.to_thread(self.objects.list, bucket, query.get("list", ""))
        return web.json_response({"objects": [_told(about) for about in found]})


def build(layout: Layout, secret: str, log: RequestLog) -> web.Application:
    """The store as an aiohttp application. Sweeps what a killed predecessor left half done."""
    front = Front(layout)
    front.objects.sweep()
    app = web.Application(middlewares=[middleware(log), _refusals, _guard(secret)], client_max_size=4 << 20)
    app.router.add_get("/healthz", _healthz)
    app.router.add_get("/{bucket}", front.listing, allow_head=False)
    app.router.add_get("/{bucket}/{key:.+}", front.get)
    app.router.add_post("/{bucket}/{key:.+}", front.post)
    app.router.add_put("/{bucket}/{key:.+}", front.put)
    app.router.add_delete("/{bucket}/{key:.+}", front.delete)
    return app


def _guard(secret: str) -> Any:
    @web.middleware
    async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
        why = objection(secret, request.method, request.path, request.query, time.time())
        if why and request.path != "/healthz":
            return _problem(403, "Refused", f"this request is refused: {why}")
        return await handler(request)

    return guarded


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except StoreError as err:
        return _problem(STATUS[type(err)], type(err).__name__, str(err))
    except TimeoutError:
        return _problem(408, "Stalled", f"no byte came for {STALLED:.0f} s")
    except OSError as err:
        if isinstance(err, ConnectionError):
            raise
        return _problem(507, "Disk", f"the store's disk failed: {err.strerror}")
    except web.HTTPException as err:
        return _problem(err.status, HTTPStatus(err.status).phrase, err.reason)


async def _arriving(request: web.Request) -> Any:
    while True:
        async with asyncio.timeout(STALLED):
            chunk = await request.content.readany()
        if not chunk:
            return
        yield chunk


async def _healthz(request: web.Request) -> web.Response:
    return web.json_response({"status": "ok"})


def _names(request: web.Request) -> tuple[str, str]:
    return request.match_info["bucket"], request.match_info["key"]


def _told(about: dict[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in ("key", "size", "modified")}


def _problem(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": code, "message": message}, status=status)
