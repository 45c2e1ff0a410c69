"""A mail server and a webhook on loopback that keep what they received."""

from __future__ import annotations

import asyncio
import email
import json
import threading
from contextlib import contextmanager
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from aiosmtpd.controller import Controller

if TYPE_CHECKING:
    from collections.abc import Iterator


class Mailbox:
    """Takes every mail; refuses them with 451 while ``is_refusing``."""

    def __init__(self) -> None:
        self.received: list[tuple[str, str]] = []
        self.attachments: list[list[tuple[str, bytes]]] = []
        self.is_refusing = False
        self.url = ""

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        del server, session
        if self.is_refusing:
            return "451 try again later"
        message = email.message_from_bytes(envelope.content, policy=policy.default)
        body = message.get_body(preferencelist=("plain", "html"))
        self.received.append((str(message["subject"]), body.get_content() if body else ""))
        self.attachments.append(
            [(str(one.get_filename()), one.get_content()) for one in message.iter_attachments()]
        )
        return "250 OK"


class _OnFreePort(Controller):
    """A controller that learns its port from the socket before it checks that it serves."""

    def _trigger_server(self) -> None:
        if not isinstance(self.server, asyncio.Server):
            raise TypeError("the mail server has no socket")
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@contextmanager
def mail_server() -> Iterator[Mailbox]:
    """Serve SMTP on a free port of loopback."""
    mailbox = Mailbox()
    controller = _OnFreePort(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        mailbox.url = (
            f"mailto://127.0.0.1:{controller.port}/?to=ops@example.com&from=platform@example.com"
        )
        yield mailbox
    finally:
        controller.stop()


class Webhook:
    """Takes every POST; answers with ``status``."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.status = 200
        self.url = ""


@contextmanager
def webhook_server() -> Iterator[Webhook]:
    """Serve a webhook on a free port of loopback."""
    webhook = Webhook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if webhook.status < 300:
                webhook.received.append(json.loads(body))
            self.send_response(webhook.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        webhook.url = f"json://127.0.0.1:{server.server_port}/hook"
        yield webhook
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
