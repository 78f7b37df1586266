"""Evidence of a network's quality: figures, curves, promises."""
