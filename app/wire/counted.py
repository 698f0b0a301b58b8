"""How many bytes of bodies came and went for one request."""

from __future__ import annotations

from starlette.types import Message, Receive, Send


class Counted:
    """The two ends of one request, whose bodies are counted as they pass."""

    __slots__ = ("_receive", "_send", "received", "sent")

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.received = self.sent = 0  # bytes, as on the wire but for what holds chunks together

    async def receive(self) -> Message:
        """Receive what comes next."""
        message = await self._receive()
        self.received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Send a message."""
        await self._send(message)
        self.sent += len(message.get("body", b""))
