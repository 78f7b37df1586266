"""HTML that is escaped by construction, and a page in one file: text, tables, figures and photographs, all inside."""

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

from clients.commands.names import shown
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


class Markup(str):
    """Text that is HTML already: made by `markup` alone, or a constant of this project."""

    __slots__ = ()


def markup(template: str, **values: object) -> Markup:
    """Returns a template with values in its `{fields}`: every value that is not `Markup` itself is escaped.

    Args:
        template: HTML of this project, never of a file or a service.
        values: by the field's name; a `Markup` goes in as it is.
    """
    return Markup(
        template.format(
            **{name: value if isinstance(value, Markup) else escape(shown(value)) for name, value in values.items()}
        )
    )


def joined(parts: Iterable[Markup]) -> Markup:
    """Returns pieces of HTML one after the other."""
    return Markup("".join(parts))


class Page:
    """Grows part by part; `text` is the whole file. Every string is escaped."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._parts: list[Markup] = []
        self._sections: list[str] = []

    def section(self, title: str) -> None:
        """Begins a section that the page's head links to."""
        self._sections.append(title)
        self._parts.append(markup('<h2 id="{number}">{title}</h2>', number=len(self._sections), title=title))

    def heading(self, title: str) -> None:
        """Adds a heading within a section."""
        self._parts.append(markup("<h3>{title}</h3>", title=title))

    def paragraph(self, text: str, *, note: bool = False) -> None:
        """Adds a paragraph, or small print."""
        self._parts.append(markup('<p class="note">{text}</p>' if note else "<p>{text}</p>", text=text))

    def table(self, table: Table) -> None:
        """Adds a table with its title and notes."""
        head = joined(markup("<th>{heading}</th>", heading=heading.replace("\n", " ")) for heading in table.headings)
        rows = joined(markup("<tr>{cells}</tr>\n", cells=joined(map(_cell, row))) for row in table.rows)
        self.heading(table.title)
        self._parts.append(
            markup(
                '<div class="table"><table><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table></div>',
                head=head,
                rows=rows,
            )
        )
        for note in table.notes:
            self.paragraph(note, note=True)

    def facts(self, facts: Iterable[tuple[str, str]]) -> None:
        """Adds names and what they stand for."""
        rows = joined(
            markup('<tr><td>{name}</td><td class="words">{fact}</td></tr>\n', name=name, fact=fact)
            for name, fact in facts
        )
        self._parts.append(markup('<div class="table"><table><tbody>{rows}</tbody></table></div>', rows=rows))

    def figure(self, figure: "Figure", words: str) -> None:
        """Adds a picture by matplotlib; `words` say what it shows to those who can't see it."""
        content = io.BytesIO()
        figure.savefig(content, format="png", dpi=110, metadata={"Software": None})
        self._parts.append(
            markup(
                '<img class="figure" alt="{words}" src="{data}">', words=words, data=data_address("image/png", content)
            )
        )

    def photos(self, photos: "Sequence[tuple[npt.NDArray[np.uint8], str]]") -> None:
        """Adds frames (H, W, 3) uint8 with a line below each."""
        from PIL import Image

        shots = []
        for frame, words in photos:
            content = io.BytesIO()
            Image.fromarray(frame).save(content, "JPEG", quality=85)
            shots.append(
                markup(
                    '<figure><img alt="{words}" src="{data}"><figcaption>{words}</figcaption></figure>',
                    words=words,
                    data=data_address("image/jpeg", content),
                )
            )
        self._parts.append(markup('<div class="photos">{shots}</div>', shots=joined(shots)))

    @property
    def text(self) -> str:
        """The file."""
        links = joined(
            markup('<a href="#{number}">{name}</a> ', number=number, name=name)
            for number, name in enumerate(self._sections, start=1)
        )
        return markup(
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            "<title>{title}</title>\n<style>{style}</style></head>\n"
            "<body><h1>{title}</h1>\n<nav>{links}</nav>\n{body}\n</body></html>\n",
            title=self._title,
            style=Markup(STYLE),
            links=links,
            body=Markup("\n".join(self._parts)),
        )


def _cell(text: str) -> Markup:
    template = '<td class="words">{text}</td>' if len(text) > LONG_CELL else "<td>{text}</td>"
    return markup(template, text=text)


def data_address(kind: str, content: io.BytesIO) -> str:
    """Returns bytes as a `data:` address of a media type."""
    return f"data:{kind};base64,{base64.b64encode(content.getvalue()).decode()}"
