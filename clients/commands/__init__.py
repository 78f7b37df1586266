"""The command line `rascanet`."""
