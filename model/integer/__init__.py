"""The network in integers: the same decision to the bit on every machine."""
