"""The application that is served: MiniStack's, behind a refusal of web pages.

MiniStack answers every origin with `Access-Control-Allow-Origin: *`, its reset route included, so
any page open in the developer's browser could empty the queues. Browsers put `Origin` on every
request that could change something (Fetch Standard,
https://fetch.spec.whatwg.org/#origin-header); no AWS client sends it.
"""

from ministack import app as ministack_app


async def application(scope, receive, send) -> None:
    """ASGI. Requests with an Origin get 403, web sockets are closed, start and stop are
    `server`'s.
    """
    if scope["type"] == "lifespan":
        await _acknowledge_lifespan(receive, send)
    elif scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    elif any(name.lower() == b"origin" for name, _ in scope["headers"]):
        await send({"type": "http.response.start", "status": 403, "headers": []})
        await send({"type": "http.response.body", "body": b"Web pages may not use the emulator."})
    else:
        await ministack_app.app(scope, receive, send)


async def _acknowledge_lifespan(receive, send) -> None:
    for expected in ("lifespan.startup", "lifespan.shutdown"):
        message = await receive()
        assert message["type"] == expected
        await send({"type": f"{expected}.complete"})
