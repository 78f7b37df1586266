from pathlib import Path

from server.process.file_lock import lock


def test_one_at_a_time_has_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("ab") as first, path.open("ab") as second:
        assert lock(first)
        assert not lock(second)
        assert lock(first), "its own lock holds nobody up"
    with path.open("ab") as third:
        assert lock(third)
