"""One JSON line per request: who judges whether work was repeated reads it here."""

import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

REQUEST: web.RequestKey[dict[str, Any]] = web.RequestKey("log", dict)


class RequestLog:
    """`path`: None keeps none. Raises SystemExit (one line) where it can't be written."""

    def __init__(self, path: Path | None) -> None:
        try:
            self._out = path.open("ab", buffering=0) if path else None
        except OSError as err:
            raise SystemExit(f"cannot write the log {path}: {err.strerror}; pass --log FILE elsewhere") from None

    def note(self, line: dict[str, Any]) -> None:
        if self._out:
            self._out.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def middleware(log: RequestLog) -> Any:
    """Notes at, seconds, method, op, bucket, key, upload, part, status, bytes (received by a PUT, sent by a
    GET) and worker (X-Worker); `status` is null, and broke "client left", where it left before it had
    sent or got all.
    """

    @web.middleware
    async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = time.time()
        line: dict[str, Any] = {
            "at": began,
            "method": request.method,
            "op": None,
            "bucket": request.match_info.get("bucket"),
            "key": request.match_info.get("key"),
            "upload": request.query.get("upload"),
            "part": int(part) if (part := request.query.get("part", "")).isdecimal() and len(part) < 9 else None,
            "worker": request.headers.get("X-Worker"),
            "status": None,
            "bytes": 0,
        }
        request[REQUEST] = line
        try:
            answer = await handler(request)
            if isinstance(answer, web.FileResponse):
                # Content is sent from here and not after us, so that a download cut short is seen as one.
                await answer.prepare(request)
                line["bytes"] = answer.content_length or 0
            line["status"] = answer.status
            return answer
        except ConnectionError:
            # No error of ours, and no one to answer: the connection is closed instead of kept for another request.
            line["broke"] = "client left"
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        finally:
            # Before any other answer leaves: who has it finds its line in the log.
            line["seconds"] = round(time.time() - began, 6)
            log.note(line)

    return noted
