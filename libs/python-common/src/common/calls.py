"""One call by httpx that ends: its answer is here in time, and not too long, or there is none.

httpx bounds each wait for bytes and not their sum, so that an answer that drips holds its thread
for as long as it drips.
"""

import time
from collections.abc import Iterator
from typing import Any, Final

import httpx

# Ten times the longest that we ask for: a page of the provider's book, 200 products' prices.
BYTES_MAX: Final = 4 * 1024 * 1024


class AnswerTooLong(httpx.HTTPError):
    """It is left unread."""


def answer(
    http: httpx.Client, method: str, url: str, *, within_s: float, **request: Any
) -> httpx.Response:
    """What `http.request` returns, its body unpacked.

    http: with a time-out to read; the body may take as long as the wait for its head might have.
    within_s: for all of the call. Only looking up a name and a head that drips are not held to it:
    httpx gives out nothing of a head before it is whole. Raises httpx.HTTPError, AnswerTooLong.
    """
    ends_at = time.monotonic() + within_s
    with http.stream(method, url, **request) as response:
        body = b"".join(_read(response, ends_at))
    headers = response.headers.copy()
    headers.pop("Content-Encoding", None)
    return httpx.Response(
        response.status_code, headers=headers, content=body, request=response.request
    )


def _read(response: httpx.Response, ends_at: float) -> Iterator[bytes]:
    timeouts = response.request.extensions["timeout"]
    now = time.monotonic()
    ends_at = min(ends_at, now + timeouts["read"])
    # Half of what is left: a chunk is waited for only if it comes before the end. httpcore looks at
    # this once more, for the body.
    wait_s = timeouts["read"] = (ends_at - now) / 2
    if wait_s <= 0:
        raise httpx.ReadTimeout("it came too late", request=response.request)
    size = 0
    for chunk in response.iter_bytes():
        yield chunk
        size += len(chunk)
        if size > BYTES_MAX:
            raise AnswerTooLong(f"more than {BYTES_MAX} bytes")
        is_whole = response.headers.get("Content-Length") == str(response.num_bytes_downloaded)
        if time.monotonic() + wait_s > ends_at and not is_whole:
            raise httpx.ReadTimeout("it drips", request=response.request)
