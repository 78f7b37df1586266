"""A teacher: small heads on the features of backbones, and their answers to the views of a plan.

The backbones (`model/training/backbones.py`) are not trained: each view passes them once, and heads learn from the
features in minutes. The head that answers a view was not trained on views of the same picture (cross-fitting), so
answers are as unsure as on new pictures, and a wrong label doesn't come back as a sure answer.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.training.answers import Answers
from model.training.backbones import Backbone
from model.training.batches import load_views
from model.training.device import training_device
from model.training.metrics import BinaryMetrics, binary_metrics
from model.training.photos import Photos, load_frames, read_photos
from model.training.views import ViewPlan, stored_views

SIZE = (210, 240)
"""Height and width (px) of the views that the teacher answers: the larger network's, whose views are stored anyway."""

CHUNK = 2048
"""Number of views whose features are saved together, so that an interrupted run resumes."""

HINTS = 64
"""Number of principal directions of the features given to the student as hints."""

FOLDS = 4
LABEL_SMOOTHING = 0.05

Progress = Callable[[str, int, int], None]
"""Is called with the kind of work in words, the number of items done and the number of all."""


class TeachError(ValueError):
    """Work of a teacher that can't be resumed."""


def features_of(frames: npt.NDArray[np.uint8], backbone: Backbone, batch: int = 64) -> Tensor:
    """Features (N, F) float16 of frames (N, H, W, 3) uint8."""
    device = training_device()
    with torch.inference_mode():
        parts = [backbone(part.to(device).permute(0, 3, 1, 2)) for part in torch.split(torch.from_numpy(frames), batch)]
        return torch.cat(parts).half().cpu()


def _view_features(frames: npt.NDArray[np.uint8], backbone: Backbone, folder: Path, progress: Progress) -> Tensor:
    """Features (N, F) float16 of the views; kept in `folder` chunk by chunk, so that interrupted work resumes."""
    parts = []
    for start in range(0, len(frames), CHUNK):
        file = folder / f"features_{start}.npy"
        if not file.is_file():
            unfinished = folder / "features.partial.npy"
            np.save(unfinished, features_of(frames[start : start + CHUNK], backbone).numpy())
            unfinished.replace(file)
        parts.append(torch.from_numpy(np.load(file)))
        progress("features of views", start + len(parts[-1]), len(frames))
    return torch.cat(parts)


class Head(nn.Sequential):
    """A head that gives the logit of P(person) from features: standardisation and one hidden layer."""

    def __init__(self, features: Tensor) -> None:
        count = features.shape[1]
        super().__init__(nn.Dropout(0.3), nn.Linear(count, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 1))
        self.mean, self.spread = _moments(features)
        self.to(features.device)

    def logits(self, features: Tensor) -> Tensor:
        """Logits (N,) of features (N, F)."""
        found: Tensor = self((features - self.mean) / self.spread)[:, 0]
        return found

    def p_person(self, features: Tensor, batch: int = 4096) -> Tensor:
        """P(person) of features (N, F): (N,) in 0..1."""
        self.eval()
        with torch.inference_mode():
            return torch.sigmoid(torch.cat([self.logits(part) for part in torch.split(features, batch)]))


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and spread (F,) of features (N, F), float32; a small constant keeps the spread above 0."""
    some = features[:: max(1, len(features) // 8192)].float()
    return some.mean(0), some.std(0) + 1e-3


def fit_head(features: Tensor, labels: Tensor, chosen: Tensor, seed: int, epochs: int = 4, batch: int = 256) -> Head:
    """Trains a head on the chosen views, which the plan has balanced by label."""
    torch.manual_seed(seed)
    head = Head(features).train()
    steps = max(100, epochs * len(chosen) // batch)
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        drawn = chosen[torch.randint(len(chosen), (batch,)).to(chosen.device)]
        targets = labels[drawn].float() * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
        loss = functional.binary_cross_entropy_with_logits(head.logits(features[drawn]), targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
        optimiser.step()
        schedule.step()
    return head


def cross_fitted(
    features: Tensor, labels: Tensor, pictures: Tensor, seed: int, progress: Progress
) -> tuple[Tensor, list[Head]]:
    """Trains the heads; returns P(person) of each view (N,) by a head that has not seen its picture, and the heads."""
    fold_of = torch.from_numpy(np.random.default_rng(seed).permutation(int(pictures.max()) + 1) % FOLDS)
    folds = fold_of.to(features.device)[pictures]
    p_person = torch.empty(len(features), device=features.device)
    heads = []
    for fold in range(FOLDS):
        head = fit_head(features, labels, torch.nonzero((folds != fold) & (labels >= 0))[:, 0], seed + fold)
        held = torch.nonzero(folds == fold)[:, 0]
        p_person[held] = head.p_person(features[held])
        heads.append(head)
        progress("heads", fold + 1, FOLDS)
    return p_person, heads


def hints_of(features: Tensor, count: int = HINTS) -> Tensor:
    """The main directions of features (N, F), half-way whitened: (N, count) float16, mean square 1."""
    mean, spread = _moments(features)
    covariance = torch.zeros((features.shape[1],) * 2, device=features.device)
    for part in torch.split(features, CHUNK):
        standard = (part - mean) / spread
        covariance += standard.T @ standard / len(features)
    torch.manual_seed(0)
    directions, variances, _ = torch.svd_lowrank(covariance, min(count + 16, len(covariance)), niter=4)
    onto = directions[:, :count] / variances[:count].clamp(min=1e-6) ** 0.25
    hints = torch.cat([((part - mean) / spread) @ onto for part in torch.split(features, CHUNK)])
    return (hints / hints.square().mean().sqrt()).half()


@dataclass(frozen=True, slots=True)
class Taught:
    """A teacher's answers and figures.

    Attributes:
        answers: the answers to the views.
        val: figures on the pictures of `val`, over all and by source.
        views: figures on the labelled views, each answered by a head that has not seen its picture.
    """

    answers: Answers
    val: dict[str, BinaryMetrics]
    views: BinaryMetrics


def teach(
    photos: Path,
    plan: ViewPlan,
    backbone: Backbone,
    folder: Path,
    progress: Progress,
    *,
    teacher: str,
    count: int,
    seed: int,
    pictures: Path | None = None,
    processes: int = 1,
) -> Taught:
    """Answers views 0 to `count` - 1 of a plan; keeps the state of the work in `folder`, and resumes from it.

    Args:
        photos: folder of photographs.
        plan: the plan of the views.
        backbone: gives the features.
        folder: folder for the state of the work and the answers.
        progress: called as the work goes on.
        teacher: name of the backbone.
        count: number of views.
        seed: seed of the heads.
        pictures: folder from which the decoded pictures are mapped; None: pictures are decoded into memory.
        processes: number of processes that render the views.

    Raises:
        TeachError: the folder holds answers to other views, to another number of views, or of another teacher.
    """
    folder.mkdir(parents=True, exist_ok=True)
    index_digest = read_photos(photos, "train").index_digest
    description = json.dumps({"plan": asdict(plan), "photos": index_digest, "count": count, "teacher": teacher})
    note = folder / "views.json"
    if note.is_file() and note.read_text() != description:
        raise TeachError(
            f"{folder} holds work on other views, on another number of them, or by another teacher; "
            "name another folder to start afresh"
        )
    note.write_text(description)
    load = partial(load_views, photos, plan, pictures, partial(progress, "pictures"))
    views = stored_views(load, count, SIZE, folder, partial(progress, "views"), processes)
    device = training_device()
    features = _view_features(views.frames, backbone, folder, progress).to(device)
    labels, shown = (torch.from_numpy(part).to(device) for part in (views.labels, views.pictures))
    p_person, heads = cross_fitted(features, labels, shown, seed, progress)
    known = views.labels >= 0
    val = read_photos(photos, "val")
    whole = features_of(load_frames(val, *SIZE), backbone).to(device)
    answers = Answers(plan, index_digest, views.labels, p_person.cpu().numpy(), hints_of(features).cpu().numpy())
    return Taught(
        answers,
        _by_source(torch.stack([head.p_person(whole) for head in heads]).mean(0).cpu().numpy(), val),
        binary_metrics(answers.p_person[known].astype(np.float64), views.labels[known].astype(np.int64)),
    )


def _by_source(p_person: npt.NDArray[np.float32], photos: Photos) -> dict[str, BinaryMetrics]:
    """Figures over all pictures and by source; sources that lack a class are left out."""
    labels = photos.labels
    sources = np.array([photo.source for photo in photos.photos])
    groups = {"all": np.full(len(labels), True)} | {name: sources == name for name in sorted(set(sources))}
    return {
        name: binary_metrics(p_person[chosen].astype(np.float64), labels[chosen])
        for name, chosen in groups.items()
        if len(set(labels[chosen])) == 2
    }
