"""Candidate policies: settings of every policy class, and the thresholds that read least for each number of losses.

Thresholds per burst are certified, not two-sided ones: for the same loss they read about 5 % of the frame less.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from model.exit_policy import PERSON_FROM, POLICIES, PerBurstPolicy, Policy, TwoSidedPolicy, line
from model.training.outcomes import Curves, Floats

CAREFUL_LEVELS = tuple(percent / 100 for percent in range(98, 20, -3))
"""Processed ratios of candidates stricter than necessary: they lose nothing on the pictures that choose them.

Without such steps, few pictures to choose by lead from careful thresholds straight to the boldest that lose none there.
"""

Ints = npt.NDArray[np.int64]


def families() -> Iterator[tuple[str, Iterable[Policy]]]:
    """Yields the name of each policy that ever exits, with its settings from careful to bold."""
    for name, kind in POLICIES.items():
        if kind.acts:
            yield name, kind.settings()


def two_sided_path(val: Curves, steps: int = 60) -> list[TwoSidedPolicy]:
    """Two-sided thresholds from careful to bold, at most `steps` of them; see `_least_read`."""
    sure = np.concatenate([np.linspace(0.5, 0.95, 91), 1 - np.geomspace(0.045, 1e-4, 20)])
    sides = np.repeat(sure[:, None], val.p_person.shape[1], 1)
    return [TwoSidedPolicy(1.0, 0.0)] + [
        TwoSidedPolicy(float(sure[person]), float(1 - sure[empty]))
        for person, empty in _least_read(sides, val, steps)
        if sure[person] > 1 - sure[empty]
    ]


def per_burst_path(val: Curves, steps: int = 60) -> list[PerBurstPolicy]:
    """Thresholds per burst from careful to bold, beginning with a policy that never exits; see `_least_read`."""
    lines = [
        (float(first), float(last))
        for first in np.linspace(0.6, 1.6, 21)
        for last in np.linspace(0.5, 0.9, 17)
        if last <= first
    ]
    share = (np.arange(val.p_person.shape[1]) + 1) / val.p_person.shape[1]
    sides = np.array([line(first, last, share) for first, last in lines])
    chosen = _least_read(sides, val, steps)
    return [PerBurstPolicy(2.0, 2.0, 2.0, 2.0)] + [
        PerBurstPolicy(*lines[person], *lines[empty]) for person, empty in chosen
    ]


def _least_read(sides: Floats, val: Curves, steps: int) -> list[tuple[int, int]]:
    """For every number of decisions lost on `val` (against the full frame), the pair of thresholds that reads least.

    Args:
        sides: (K, T), thresholds for one side, after each burst.
        val: curves of the pictures that choose.
        steps: most pairs.

    Returns:
        Indices of thresholds (for person, for no person). From each pair to the next, losses grow and the bursts read
        shrink. The path starts with pairs stricter than necessary, for certificates with very small risk.
    """
    bursts = val.p_person.shape[1]
    final = val.p_person[:, -1] >= PERSON_FROM

    def first(sure: Floats) -> Ints:
        """The burst at which each frame reaches each threshold, (K, N); the one after the last where it never does."""
        reached = np.array([sure[:, :-1] >= side[:-1] for side in sides])
        ends: Ints = np.where(reached.any(2), reached.argmax(2), bursts)
        return ends

    person, empty = first(val.p_person), first(1 - val.p_person)
    lost = np.empty((len(sides), len(sides)), int)
    read = np.empty((len(sides), len(sides)))
    for index, ends in enumerate(person):
        halts = np.minimum(ends, empty)
        lost[index] = ((halts < bursts) & ((ends <= empty) != final)).sum(1)
        read[index] = (np.minimum(halts, bursts - 1) + 1).mean(1) / bursts
    least = {
        count: np.unravel_index(np.where(lost == count, read, np.inf).argmin(), read.shape) for count in np.unique(lost)
    }
    path: list[tuple[int, int]] = []
    if 0 in least:
        asked = sides.mean(1)[:, None] + sides.mean(1)
        for level in CAREFUL_LEVELS:
            fitting = (lost == 0) & (read <= level)
            if fitting.any() and level > read[least[0]]:
                path.append(_pair(np.unravel_index(np.where(fitting, asked, -np.inf).argmax(), read.shape)))
    for _, place in sorted(least.items()):
        if not path or read[place] < read[path[-1]]:
            path.append(_pair(place))
    return list(dict.fromkeys(path))[:steps]


def _pair(place: tuple[np.integer, ...]) -> tuple[int, int]:
    return int(place[0]), int(place[1])
