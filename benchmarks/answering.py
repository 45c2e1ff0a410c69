"""A server that answers every POST with 200 after a delay, and counts: faster than any sender."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import cast

ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: JSESSIONID=1; Path=/; HttpOnly\r\n\r\n"
)
LATER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
NOTHING_STORED = b"HTTP/1.1 404 Not VendorInventory\r\nContent-Length: 0\r\n\r\n"


class Answering(asyncio.Protocol):
    """One connection: reads requests whole, answers each after the delay."""

    delay_s = 0.0
    answered = 0

    def __init__(self) -> None:
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Take bytes; answer every request that is complete."""
        held = self._held + data
        while (end := held.find(b"\r\n\r\n")) >= 0:
            head = held[:end].lower()
            at = head.find(b"content-length:")
            length = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(held) < end + 4 + length:
                break
            held = held[end + 4 + length :]
            answer = LATER if b"cookie:" in head else ANSWER
            if head.startswith(b"get"):
                answer = NOTHING_STORED
            Answering.answered += 1
            if self.delay_s:
                asyncio.get_running_loop().call_later(self.delay_s, self._write, answer)
            else:
                self._transport.write(answer)
        self._held = held

    def _write(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)


async def serve(delay_s: float) -> None:
    """Serve until standard input ends; say the port on standard output."""
    Answering.delay_s = delay_s
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--delay-ms", type=float, default=0.0)
    asyncio.run(serve(parser.parse_args().delay_ms / 1000))
