"""`rascanet classify --engine ray`: pictures by the million, on the machines of a Ray cluster or on this one."""
