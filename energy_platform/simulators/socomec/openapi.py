"""What is certain of SoData's own description of its API: title, version, paths of the reads.

Source: SoData API, sections 1 (title, version, tags) and 4 (paths).
"""

from __future__ import annotations

from typing import Any, Final

ROOT: Final = "/api/v1"

OPENAPI_PATH: Final = "/swagger-api-json/v1"
SWAGGER_PAGE: Final = "/docs/swagger-ui/index.html"

_CA: Final = f"{ROOT}/ca/{{corporateAccountUuid}}"
_DEVICE: Final = f"{_CA}/devices/{{deviceUuid}}"

_READS: Final[tuple[tuple[str, str, str], ...]] = (
    ("get", f"{ROOT}/ca", "Corporate Accounts"),
    ("get", _CA, "Corporate Accounts"),
    ("get", f"{_CA}/customers", "Customers"),
    ("get", f"{_CA}/customers/{{customerUuid}}", "Customers"),
    ("get", f"{_CA}/sites", "Sites"),
    ("get", f"{_CA}/sites/count", "Sites"),
    ("get", f"{_CA}/sites/{{siteUuid}}", "Sites"),
    ("get", f"{_CA}/devices", "Devices"),
    ("get", _DEVICE, "Devices"),
    ("get", f"{_DEVICE}/gateway", "Devices"),
    ("get", f"{_DEVICE}/variables", "Variables"),
    ("get", f"{_DEVICE}/variables/{{variableUuid}}", "Variables"),
    ("post", f"{_CA}/variables", "Variables"),
    ("put", f"{_CA}/datapoints", "Data Points"),
    ("get", f"{_DEVICE}/last-values", "Data Points"),
    ("put", f"{_CA}/last-values", "Data Points"),
)


def _paths() -> dict[str, Any]:
    paths: dict[str, Any] = {}
    for method, path, tag in _READS:
        operation = {"tags": [tag], "responses": {"200": {"description": ""}}}
        paths.setdefault(path, {})[method] = operation
    return paths


OPENAPI: Final[dict[str, Any]] = {
    "openapi": "3.0.0",
    "info": {"title": "IoT API Gateway", "version": "3.0.0"},
    "paths": _paths(),
}
"""The document behind the title of the vendor's page."""


def swagger_page() -> str:
    """Return the vendor's page, as far as it is certain: its title, and the path under it."""
    info = OPENAPI["info"]
    head = f"<!DOCTYPE html><html><head><title>{info['title']}</title></head>"
    link = f'<a href="{OPENAPI_PATH}">{OPENAPI_PATH}</a>'
    return f"{head}<body><h1>{info['title']} {info['version']}</h1><p>{link}</p></body></html>"
