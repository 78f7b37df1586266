"""The making of a network: data, teacher, training, budget."""
