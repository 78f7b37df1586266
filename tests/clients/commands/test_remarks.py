from pathlib import Path

import pytest

from clients.commands.remarks import SHOWN, tell_remarks
from model.training.dataset import Remark


def test_the_first_remarks_are_named_the_others_counted(capsys: pytest.CaptureFixture[str]) -> None:
    remarks = [Remark(f"{number}.xml", "left out", "torn") for number in range(SHOWN + 5)]
    tell_remarks(remarks[:SHOWN])
    assert len(capsys.readouterr().err.splitlines()) == SHOWN
    tell_remarks(remarks, Path("remarks.csv"))
    *named, last = capsys.readouterr().err.splitlines()
    assert len(named) == SHOWN
    assert named[0] == "rascanet: 0.xml: left out: torn"
    assert last == "rascanet: and 5 more, all of them in remarks.csv"
    tell_remarks([Remark("\x1b[2J\udcff.xml", "repaired", "torn")])
    assert capsys.readouterr().err == "rascanet: \\x1b[2J\\xff.xml: repaired: torn\n"
