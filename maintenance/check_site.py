# SPDX-License-Identifier: GPL-3.0-or-later
"""Check a built site without a network: each link inside it leads to a file and an anchor that exist; none is an error page."""

from __future__ import annotations

import argparse
import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# RFC 2606
_RESERVED = re.compile(r"(.+\.)?(example(\.(com|net|org))?|invalid|test)")
# What antsibull-docs writes in place of the documentation that it cannot read
_ERROR = re.compile(r"The documentation for the .*?was malformed\.|The errors were:", re.DOTALL)


class _Page(HTMLParser):
    """The links and anchors of a page, and whether it reports an error in place of its content."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.failed = bool(_ERROR.search(text))
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)


def broken_links(site: Path) -> list[str]:
    """Return a line for each link of *site* that leads nowhere, and for each error page."""
    site = site.resolve()
    pages = {path: _Page(path.read_text()) for path in sorted(site.rglob("*.html"))}
    broken = []
    for path, page in pages.items():
        if page.failed:
            broken.append(f"{path.relative_to(site)}: an error page")
        for link in dict.fromkeys(page.links):
            parts = urlsplit(link)
            if _RESERVED.fullmatch(parts.hostname or ""):
                broken.append(f"{path.relative_to(site)}: {link}: a name for examples")
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.is_relative_to(site) or not target.is_file():
                broken.append(f"{path.relative_to(site)}: {link}: no such file")
            elif anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f"{path.relative_to(site)}: {link}: no such anchor")
    return broken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("site", type=Path, help="folder of the built pages")
    site = parser.parse_args().site
    broken = broken_links(site)
    pages = len(list(site.rglob("*.html")))
    print("\n".join([*broken, f"{pages} pages, {len(broken)} broken links"]))
    sys.exit(1 if broken or not pages else 0)


if __name__ == "__main__":
    main()
