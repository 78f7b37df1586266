"""Labelled photographs through a network: read once, judged under any exit policy, as a whole and by source."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np
import numpy.typing as npt

from model.budget import budget
from model.exit_policy import ExitPolicy
from model.step import StepRuntime
from model.training.outcomes import Curves, ExitFigures, Flags, Outcome, figures_of, read_curves, run
from model.training.photos import Photos, load_frames


class Evaluation:
    """Evaluation of a network on pictures, under any policy; each picture is decoded and read in full only once.

    Attributes:
        runtime: the network.
        photos: the pictures.
        frames: frames of the pictures, (N, H, W, 3) uint8.
        curves: the network's outputs over the full frames.
    """

    def __init__(self, runtime: StepRuntime, photos: Photos) -> None:
        self.runtime, self.photos = runtime, photos
        self.frames: npt.NDArray[np.uint8] = load_frames(photos, runtime.config.height, runtime.config.width)
        self.curves: Curves = read_curves(runtime, self.frames, photos)
        self._outcomes: dict[ExitPolicy, Outcome] = {}
        self._figures: dict[ExitPolicy, ExitFigures] = {}

    @cached_property
    def sources(self) -> dict[str, Flags]:
        """Masks (N,) bool of the pictures of each source; of several, `all` comes first.

        Sources that lack a class are left out.
        """
        names = np.array([photo.source for photo in self.photos.photos])
        sources = sorted(set(names.tolist()))
        chosen = {"all": np.full(len(names), True)} if len(sources) > 1 else {}
        chosen |= {name: names == name for name in sources}
        labels = self.curves.labels
        return {name: which for name, which in chosen.items() if len(set(labels[which].tolist())) == 2}

    def outcome(self, policy: ExitPolicy) -> Outcome:
        """Outcome of a policy: replayed on the curves; run through the network where the policy skips bursts."""
        if policy not in self._outcomes:
            self._outcomes[policy] = run(policy, self.runtime, self.frames, self.curves)
        return self._outcomes[policy]

    def figures(self, policy: ExitPolicy) -> ExitFigures:
        """A policy's figures over all pictures."""
        if policy not in self._figures:
            self._figures[policy] = figures_of(self.outcome(policy), self.curves)
        return self._figures[policy]

    def by_source(self, policy: ExitPolicy) -> Iterator[tuple[str, ExitFigures]]:
        """Yields a policy's figures over all pictures, then over the pictures of each source."""
        outcome = self.outcome(policy)
        for name, which in self.sources.items():
            yield name, figures_of(outcome.chosen(which), self.curves.chosen(which))

    def mean_macs(self, figures: ExitFigures) -> float:
        """Mean multiply-accumulates of a frame."""
        config = self.runtime.config
        return figures.ratios[0] * config.bursts_per_frame * budget(config).macs_per_burst
