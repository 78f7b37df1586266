"""The networks that are measured."""

from model.checkpoint import Checkpoint, load_checkpoint, shipped_weights
from model.config import VARIANTS
from model.random_weights import random_checkpoint


def checkpoint_of(variant: str) -> Checkpoint:
    """The shipped weights of a variant, random ones where none are shipped: speed doesn't depend on them."""
    path = shipped_weights(variant)
    return load_checkpoint(path) if path.is_file() else random_checkpoint(VARIANTS[variant], seed=1)
