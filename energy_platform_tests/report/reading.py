"""What a page says, as a browser would read it."""

from __future__ import annotations

from html.parser import HTMLParser


class Reader(HTMLParser):
    """Figures by name, tags with their attributes, and the text that is shown."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.figures: dict[str, tuple[str, str]] = {}
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._open: str | None = None
        self._within: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        if tag == "data" and (name := found.get("data-figure")):
            self._open = name
            self.figures[name] = (found.get("value") or "", "")
        if tag in {"script", "style"}:
            self._within.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag == "data":
            self._open = None
        if tag in {"script", "style"} and self._within:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if self._within:
            if self._within[-1] == "script":
                self.scripts.append(data)
            return
        self.text.append(data)
        if self._open is not None:
            value, shown = self.figures[self._open]
            self.figures[self._open] = (value, shown + data)

    def value(self, name: str) -> float | None:
        """The figure as the marts have it; None for an unknown one."""
        raw = self.figures[name][0]
        return float(raw) if raw else None

    def shown(self, name: str) -> str:
        """The figure as people read it."""
        return self.figures[name][1]

    @property
    def words(self) -> str:
        """All text that is shown."""
        return " ".join(" ".join(self.text).split())
