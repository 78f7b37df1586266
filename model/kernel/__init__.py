"""The fused step in C, its build and its binding."""
