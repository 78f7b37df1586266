"""Everything that only a trainer needs."""
