"""Audits: a random share of the decisions at early exits is compared with what the whole frame would have decided.

A certificate promises that at most a share `risk` of the decisions is lost to early exits, for pictures like those it
was made with. Audits watch whether that holds for the pictures that come: `model.risk_monitor` turns their outcomes
into evidence against the promise. Every frame under the certified policy takes part; one that was read to its end
anyway counts as agreed.

The coin of a frame is a keyed hash of the stream's random name and the frame's number. So it depends on no picture,
a client can't foresee it, and a stream that goes on elsewhere with its token meets the same coin.
"""

import hashlib
import logging
import math
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from model.exit_policy import CalibratedPolicy
from model.risk_monitor import log_evidence, risk_upper_bound
from server.audit_counts import AuditCounts, Outcome, Totals
from server.networks import Networks
from server.settings import AlarmAction

log = logging.getLogger(__name__)

WATCHED_LOSS: Final = "disagreement"
"""The loss that audits can see. Whether a decision was right (`accuracy`) they can't."""

REMEMBERED: Final = 10_000
"""Audits judged last, which don't count again if a client sends their rest again after a drop."""

UNSENT_SHARE: Final = 0.1
"""Share of unsent audits from which the rest says too little, and a warning is logged."""
LEAST_AUDITS: Final = 50
"""Number of audits before that share is looked at."""


@dataclass(frozen=True, slots=True)
class Watch:
    """State of the watch over one certificate.

    Attributes:
        variant: name of the network.
        certificate: SHA-256 of the certificate.
        risk: the promised risk.
        alpha: chance of a false alarm, ever.
        totals: audits by outcome.
        log10_evidence: decimal logarithm of the evidence against the promise.
        risk_upper: upper bound of the risk, 0..1; wrong with a chance of at most `alpha`.
    """

    variant: str
    certificate: str
    risk: float
    alpha: float
    totals: Totals
    log10_evidence: float
    risk_upper: float

    @property
    def alarmed(self) -> bool:
        return bool(self.totals.alarmed)


def watched(networks: Networks) -> dict[str, tuple[str, CalibratedPolicy]]:
    """Variant and policy of every certificate that audits can watch, by its digest."""
    return {
        served.certified.certificate: (variant, served.certified)
        for variant, served in networks.items()
        if served.certified is not None and served.certified.loss == WATCHED_LOSS
    }


class Audits:
    """Draws and counts the audits of a process.

    Args:
        networks: the served networks.
        share: share of the frames that are audited, 0..1.
        alpha: chance of a false alarm, ever; above 0, below 1.
        action: consequence of an alarm: `warn`: it is told alone; `drop`: decisions name the certificate no more;
            `never`: and the certified policy exits no more.
        key: secret of the coins, the same for all replicas.
        counts: counts of the service; None: counts of this process alone.
        counted: called with variant and outcome of every audit that is over.
    """

    def __init__(
        self,
        networks: Networks,
        share: float,
        alpha: float,
        action: AlarmAction,
        key: bytes,
        counts: AuditCounts | None = None,
        counted: Callable[[str, Outcome], None] = lambda _variant, _outcome: None,
    ) -> None:
        self._watched = watched(networks) if share > 0 else {}
        self._below = round(share * 2**64)
        self._alpha, self._action = alpha, action
        self._key = hashlib.sha256(b"audits" + key).digest()
        self._counts = counts or AuditCounts.alone(list(watched(networks)))
        self._counted = counted
        # Certificates that audits have refuted, as this process knows.
        self._refuted: set[str] = set()
        self._warned: set[str] = set()
        self._watches: dict[str, Watch] = {}
        self._judged: set[tuple[str, int]] = set()
        self._judged_order: deque[tuple[str, int]] = deque()
        self.refresh()

    def draws(self, certificate: str, stream: str, frame_id: int) -> bool:
        """Tosses the coin of a frame; returns true if the frame is audited.

        Args:
            certificate: digest of the certificate that promises something about the decision.
            stream: random name of the stream.
            frame_id: number of the frame.
        """
        if certificate not in self._watched or not self.exits(certificate):
            return False
        toss = hashlib.blake2b(f"{stream} {frame_id}".encode(), key=self._key, digest_size=8).digest()
        return int.from_bytes(toss, "little") < self._below

    def count(self, certificate: str, outcome: Outcome, stream: str, frame_id: int) -> None:
        """Counts an audit; raises the alarm once the evidence against the certificate reaches 1 / alpha.

        Args:
            certificate, stream, frame_id: as in `draws`.
            outcome: fate of the audit. A frame that was judged before, and was sent again, counts once.
        """
        if certificate not in self._watched:  # the token of a stream from a service that audits
            return
        if outcome in (Outcome.AGREED, Outcome.LOST):
            if (stream, frame_id) in self._judged:
                return
            self._judged.add((stream, frame_id))
            self._judged_order.append((stream, frame_id))
            if len(self._judged_order) > REMEMBERED:
                self._judged.discard(self._judged_order.popleft())
        self._counts.add(certificate, outcome)
        self._counted(self._watched[certificate][0], outcome)
        if outcome is Outcome.LOST:
            self._look(certificate)
        elif outcome is Outcome.UNSENT:
            self._warn_of_unsent(certificate)

    def promises(self, certificate: str) -> bool:
        """True if decisions may name the certificate."""
        return self._action == "warn" or certificate not in self._refuted

    def exits(self, certificate: str) -> bool:
        """True if the certified policy may exit."""
        return self._action != "never" or certificate not in self._refuted

    def refresh(self) -> None:
        """Takes over what other workers found."""
        self._refuted.update(each for each in self._watched if self._counts.totals(each).alarmed)

    def watches(self) -> Iterator[Watch]:
        """Yields the state of each watch, of all workers together."""
        for certificate, (variant, policy) in self._watched.items():
            totals = self._counts.totals(certificate)
            watch = self._watches.get(certificate)
            if watch is None or watch.totals != totals:
                evidence = float(log_evidence(totals.judged, totals.lost, policy.risk)) / math.log(10)
                bound = risk_upper_bound(totals.judged, totals.lost, self._alpha)
                watch = Watch(variant, certificate, policy.risk, self._alpha, totals, evidence, bound)
                self._watches[certificate] = watch
            yield watch

    def watch_of(self, certificate: str) -> Watch | None:
        """The state of the watch over a certificate; None where it is not watched."""
        return next((watch for watch in self.watches() if watch.certificate == certificate), None)

    def _look(self, certificate: str) -> None:
        """Raises the alarm, once, if the evidence of all workers says so; evidence grows at lost audits alone."""
        variant, policy = self._watched[certificate]
        totals = self._counts.totals(certificate)
        if totals.alarmed or log_evidence(totals.judged, totals.lost, policy.risk) < -math.log(self._alpha):
            return
        self._counts.raise_alarm(certificate)
        self._refuted.add(certificate)
        facts = {"variant": variant, "certificate": certificate, "risk": policy.risk, "alpha": self._alpha}
        log.error(
            "the certificate's promise does not hold for the pictures that come",
            extra={"facts": facts | totals._asdict() | {"alarm": self._action}},
        )

    def _warn_of_unsent(self, certificate: str) -> None:
        """Warns, once, if so many sensors leave the rest out that the audits say little about them."""
        totals = self._counts.totals(certificate)
        asked = totals.judged + totals.unsent
        if certificate in self._warned or asked < LEAST_AUDITS or totals.unsent <= UNSENT_SHARE * asked:
            return
        self._warned.add(certificate)
        facts = {"variant": self._watched[certificate][0], "certificate": certificate} | totals._asdict()
        log.warning("sensors do not send the rest of audited frames", extra={"facts": facts})
