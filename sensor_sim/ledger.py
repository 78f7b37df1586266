"""Ledgers of frames and streams: rows, bytes and time spent, savings by exits, and an estimate of the energy."""

import sys
import tomllib
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Self

import msgspec

from sensor_sim.wire import Decision


class EnergyError(ValueError):
    """Energy coefficients that can't be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameLedger:
    """Rows, bytes and time of one frame. Times in microseconds since the stream began.

    Attributes:
        frame_id: number of the frame.
        rows: rows of the frame: `rows_read` + `rows_skipped` + `rows_unread`.
        rows_read: rows read out, including those of the burst that an exit interrupted.
        rows_sent: rows that went over the link.
        rows_skipped: rows that the policy skipped.
        rows_unread: rows after the exit, which were not read.
        bursts_sent: bursts that went over the link.
        bytes_sent: bytes of pixels in these bursts.
        bytes_saved: bytes of pixels in the bursts that were not sent.
        late_bursts: bursts sent in vain, because the decision had not arrived yet.
        audited_bursts: bursts sent after the decision's burst because the service asked for them, as an audit.
        start_us: start of the readout.
        end_us: end of the readout.
        next_us: earliest start of the next frame's readout.
    """

    frame_id: int
    rows: int
    rows_read: int
    rows_sent: int
    rows_skipped: int
    rows_unread: int
    bursts_sent: int
    bytes_sent: int
    bytes_saved: int
    late_bursts: int
    audited_bursts: int = 0
    start_us: float
    end_us: float
    next_us: float

    @property
    def readout_time_us(self) -> float:
        """Time from the start of the readout to its end."""
        return self.end_us - self.start_us


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameReport(FrameLedger):
    """Ledger of a frame that was decided.

    Attributes:
        decision: the service's decision.
        decision_us: time from the start of the readout until the decision arrived at the sensor.
    """

    decision: Decision
    decision_us: float

    @classmethod
    def of(cls, ledger: FrameLedger, decision: Decision, decision_us: float) -> Self:
        """Makes a report from a ledger and the decision."""
        values = {field.name: getattr(ledger, field.name) for field in fields(FrameLedger)}
        return cls(**values, decision=decision, decision_us=decision_us)


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A finite figure, 0 or more, and its source."""

    value: Annotated[float, msgspec.Meta(ge=0, le=sys.float_info.max)]
    source: Annotated[str, msgspec.Meta(pattern=r"\S")]


@dataclass(frozen=True, slots=True)
class EnergyModel:
    """Coefficients of the energy estimate; a figure whose coefficient is missing is None.

    Attributes:
        sensor_active_mw: power while rows are read, mW.
        sensor_standby_mw: power from the end of the readout to the next frame, mW.
        link_nj_byte: energy of sending a byte, nJ.
        compute_pj_mac: energy of a multiply-accumulate with its share of memory and control, pJ.
        macs_per_burst: multiply-accumulates of the network for each burst.
    """

    sensor_active_mw: Coefficient | None = None
    sensor_standby_mw: Coefficient | None = None
    link_nj_byte: Coefficient | None = None
    compute_pj_mac: Coefficient | None = None
    macs_per_burst: Coefficient | None = None

    def estimate(self, frame: FrameLedger) -> dict[str, float | None]:
        """Energy of a frame, uJ: `sensor_uj`, `link_uj` and `compute_uj`; None where a coefficient is missing."""
        sensor = link = compute = None
        if self.sensor_active_mw and self.sensor_standby_mw:
            active_us, standby_us = frame.readout_time_us, frame.next_us - frame.end_us
            sensor = (self.sensor_active_mw.value * active_us + self.sensor_standby_mw.value * standby_us) / 1e3
        if self.link_nj_byte:
            link = self.link_nj_byte.value * frame.bytes_sent / 1e3
        if self.compute_pj_mac and self.macs_per_burst:
            processed = frame.decision.processed if isinstance(frame, FrameReport) else 0
            compute = self.compute_pj_mac.value * self.macs_per_burst.value * processed / 1e6
        return {"sensor_uj": sensor, "link_uj": link, "compute_uj": compute}


COEFFICIENTS = tuple(field.name for field in fields(EnergyModel))


def read_energy(path: Path) -> EnergyModel:
    """Reads coefficients from TOML: one table for each, with `value` and `source`.

    Raises:
        EnergyError: no such file, not TOML, an unknown coefficient, or one without value or source.
    """
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        for name in tables.keys() - set(COEFFICIENTS):
            raise EnergyError(f"{path}: {name!r} is not one of {', '.join(COEFFICIENTS)}")
        return msgspec.convert(tables, EnergyModel)
    except OSError as error:
        raise EnergyError(f"{path}: {(error.strerror or str(error)).lower()}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise EnergyError(f"{path}: {error}") from error
    except msgspec.ValidationError as error:
        raise EnergyError(
            f"{path}: {error}; a coefficient has a value, a number of 0 or more, and a source, the place that its "
            "value comes from"
        ) from error


SUMS = (
    "rows", "rows_read", "rows_sent", "rows_skipped", "rows_unread",
    "bursts_sent", "bytes_sent", "bytes_saved", "late_bursts", "audited_bursts",
)  # fmt: skip


class StreamLedger:
    """Adds the ledgers of frames up.

    Args:
        energy: coefficients of the energy estimate; None: entries have no energy.
    """

    def __init__(self, energy: EnergyModel | None = None) -> None:
        self._energy = energy or EnergyModel()
        self._sums: dict[str, float] = dict.fromkeys(SUMS, 0)
        self._counts = {"frames": 0, "lost": 0, "exited": 0}
        self._decision_us = self._readout_time_us = 0.0
        self._uj: dict[str, float | None] = {"sensor_uj": 0.0, "link_uj": 0.0, "compute_uj": 0.0}

    def add(self, frame: FrameLedger) -> dict[str, Any]:
        """Adds a frame and returns its entry, ready for JSON."""
        estimate = self._energy.estimate(frame)
        report = frame if isinstance(frame, FrameReport) else None
        self._counts["frames"] += 1
        self._counts["lost"] += report is None
        self._counts["exited"] += report is not None and report.decision.exited
        self._decision_us += report.decision_us if report else 0.0
        self._readout_time_us += frame.readout_time_us
        for name in SUMS:
            self._sums[name] += getattr(frame, name)
        for name, uj in estimate.items():
            total = self._uj[name]
            self._uj[name] = None if uj is None or total is None else total + uj
        undecided = {} if report else {"decision": None, "decision_us": None}
        content: dict[str, Any] = msgspec.to_builtins(frame)
        times = {"readout_time_us": frame.readout_time_us} | undecided
        return {"type": "frame", "lost": report is None} | content | times | {"energy": estimate}

    def total(self) -> dict[str, Any]:
        """The stream's entry, ready for JSON: sums, mean times, energy, and the energy's coefficients."""
        frames = self._counts["frames"]
        decided = frames - self._counts["lost"]
        means = {
            "mean_decision_us": self._decision_us / decided if decided else None,
            "mean_readout_time_us": self._readout_time_us / frames if frames else None,
        }
        energy = {"energy": self._uj, "coefficients": asdict(self._energy)}
        return {"type": "stream"} | self._counts | self._sums | means | energy
