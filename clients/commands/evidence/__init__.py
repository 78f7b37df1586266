"""How good a network is: figures, curves, promises."""
