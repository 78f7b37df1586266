"""The device: a simulated image sensor that reads a frame out row by row."""
