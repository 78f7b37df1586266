"""A page of HTML in one file: text, tables, figures and photographs, all of it inside."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from clients.commands.table import Table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from matplotlib.figure import Figure

LONG_CELL = 30
"""Characters from which the text of a cell may take several lines."""

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #5b6570; --line: #d9dee3; --paper: #fff; }
body { margin: 0 auto; padding: 2rem 1.5rem 4rem; max-width: 88rem; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.8rem; margin: 0 0 .25rem; }
h2 { font-size: 1.35rem; margin: 3rem 0 .5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1.05rem; margin: 2rem 0 .4rem; }
p { max-width: 62rem; margin: .4rem 0; }
p.note { color: var(--soft); font-size: .87rem; }
nav a { margin-right: 1rem; }
div.table { overflow-x: auto; }
table { border-collapse: collapse; font-size: .82rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .45rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
td.words { white-space: normal; min-width: 10rem; overflow-wrap: anywhere; text-align: left; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
th { font-weight: 600; white-space: normal; vertical-align: bottom; }
img.figure { max-width: 100%; height: auto; display: block; margin: .5rem 0; }
div.photos { display: flex; flex-wrap: wrap; gap: .8rem; }
figure { margin: 0; width: 12rem; }
figure img { width: 100%; height: auto; display: block; border: 1px solid var(--line); }
figcaption { font-size: .8rem; color: var(--soft); }
"""


class Page:
    """Grows part by part; `text` is the whole file. Every string is escaped."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[str] = []
        self._sections: list[str] = []

    def section(self, title: str) -> None:
        """Begins a section that the page's head links to."""
        self._sections.append(title)
        self._parts.append(f'<h2 id="{len(self._sections)}">{html.escape(title)}</h2>')

    def heading(self, title: str) -> None:
        """A heading within a section."""
        self._parts.append(f"<h3>{html.escape(title)}</h3>")

    def paragraph(self, text: str, *, note: bool = False) -> None:
        """A paragraph, or small print."""
        kind = ' class="note"' if note else ""
        self._parts.append(f"<p{kind}>{html.escape(text)}</p>")

    def table(self, table: Table) -> None:
        """A table with its title and notes."""
        head = "".join(f"<th>{html.escape(heading)}</th>" for heading in table.headings)
        rows = "".join(f"<tr>{''.join(map(_cell, row))}</tr>\n" for row in table.rows)
        self.heading(table.title)
        self._parts.append(
            f'<div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>'
        )
        for note in table.notes:
            self.paragraph(note, note=True)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Names and what they stand for."""
        rows = "".join(
            f'<tr><td>{html.escape(name)}</td><td class="words">{html.escape(fact)}</td></tr>\n' for name, fact in facts
        )
        self._parts.append(f'<div class="table"><table><tbody>{rows}</tbody></table></div>')

    def figure(self, figure: "Figure", words: str) -> None:
        """A picture by matplotlib; `words` say what it shows to those who can't see it."""
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
        self._parts.append(f'<img class="figure" alt="{html.escape(words)}" src="{_data("image/png", content)}">')

    def photos(self, photos: "Sequence[tuple[npt.NDArray[np.uint8], str]]") -> None:
        """Frames (H, W, 3) uint8 with a line below each."""
        from PIL import Image

        shown = []
        for frame, words in photos:
            content = io.BytesIO()
            Image.fromarray(frame).save(content, "JPEG", quality=85)
            picture = f'<img alt="{html.escape(words)}" src="{_data("image/jpeg", content)}">'
            shown.append(f"<figure>{picture}<figcaption>{html.escape(words)}</figcaption></figure>")
        self._parts.append(f'<div class="photos">{"".join(shown)}</div>')

    @property
    def text(self) -> str:
        """The file."""
        title = html.escape(self._title)
        links = " ".join(
            f'<a href="#{number}">{html.escape(name)}</a>' for number, name in enumerate(self._sections, start=1)
        )
        body = "\n".join(self._parts)
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{title}</title>\n<style>{STYLE}</style></head>\n"
            f"<body><h1>{title}</h1>\n<nav>{links}</nav>\n{body}\n</body></html>\n"
        )


def _cell(text: str) -> str:
    kind = ' class="words"' if len(text) > LONG_CELL else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _data(kind: str, content: io.BytesIO) -> str:
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
