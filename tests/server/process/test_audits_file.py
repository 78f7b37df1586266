import json
import os
from pathlib import Path

import pytest

from server.audit_counts import AuditCounts, Outcome, Totals
from server.process.audits_file import MOST_BYTES, AuditsFile, AuditsFileError, alone, read_counts

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


def test_two_services_on_one_file_are_refused(tmp_path: Path) -> None:
    path, link = tmp_path / "audits.json", tmp_path / "link.json"
    link.symlink_to(path)
    with alone(path):
        for same in (path, link):
            with pytest.raises(AuditsFileError, match=r"in use by another service that runs; each"), alone(same):
                pass
        with alone(tmp_path / "other.json"):
            pass
    with alone(link):
        pass
    with pytest.raises(AuditsFileError, match="can't be written"), alone(tmp_path / "gone" / "audits.json"):
        pass


def test_a_link_to_a_file_stays_a_link(tmp_path: Path) -> None:
    link, file = tmp_path / "link.json", tmp_path / "kept" / "audits.json"
    file.parent.mkdir()
    link.symlink_to(file)
    counts = _counted(link, ONE, Outcome.LOST)
    assert link.is_symlink()
    assert read_counts(file) == {ONE: counts.totals(ONE)}


def test_a_pipe_holds_nothing_up(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(AuditsFileError, match="is no file of audits"):
        read_counts(path)


def test_a_worker_that_takes_anothers_place_does_not_read_the_file(tmp_path: Path) -> None:
    path, counts = tmp_path / "audits.json", AuditCounts.alone([ONE])
    path.write_text("damaged")
    counts.add(ONE, Outcome.AGREED)
    AuditsFile(path, counts, {OTHER: Totals(lost=1)}).save()
    assert read_counts(path) == {ONE: Totals(agreed=1), OTHER: Totals(lost=1)}
