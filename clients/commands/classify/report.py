"""Report of a run as an HTML page: pictures sorted by certainty, each with the row at which its scan stopped."""

import heapq
import io
from collections.abc import Iterator
from itertools import count
from typing import Final

from PIL import Image

from clients.commands.classify.rows import Row
from clients.commands.html import Markup, data_address, markup
from clients.commands.names import shown
from clients.commands.sources import Picture
from model.picture import PictureLimits
from server.errors import ServiceError
from server.pictures.decode import decode_image

MOST_OF_A_KIND: Final = 250
"""Pictures of a class shown from each end: the surest and the least sure."""
MOST_ERRORS: Final = 1000
THUMBNAIL_QUALITY: Final = 75

_Entry = tuple[float, int, Picture, Row]


class _Ends:
    """The surest and the least sure of a class, bounded."""

    def __init__(self) -> None:
        self.seen = 0
        self._surest: list[_Entry] = []
        self._least_sure: list[_Entry] = []

    def add(self, number: int, picture: Picture, row: Row) -> None:
        self.seen += 1
        certainty = abs(row["p_person"] - 0.5)
        for heap, rank in ((self._surest, certainty), (self._least_sure, -certainty)):
            entry = (rank, number, picture, row)
            if len(heap) < MOST_OF_A_KIND:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)

    def sorted(self) -> list[tuple[Picture, Row]]:
        """The surest first."""
        kept = {number: (picture, row) for _, number, picture, row in (*self._surest, *self._least_sure)}
        return sorted(kept.values(), key=lambda each: -abs(each[1]["p_person"] - 0.5))


class Report:
    """Collects what the page will show; of many pictures only the ends of each class, so that memory stays flat."""

    def __init__(self, height: int, width: int, burst_rows: int, limits: PictureLimits) -> None:
        self._height, self._width, self._burst_rows, self._limits = height, width, burst_rows, limits
        self._classes = {True: _Ends(), False: _Ends()}
        self._errors: list[Row] = []
        self._error_count = 0
        self._numbers = count()

    def add(self, picture: Picture, row: Row) -> None:
        """Takes what was found on a picture."""
        if row.get("code"):
            self._error_count += 1
            if len(self._errors) < MOST_ERRORS:
                self._errors.append(row)
        else:
            self._classes[row["person"]].add(next(self._numbers), picture, row)

    def page(self, title: str) -> Iterator[Markup]:
        """Yields the page, piece by piece; the pictures it shows are read once more."""
        yield markup(_HEAD, title=title, style=Markup(_STYLE))
        for person, ends in self._classes.items():
            entries = ends.sorted()
            left_out = ends.seen - len(entries)
            yield markup(
                "<h2>{name}: {seen}{note}</h2>\n<div class=gallery>\n",
                name="Person" if person else "No person",
                seen=f"{ends.seen:,}",
                note=f", {left_out:,} between the surest and the least sure left out" if left_out else "",
            )
            for picture, row in entries:
                yield self._figure(picture, row)
            yield Markup("</div>\n")
        if self._error_count:
            yield markup(
                "<h2>Not classified: {count}</h2>\n<table><tr><th>name<th>code<th>why</tr>\n",
                count=f"{self._error_count:,}",
            )
            for row in self._errors:
                yield markup(
                    "<tr><td>{name}<td>{code}<td>{message}</tr>\n",
                    name=row["name"],
                    code=row["code"],
                    message=row["message"],
                )
            yield Markup("</table>\n")

    def _figure(self, picture: Picture, row: Row) -> Markup:
        rows_read = min(self._height, (row["burst_index"] + 1) * self._burst_rows)
        how = f"stopped after row {rows_read} of {self._height}" if row["exited"] else "read to the end"
        return markup(
            '<figure><div class="frame{exited}" style="--stop:{stop}">'
            '<img loading=lazy width={width} height={height} alt="" src="{thumbnail}"></div>'
            '<figcaption title="{name}"><b>{p_person}</b> {tail}<br>{how}{skipped}</figcaption></figure>\n',
            exited=" exited" if row["exited"] else "",
            stop=f"{rows_read / self._height:.2%}",
            width=self._width,
            height=self._height,
            thumbnail=self._thumbnail(picture),
            name=row["name"],
            p_person=f"{row['p_person']:.4f}",
            tail=_tail(row["name"]),
            how=how,
            skipped=f", {row['skipped']} bursts skipped" if row["skipped"] else "",
        )

    def _thumbnail(self, picture: Picture) -> str:
        """The frame as the network saw it, as a data address."""
        try:
            content = picture.read(self._limits.most_bytes)
            frame = decode_image(content, self._height, self._width, self._limits)
        except ServiceError:
            return "data:,"  # it was there a moment ago
        file = io.BytesIO()
        Image.fromarray(frame).save(file, "JPEG", quality=THUMBNAIL_QUALITY)
        return data_address("image/jpeg", file)


def _tail(name: str) -> str:
    name = shown(name)
    return name if len(name) <= 28 else "…" + name[-27:]


_HEAD: Final = """<!doctype html>
<html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p>The number is P(person); each class begins with what is surest. Below a red line, the frame was not needed.</p>
"""
_STYLE: Final = """
body { font: 14px/1.4 system-ui, sans-serif; margin: 2rem; color: #222; background: #fff }
.gallery { display: flex; flex-wrap: wrap; gap: 12px }
figure { margin: 0; width: 240px } figcaption { overflow-wrap: anywhere; font-size: 12px }
.frame { position: relative; width: 240px } img { display: block; width: 100%; height: auto }
.frame.exited::after {
  content: ""; position: absolute; inset: var(--stop) 0 0 0; background: #fffc; border-top: 2px solid #d33
}
td, th { text-align: left; padding: 2px 12px 2px 0; vertical-align: top }
@media (prefers-color-scheme: dark) {
  body { color: #ddd; background: #181818 } .frame.exited::after { background: #000a }
}
"""
