"""Bytes as they are sent and received, of a server that waits for little."""

from __future__ import annotations

import re
import socket

import httpx

from tests.api.served import Server

HEAD, BODY, IDLE, SEND = 0.8, 1.2, 2.5, 2.0  # seconds
LATE = 4.0  # seconds after which what is to be ended is certainly ended
HEADER_LIMIT = 8 * 1024
CONNECTIONS = 60
GET = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n"
PUT = b"PUT /collections/c/points HTTP/1.1\r\nhost: localhost\r\n"
QUERY = b"POST /collections/c/points/query HTTP/1.1\r\nhost: localhost\r\n"


def connect(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def read(connection: socket.socket) -> bytes:
    """Read until the server closes."""
    received = b""
    try:
        while part := connection.recv(65_536):
            received += part
    except ConnectionResetError:
        pass
    return received


def answered(server: Server, sent: bytes) -> tuple[list[int], bytes]:
    """Send bytes and read until the server closes; return the statuses of its replies."""
    with connect(server) as connection:
        try:
            connection.sendall(sent)
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = read(connection)
    return [int(each) for each in re.findall(rb"HTTP/1\.1 (\d{3}) ", received)], received


def ended(server: Server) -> dict[str, int]:
    """Return how many connections the server ended, by reason."""
    prefix = 'palimpsest_connections_ended_total{reason="'
    lines = httpx.get(f"{server.url}/metrics").text.splitlines()
    found = (line[len(prefix) :].split('"} ') for line in lines if line.startswith(prefix))
    return {reason: int(float(count)) for reason, count in found}
