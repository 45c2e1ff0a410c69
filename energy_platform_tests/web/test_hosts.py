"""Whom the UI answers."""

from __future__ import annotations

import pytest

from energy_platform.web.hosts import parse_hosts, parse_prefix, refusal

ALLOWED = ("energy.example.com",)


def judged(*headers: tuple[str, str], is_page: bool = False) -> str | None:
    return refusal(headers, allowed=ALLOWED, is_page=is_page)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:3000", "localhost", "[::1]:3000", "Energy.Example.COM", "energy.example.com.:8443"],
)
def test_names_that_are_allowed_pass_with_any_port(host: str) -> None:
    assert judged(("host", host)) is None


@pytest.mark.parametrize(
    "host",
    [
        "attacker.example",
        "127.0.0.1.attacker.example",
        "energy.example.com.attacker.example",
        "127.0.0.1@attacker.example",
        "attacker.example@127.0.0.1",
        "10.0.0.7:3000",
        "127.0.0.1:3000/x",
        "",
        "[::2]",
        "127.0.0.1, attacker.example",
    ],
)
def test_any_other_name_is_refused_and_the_setting_is_named(host: str) -> None:
    assert "ENERGY_PLATFORM_UI_HOSTS" in str(judged(("host", host)))


@pytest.mark.parametrize("hosts", [[], ["127.0.0.1", "127.0.0.1"]])
def test_a_request_has_one_host(hosts: list[str]) -> None:
    assert "expected one Host header" in str(judged(*(("host", one) for one in hosts)))


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("127.0.0.1:3000", "http://127.0.0.1:3000"),
        ("energy.example.com", "https://energy.example.com"),
        ("energy.example.com:443", "https://energy.example.com"),
        ("energy.example.com:8443", "https://Energy.example.com:8443"),
    ],
)
def test_pages_of_the_ui_may_ask_it(host: str, origin: str) -> None:
    assert judged(("host", host), ("origin", origin)) is None


@pytest.mark.parametrize(
    "origin",
    [
        "http://attacker.example",
        "null",
        "http://127.0.0.1:8000",
        "http://localhost:3000",
        "ftp://127.0.0.1:3000",
        "http://127.0.0.1:3000.attacker.example",
    ],
)
def test_pages_of_others_may_not(origin: str) -> None:
    assert "may" in str(judged(("host", "127.0.0.1:3000"), ("origin", origin)))


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_picture_or_a_form_of_another_page_reaches_nothing_but_a_link_does(site: str) -> None:
    host, site_header = ("host", "localhost:3000"), ("sec-fetch-site", site)
    link, picture = ("sec-fetch-mode", "navigate"), ("sec-fetch-mode", "no-cors")
    assert judged(host, site_header, link, is_page=True) is None
    assert judged(host, site_header, picture, is_page=True) is not None
    assert judged(host, site_header, link) is not None
    assert judged(host, ("sec-fetch-site", "same-origin"), picture) is None


@pytest.mark.parametrize(
    "text", ["https://energy.example.com", "energy.example.com:8443", "*", "a b"]
)
def test_a_setting_that_is_no_list_of_names_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a name of a host"):
        parse_hosts(text)


@pytest.mark.parametrize("text", ["energy", "/energy/", "/", "/a//b", "/a?b"])
def test_a_setting_that_is_no_path_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="such as /energy"):
        parse_prefix(text)
