"""Batch norm, ReLU and 1x2 max-pool in one pass over the features, with their gradients; for training."""

from typing import Any

import torch
from torch import Tensor

try:
    from model.kernel._kernel import ffi, lib
except ImportError:  # no compiler when the package was built
    lib = None

SCRATCH_ROWS = 6


def can_norm_pool(features: Tensor) -> bool:
    """True if `norm_pool` takes these features: bfloat16 or float32 on a processor, and the kernel is built."""
    return lib is not None and features.device.type == "cpu" and features.dtype in (torch.bfloat16, torch.float32)


def norm_pool(features: Tensor, scale: Tensor, shift: Tensor, epsilon: float) -> tuple[Tensor, Tensor, Tensor]:
    """Normalises by the batch's own statistics, applies ReLU and takes the larger of two columns.

    Args:
        features: (B, C, R, W) bfloat16 or float32, see `can_norm_pool`.
        scale, shift: factor and offset of the normed values, (C,) float32.
        epsilon: constant added to the variance.

    Returns:
        Pooled features (B, C, R, W // 2) of the same type; mean and variance of the features, (C,) float32, without
        gradients.
    """
    normed: tuple[Tensor, Tensor, Tensor]
    normed = _NormPool.apply(features, scale, shift, epsilon)  # type: ignore[no-untyped-call]  # torch leaves it untyped
    return normed


class _NormPool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, scale: Tensor, shift: Tensor, epsilon: float) -> tuple[Tensor, ...]:
        features = features.contiguous(memory_format=torch.channels_last)
        batch, channels, rows, columns = features.shape
        sums, squares = torch.empty(2, columns * channels)
        scratch = torch.empty(SCRATCH_ROWS, columns * channels)
        lib.rascanet_norm_moments(_sizes(features), _values(features), _floats(sums), _floats(squares))
        count = features.numel() // channels
        mean = _by_channel(sums, channels) / count
        variance = (_by_channel(squares, channels) / count - mean.square()).clamp(min=0)
        deviation = (variance + epsilon).rsqrt()
        factor = scale.double() * deviation
        by_column = (factor.float().repeat(columns), (shift - mean * factor).float().repeat(columns))
        pooled = torch.empty(
            (batch, channels, rows, columns // 2), dtype=features.dtype, memory_format=torch.channels_last
        )
        lib.rascanet_norm_pool(
            _sizes(features), _values(features), *map(_floats, by_column), _floats(scratch), _values(pooled)
        )
        ctx.save_for_backward(features, mean, deviation, factor, *by_column)
        statistics = mean.float(), variance.float()
        ctx.mark_non_differentiable(*statistics)
        return pooled, *statistics

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        features, mean, deviation, factor, *by_column = ctx.saved_tensors
        channels, columns = features.shape[1], features.shape[3]
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        given = (_sizes(features), _values(features), *map(_floats, by_column), _values(gradient))
        sums, products = torch.empty(2, columns * channels)
        scratch = torch.empty(SCRATCH_ROWS, columns * channels)
        lib.rascanet_norm_pool_gradient_sums(*given, _floats(scratch), _floats(sums), _floats(products))
        shift_gradient = _by_channel(sums, channels)
        scale_gradient = (_by_channel(products, channels) - mean * shift_gradient) * deviation
        # The statistics depend on the features too: their gradient removes the mean, and the part along the features.
        count = features.numel() // channels
        by_in = -factor * deviation * scale_gradient / count
        constant = -factor * shift_gradient / count - by_in * mean
        factors = [values.float().repeat(columns) for values in (factor, by_in, constant)]
        in_gradient = torch.empty_like(features)
        lib.rascanet_norm_pool_backward(*given, *map(_floats, factors), _floats(scratch), _values(in_gradient))
        return in_gradient, scale_gradient.float(), shift_gradient.float(), None


def _sizes(features: Tensor) -> Any:
    batch, channels, rows, columns = features.shape
    return ffi.new("rascanet_features *", (batch * rows, columns, channels, features.element_size()))


def _floats(values: Tensor) -> Any:
    return ffi.cast("float *", values.data_ptr())


def _values(values: Tensor) -> Any:
    return ffi.cast("void *", values.data_ptr())


def _by_channel(sums: Tensor, channels: int) -> Tensor:
    """Sums of the columns of a row, (W * C,) -> (C,), float64."""
    return sums.double().reshape(-1, channels).sum(0)
