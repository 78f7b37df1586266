import json
from pathlib import Path

import pytest

from server.audit_counts import AuditCounts, Outcome, Totals
from server.process.audits_file import MOST_BYTES, AuditsFile, AuditsFileError, read_counts

ONE, OTHER = "ab" * 32, "cd" * 32


def _counted(path: Path, digest: str, *outcomes: Outcome) -> AuditCounts:
    """A service's life: begins with the file, counts, writes the file."""
    counts = AuditCounts.alone([digest])
    kept = AuditsFile(path, counts)
    kept.take_over()
    for outcome in outcomes:
        counts.add(digest, outcome)
    kept.save()
    return counts


def test_counts_go_on_over_restarts_and_those_of_other_certificates_stay(tmp_path: Path) -> None:
    path = tmp_path / "audits.json"
    _counted(path, ONE, Outcome.LOST, Outcome.AGREED)
    _counted(path, OTHER, Outcome.UNSENT)
    counts = _counted(path, ONE, Outcome.AGREED, Outcome.INTERRUPTED)
    assert counts.totals(ONE) == Totals(agreed=2, lost=1, interrupted=1)
    assert read_counts(path) == {ONE: counts.totals(ONE), OTHER: Totals(unsent=1)}
    assert list(tmp_path.iterdir()) == [path]


def test_an_alarm_outlives_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "audits.json"
    counts = AuditCounts.alone([ONE])
    counts.raise_alarm(ONE)
    counts.raise_alarm(ONE)
    AuditsFile(path, counts).save()
    assert _counted(path, ONE).totals(ONE) == Totals(alarmed=1)


@pytest.mark.parametrize(
    "content",
    [
        "", "[]", "{}", "null", '{"format": "another"}', "[" * 100_000, "x" * (MOST_BYTES + 1),
        json.dumps({"format": "rascanet-stream audits/1", "certificates": []}),
        json.dumps({"format": "rascanet-stream audits/1", "certificates": {ONE: {"lost": -1}}}),
        json.dumps({"format": "rascanet-stream audits/1", "certificates": {ONE: {"lost": True}}}),
        json.dumps({"format": "rascanet-stream audits/1", "certificates": {ONE: {"alarmed": 2}}}),
        json.dumps({"format": "rascanet-stream audits/1", "certificates": {ONE: {"rain": 1}}}),
    ],
)  # fmt: skip
def test_another_file_is_refused_and_stays(tmp_path: Path, content: str) -> None:
    path = tmp_path / "notes.json"
    path.write_text(content)
    with pytest.raises(AuditsFileError, match=r"notes\.json is no file of audits"):
        AuditsFile(path, AuditCounts.alone([ONE]))
    assert path.read_text() == content


def test_a_folder_that_is_not_there_is_told_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(AuditsFileError, match="can't be written"):
        AuditsFile(tmp_path / "gone" / "audits.json", AuditCounts.alone([ONE])).save()
    with pytest.raises(AuditsFileError, match="can't be read"):
        AuditsFile(tmp_path, AuditCounts.alone([ONE]))
