import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from model.training.norm_pool import can_norm_pool, norm_pool

EPSILON = 1e-5
ROUNDING = {torch.bfloat16: 2**-8, torch.float32: 1e-5}
"""Half a unit in bfloat16's last place, as a share of the value; for float32, room for sums in another order."""


def in_double(features: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    normed = functional.batch_norm(features, None, None, scale, shift, True, 0.1, EPSILON)
    return functional.max_pool2d(functional.relu(normed), (1, 2))


def leaf(values: Tensor, dtype: torch.dtype) -> Tensor:
    return values.to(dtype, copy=True).requires_grad_()


@given(
    shape=st.tuples(st.integers(2, 5), st.integers(1, 40), st.integers(1, 3), st.integers(2, 33)),
    seed=st.integers(0, 999),
    dtype=st.sampled_from(list(ROUNDING)),
)
def test_equals_norm_activation_and_pool_with_their_gradients(
    shape: tuple[int, ...], seed: int, dtype: torch.dtype
) -> None:
    torch.manual_seed(seed)
    values = (torch.randn(shape) * 2 + 1).to(dtype)
    by_channel = torch.randn(2, shape[1])
    features, (scale, shift) = leaf(values, dtype), (leaf(each, torch.float32) for each in by_channel)
    exact = [leaf(each, torch.float64) for each in (values, *by_channel)]
    assert can_norm_pool(features)
    found, mean, variance = norm_pool(features, scale, shift, EPSILON)
    expected = in_double(*exact)
    torch.testing.assert_close(found.double(), expected, rtol=ROUNDING[dtype], atol=1e-4)
    torch.testing.assert_close(mean.double(), exact[0].mean((0, 2, 3)), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(variance.double(), exact[0].var((0, 2, 3), correction=0), rtol=1e-4, atol=1e-4)
    gradient = torch.randn(expected.shape).to(dtype)
    found.backward(gradient)  # type: ignore[no-untyped-call]  # torch leaves backward untyped
    expected.backward(gradient.double())  # type: ignore[no-untyped-call]
    for one, other in zip((features, scale, shift), exact, strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad.double(), other.grad, rtol=ROUNDING[dtype], atol=2e-3)


def test_other_types_are_left_to_torch() -> None:
    assert not can_norm_pool(torch.zeros(2, 3, 1, 4, dtype=torch.float64))
