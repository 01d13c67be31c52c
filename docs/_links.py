"""Walk the built site offline: links inside it must lead somewhere, and nothing may load from outside.

.venv/bin/python docs/_links.py docs/_build/html
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src"}
MENTIONED = {"canonical", "index", "search", "next", "prev", "author", "help"}  # <link> that loads nothing


class Page(HTMLParser):
    """What a page names (`anchors`), where it leads to (`links`) and what it cannot do without (`loads`)."""

    def __init__(self, path: Path):
        super().__init__()
        self.anchors, self.links, self.loads = {"", "top"}, [], []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        """Take note of the ids and addresses of one tag."""
        found = dict(attrs)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get(LOADED.get(tag, "")) and found.get("rel") not in MENTIONED:
            self.loads.append(found[LOADED[tag]])


def outside(address: str) -> bool:
    """Whether an address leads out of the site."""
    return bool(urlsplit(address).scheme or urlsplit(address).netloc)


def troubles(folder: Path) -> Iterator[str]:
    """One sentence for each dead link, and for each thing a page loads from outside."""
    pages = {path.resolve(): Page(path) for path in sorted(folder.rglob("*.html"))}
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for address in page.loads:
            if outside(address) and not address.startswith("data:"):
                yield f"{name}: loads {address} from outside"
        for address in {*page.links, *page.loads}:
            if not outside(address) and (wrong := trouble(path, address, pages)):
                yield f"{name}: {address} {wrong}"


def trouble(path: Path, address: str, pages: dict[Path, Page]) -> str | None:
    """What is wrong with an address inside the site, if anything is."""
    parts = urlsplit(address)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not target.exists():
        return "is not there"
    if target in pages and unquote(parts.fragment) not in pages[target].anchors:
        return "has no such anchor"
    return None


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0])
    if not any(folder.glob("*.html")):
        print(f"{folder} holds no pages: build them first, make docs", file=sys.stderr)
        return 1
    found = list(troubles(folder))
    print(*found, sep="\n", end="\n" if found else "", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
