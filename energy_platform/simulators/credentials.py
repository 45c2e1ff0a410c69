"""The invented accounts of the simulators. They open nothing but loopback servers."""

from __future__ import annotations

from typing import Final, NamedTuple


class Account(NamedTuple):
    """Client and user of an OAuth server."""

    client_id: str
    client_secret: str
    username: str
    password: str


SOCOMEC: Final = Account(
    client_id="demo-sodata",
    client_secret="demo-sodata-secret",  # noqa: S106
    username="reader@socomec.example",
    password="demo-sodata-password",  # noqa: S106
)

BELIMO: Final = Account(
    client_id="demo-belimo",
    client_secret="demo-belimo-secret",  # noqa: S106
    username="service@belimo.example",
    password="demo-belimo-password",  # noqa: S106
)
