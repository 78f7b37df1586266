from clients.commands.classify.report import MOST_ERRORS, MOST_OF_A_KIND, Report
from clients.commands.classify.rows import Row
from clients.commands.sources import Picture
from model.picture import PictureLimits


def _row(name: str, p_person: float) -> Row:
    return {
        "name": name,
        "person": p_person >= 0.5,
        "p_person": p_person,
        "exited": True,
        "burst_index": 2,
        "skipped": 1,
    }


def test_of_many_pictures_the_surest_and_the_least_sure_are_shown() -> None:
    report = Report(30, 32, 5, PictureLimits())
    count = 4 * MOST_OF_A_KIND
    for index in range(count):
        name = f"<{index}>"
        report.add(Picture(name, "missing"), _row(name, 0.5 + index / count / 2))
    for index in range(MOST_ERRORS + 5):
        report.add(Picture(str(index), "missing"), {"name": f"e{index}", "code": "x", "message": "<script>"})
    page = "".join(report.page("<title>"))
    assert page.count("<figure>") == 2 * MOST_OF_A_KIND
    assert page.index(f"&lt;{count - 1}&gt;") < page.index("&lt;0&gt;")
    assert f"&lt;{count // 2}&gt;" not in page
    assert "--stop:50.00%" in page
    assert page.count("<td>x<td>") == MOST_ERRORS
    assert f"Not classified: {MOST_ERRORS + 5:,}" in page
    assert "<script>" not in page
    assert "<title>&lt;title&gt;</title>" in page
