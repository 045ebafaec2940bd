"""Pages that lie outside of docs, and links that hold both in the repository and on the site.

In the repository a page links to files by their relative paths. On the site the same links lead to
pages: every link is resolved from where its file lies, and said anew from the site's root.
"""

import posixpath
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

SHOWN = {
    "changelog": "CHANGELOG.md",
    "contributing": "CONTRIBUTING.md",
    "cards/network": "weights/README.md",
    "cards/styles": "weights/styles.md",
    "cards/universal": "weights/universal-decoders.md",
    "cards/upscale": "weights/upscale.md",
    "cards/samples": "stylejax/images/sample_pictures/README.md",
}
"""Pages of the site that show a file from outside of docs; in docs they only name it."""
_STANDS_FOR = {
    "README.md": "index",
    "examples": "examples",
    "docs/paintings": "paintings/README",
    **{file: page for page, file in SHOWN.items()},
}
_LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]*)?\)")


def site_links(text: str, path: str) -> str:
    """A page's text with its links as the site has them.

    Args:
        text: Markdown.
        path: of the file that the text is from, from the repository's root.

    Raises:
        FileNotFoundError: a link leads nowhere.
    """

    def said_anew(link: re.Match[str]) -> str:
        target, place = link[1], link[2] or ""
        if re.match(r"[a-z]+:", target):
            return link[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if not (ROOT / file).exists():
            raise FileNotFoundError(f"{path}: {target} leads nowhere")
        if file in _STANDS_FOR:
            return f"](/{_STANDS_FOR[file]}.md{place})"
        return f"](/{posixpath.relpath(file, 'docs')}{place})"

    return _LINK.sub(said_anew, text)


def page_text(page: str, written: str) -> str:
    """What the site shows as a page: the file that it stands for, or what is written in docs.

    Args:
        page: its path in docs without the suffix.
        written: the text of the file in docs.

    Raises:
        FileNotFoundError: a link leads nowhere.
    """
    path = SHOWN.get(page)
    if path is None:
        return site_links(written, f"docs/{page}.md")
    return site_links((ROOT / path).read_text(), path)
