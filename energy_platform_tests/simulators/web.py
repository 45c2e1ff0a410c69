"""One client for all tests: making one costs more than most requests (it reads the CA bundle)."""

from __future__ import annotations

from typing import Final

import httpx

HTTP: Final = httpx.Client(timeout=10)
