"""Declares the extension modules; everything else is in pyproject.toml."""

import numpy as np
from setuptools import Extension, setup

setup(
    cffi_modules=["model/kernel/build.py:ffi"],
    ext_modules=[
        Extension(
            "model.kernel._step",
            ["model/kernel/python_step.c"],
            include_dirs=["model/kernel", np.get_include()],
            depends=["model/kernel/rascanet_kernel.h", "model/kernel/integer.h"],
            extra_compile_args=["-O3", "-std=gnu11"],
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            py_limited_api=True,
            optional=True,  # a machine without a C compiler runs on torch
        ),
        Extension(
            "server.stream._frames",
            ["server/stream/_frames.c"],
            extra_compile_args=["-O3", "-std=gnu11"],
            define_macros=[("Py_LIMITED_API", "0x030b0000")],
            py_limited_api=True,
            optional=True,  # NumPy unmasks where there is no C compiler
        ),
    ],
)
