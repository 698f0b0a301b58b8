"""One call of a model that runs elsewhere, over HTTP.

Redirects are not followed: a key must not go where the operator did not send it. Certificates are
verified. Replies are read up to the size that they may have, and unpacked never, so that no reply
fills the memory. Proxies and passwords of the environment are not used.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from http import HTTPStatus

import httpx
import msgspec

from palimpsest.app.embedding.declared import VARIABLE, Remote
from palimpsest.app.embedding.failures import EmbeddingFailed
from palimpsest.app.embedding.replies import Embedded, most_bytes, read_reply
from palimpsest.app.settings import Misconfigured

_SHOWN = 200  # characters of a provider's own words
_ERROR_BYTES = 64 * 1024  # of a reply that is no success
_LONG_BYTES = 64 * 1024  # of a reply that is read beside the event loop
_AGAIN = (
    *(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.INTERNAL_SERVER_ERROR),
    *(HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT),
)
_ABOUT_KEYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Provider:
    """The model behind an address; used in the event loop's thread."""

    def __init__(self, name: str, remote: Remote, key: str | None) -> None:
        """Take what was declared. Raises Misconfigured."""
        self._remote = remote
        self._key = key
        # A line for each call is more than an operator wants of a library.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        headers = {"accept-encoding": "identity", "content-type": "application/json"}
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        try:
            trust = ssl.create_default_context(cafile=remote.ca)
        except (OSError, ssl.SSLError) as error:
            raise Misconfigured(f"{VARIABLE}: embedder {name!r}: `ca`: {error}") from None
        self._url = remote.url.rstrip("/") + "/embeddings"
        self._client = httpx.AsyncClient(
            headers=headers,
            verify=trust,
            follow_redirects=False,
            trust_env=False,
            timeout=remote.timeout,
            limits=httpx.Limits(max_connections=remote.concurrency),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def embed(self, texts: list[str]) -> Embedded:
        """Return the vectors of texts, which have their prefixes. Raises EmbeddingFailed."""
        asked = {
            "model": self._remote.model,
            "input": texts,
            "encoding_format": self._remote.encoding,
        }
        body = msgspec.json.encode(asked)
        limit = most_bytes(len(texts), self._remote.size)
        try:
            # Over all of it: the client's own time-outs begin anew with every byte that comes.
            async with (
                asyncio.timeout(self._remote.timeout),
                self._client.stream("POST", self._url, content=body) as reply,
            ):
                if reply.status_code != HTTPStatus.OK:
                    raise await self._refused(reply)
                found = await _read(reply, limit)
        except (httpx.TimeoutException, TimeoutError):
            raise EmbeddingFailed(
                "timeout",
                f"no reply within {self._remote.timeout:g} s",
                HTTPStatus.GATEWAY_TIMEOUT,
                again=True,
            ) from None
        # UnicodeError: a name of a host that no resolver takes.
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            kind = type(error).__name__
            text = f"it cannot be reached: {self._without_key(str(error)) or kind}"
            raise EmbeddingFailed("unreachable", text, again=True) from None
        if len(found) <= _LONG_BYTES:
            return read_reply(found, len(texts), self._remote.size)
        return await asyncio.to_thread(read_reply, found, len(texts), self._remote.size)

    async def _refused(self, reply: httpx.Response) -> EmbeddingFailed:
        status = reply.status_code
        if reply.is_redirect:
            text = f"it answered {status}: redirects are not followed, declare the final `url`"
            return EmbeddingFailed("status", text)
        if status in _ABOUT_KEYS:  # such replies like to repeat the key, or parts of it
            return EmbeddingFailed("status", f"it answered {status}: check the key of the embedder")
        # Cut after the key is out: half a key would not be known for one.
        words = self._without_key(_words_of(await _read(reply, _ERROR_BYTES)))[:_SHOWN]
        text = f"it answered {status}" + (f": {words}" if words else "")
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            after = _seconds(reply.headers.get("retry-after"))
            return EmbeddingFailed("status", text, status, again=True, after=after)
        return EmbeddingFailed("status", text, again=status in _AGAIN)

    def _without_key(self, text: str) -> str:
        return text if self._key is None else text.replace(self._key, "***")


async def _read(reply: httpx.Response, limit: int) -> bytes:
    """Return what a reply holds. Raises EmbeddingFailed where that is packed or too much."""
    packed = reply.headers.get("content-encoding", "identity")
    if packed != "identity":
        raise EmbeddingFailed("reply", f"the reply is packed ({packed:.20}), unasked")
    found = bytearray()
    async for piece in reply.aiter_raw():
        found += piece
        if len(found) > limit:
            raise EmbeddingFailed("reply", f"the reply is larger than {limit} bytes")
    return bytes(found)


def _words_of(body: bytes) -> str:
    """Return what a provider says of an error, in one line."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = body.decode("utf-8", "replace")
    if isinstance(found, dict):
        found = found.get("error", found)
    if isinstance(found, dict):
        found = found.get("message", found)
    return " ".join(str(found).split())


def _seconds(header: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``; of its other form, a date, None."""
    try:
        return None if header is None else max(0.0, min(float(header), 86_400.0))
    except ValueError:
        return None
