import json
from pathlib import Path
from typing import Any

import pytest

from sensor_sim.ledger import Coefficient, EnergyError, EnergyModel, FrameLedger, FrameReport, StreamLedger, read_energy
from sensor_sim.wire import Decision

VALUES: dict[str, Any] = {
    "frame_id": 0,
    "rows": 30,
    "rows_read": 20,
    "rows_sent": 20,
    "rows_skipped": 5,
    "rows_unread": 5,
    "bursts_sent": 4,
    "bytes_sent": 4000,
    "bytes_saved": 2000,
    "late_bursts": 1,
    "audited_bursts": 0,
    "start_us": 1000.0,
    "end_us": 3000.0,
    "next_us": 11_000.0,
}
REPORT = FrameReport(**VALUES, decision=Decision(0, 3, 0.9, True, True, 3, 1, 2), decision_us=2500.0)
LOST = FrameLedger(**VALUES)


def _of(value: float) -> Coefficient:
    return Coefficient(value, "made up")


ENERGY = EnergyModel(_of(2), _of(0.5), _of(10), _of(5), _of(1e6))


def test_energy_is_split_into_sensor_link_and_compute() -> None:
    # 2 mW for 2 ms and 0.5 mW for 8 ms; 10 nJ for each of 4,000 bytes; 5 pJ for each of 3 million operations
    assert ENERGY.estimate(REPORT) == pytest.approx({"sensor_uj": 8, "link_uj": 40, "compute_uj": 15})
    assert ENERGY.estimate(LOST)["compute_uj"] == 0


@pytest.mark.parametrize(
    ("missing", "figure"),
    [
        ("sensor_active_mw", "sensor_uj"),
        ("sensor_standby_mw", "sensor_uj"),
        ("link_nj_byte", "link_uj"),
        ("compute_pj_mac", "compute_uj"),
        ("macs_per_burst", "compute_uj"),
    ],
)
def test_no_coefficient_no_figure(missing: str, figure: str) -> None:
    coefficients = {name: getattr(ENERGY, name) for name in EnergyModel.__slots__} | {missing: None}
    estimate = EnergyModel(**coefficients).estimate(REPORT)
    assert [name for name, uj in estimate.items() if uj is None] == [figure]


def test_the_stream_is_the_sum_of_its_frames() -> None:
    ledger = StreamLedger(ENERGY)
    entries = [ledger.add(REPORT), ledger.add(LOST), ledger.add(REPORT)]
    total = ledger.total()
    assert (total["frames"], total["lost"], total["exited"]) == (3, 1, 2)
    for name in ("rows_read", "bytes_saved", "late_bursts"):
        assert total[name] == sum(entry[name] for entry in entries)
    assert total["mean_decision_us"] == 2500
    assert total["energy"] == pytest.approx({"sensor_uj": 24, "link_uj": 120, "compute_uj": 30})
    assert total["coefficients"]["link_nj_byte"]["source"] == "made up"
    assert [entry["lost"] for entry in entries] == [False, True, False]
    assert [entry["decision"] is None for entry in entries] == [False, True, False]
    assert json.loads(json.dumps(entries[0]))["energy"]["link_uj"] == 40


def test_coefficients_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "energy.toml"
    path.write_text('[link_nj_byte]\nvalue = 12\nsource = "data sheet"\n')
    assert read_energy(path) == EnergyModel(link_nj_byte=Coefficient(12.0, "data sheet"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "no such file"),
        ("=", "energy.toml"),
        ("[other]\nvalue = 1", "'other' is not one of sensor_active_mw"),
        ("link_nj_byte = 1", r"at `\$\.link_nj_byte`; a coefficient has a value, a number of 0 or more, and a source"),
        ('[link_nj_byte]\nvalue = -1\nsource = "x"', r">= 0\.0 - at `\$\.link_nj_byte\.value`"),
        ('[link_nj_byte]\nvalue = nan\nsource = "x"', r"at `\$\.link_nj_byte\.value`"),
        ('[link_nj_byte]\nvalue = inf\nsource = "x"', r"at `\$\.link_nj_byte\.value`"),
        ('[link_nj_byte]\nvalue = true\nsource = "x"', r"got `bool` - at `\$\.link_nj_byte\.value`"),
        ("[link_nj_byte]\nvalue = 1", "missing required field `source`"),
        ('[link_nj_byte]\nvalue = 1\nsource = " "', r"at `\$\.link_nj_byte\.source`"),
    ],
)
def test_unusable_coefficients(tmp_path: Path, content: str | None, complaint: str) -> None:
    path = tmp_path / "energy.toml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(EnergyError, match=complaint):
        read_energy(path)
