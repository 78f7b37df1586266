from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from server.audit_counts import AuditCounts, Outcome, Totals, cells_of

CERTIFICATES = ["ab" * 32, "cd" * 32]
WORKERS = 3

audits = st.tuples(st.integers(0, WORKERS - 1), st.sampled_from(CERTIFICATES), st.sampled_from(Outcome))


def _workers() -> list[AuditCounts]:
    cells = [0] * cells_of(CERTIFICATES, WORKERS)
    return [AuditCounts(CERTIFICATES, cells, worker) for worker in range(WORKERS)]


@given(st.lists(audits, max_size=40), st.lists(st.integers(0, 1000), min_size=4, max_size=4))
def test_every_worker_sees_the_sums_of_all_and_of_earlier_runs(
    counted: list[tuple[int, str, Outcome]], earlier: list[int]
) -> None:
    workers = _workers()
    workers[0].take_over({CERTIFICATES[0]: Totals(*earlier), "another certificate": Totals(1, 2, 3, 4)})
    for worker, certificate, outcome in counted:
        workers[worker].add(certificate, outcome)
    found = Counter((certificate, outcome) for _, certificate, outcome in counted)
    for seen in workers:
        for certificate, before in zip(CERTIFICATES, (earlier, [0] * 4), strict=True):
            sums = [found[certificate, outcome] + kept for outcome, kept in zip(Outcome, before, strict=True)]
            assert seen.totals(certificate) == Totals(*sums)
            assert seen.totals(certificate).judged == sums[0] + sums[1]


def test_an_alarm_holds_for_all_workers_once_and_for_good() -> None:
    workers = _workers()
    for worker in workers[1:]:
        worker.raise_alarm(CERTIFICATES[1])
    assert [worker.totals(CERTIFICATES[1]).alarmed for worker in workers] == [1] * WORKERS
    assert workers[0].totals(CERTIFICATES[0]).alarmed == 0


def test_the_counts_of_a_worker_outlive_its_process() -> None:
    cells = [0] * cells_of(CERTIFICATES, WORKERS)
    AuditCounts(CERTIFICATES, cells, 2).add(CERTIFICATES[0], Outcome.LOST)
    heir = AuditCounts(CERTIFICATES, cells, 2)
    heir.add(CERTIFICATES[0], Outcome.LOST)
    assert heir.totals(CERTIFICATES[0]) == Totals(lost=2)
    assert list(heir.certificates) == CERTIFICATES


def test_counts_shared_with_none() -> None:
    counts = AuditCounts.alone(CERTIFICATES)
    counts.add(CERTIFICATES[0], Outcome.UNSENT)
    assert (counts.totals(CERTIFICATES[0]), counts.totals(CERTIFICATES[1])) == (Totals(unsent=1), Totals())
