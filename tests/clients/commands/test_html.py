from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from clients.commands.html import Markup, Page, joined, markup
from clients.commands.table import Table

hostile = st.text(st.sampled_from("<>&'\"/ =ascript\x1b\u202e{}"), min_size=1, max_size=30)


class _Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)


def _tags(text: str) -> list[str]:
    seen = _Seen()
    seen.feed(text)
    return seen.tags


@given(hostile)
def test_no_value_becomes_markup(text: str) -> None:
    page = Page("plain")
    plain = Page("plain")
    for one, said in ((page, text), (plain, "plain")):
        one.section(said)
        one.paragraph(said)
        one.facts([(said, said)])
        one.table(Table(said, (said,), [(said,)], (said,)))
    assert _tags(page.text) == _tags(plain.text)
    assert _tags(Page(text).text) == _tags(Page("plain").text)
    assert "\x1b" not in page.text
    assert _tags(markup('<b title="{text}">{text}</b>', text=text)) == ["b"]


def test_only_markup_goes_in_as_it_is() -> None:
    assert markup("<p>{a}{b}</p>", a=Markup("<i>x</i>"), b="<i>") == "<p><i>x</i>&lt;i&gt;</p>"
    assert joined([Markup("<a>"), markup("{b}", b=1)]) == "<a>1"
