"""Declares the kernel's extension module; everything else is in pyproject.toml."""

from setuptools import setup

setup(cffi_modules=["model/kernel/build.py:ffi"])
