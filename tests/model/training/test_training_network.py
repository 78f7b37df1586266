import copy

import torch
from torch import nn

from model.layers import BurstHead
from model.rascanet import RaScaNet
from model.training.training_network import TrainingNetwork, heads_together
from tests.networks import SMALL


def test_heads_together_are_the_heads_one_by_one() -> None:
    torch.manual_seed(1)
    together = nn.ModuleList(BurstHead(SMALL) for _ in range(2)).train()
    apart = copy.deepcopy(together)
    bursts = torch.randn(6, 3, 5, 120)
    found, expected = heads_together(together, bursts), torch.cat([head(bursts) for head in apart], 1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(found)
    (found * weights).sum().backward()  # type: ignore[no-untyped-call]  # torch leaves backward untyped
    (expected * weights).sum().backward()  # type: ignore[no-untyped-call]
    for (name, one), (_, other) in zip(together.named_parameters(), apart.named_parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-3, msg=name)
    for (name, running), (_, expected_running) in zip(together.named_buffers(), apart.named_buffers(), strict=True):
        torch.testing.assert_close(running, expected_running, rtol=1e-4, atol=1e-5, msg=name)


def test_the_training_network_learns_as_the_network_does() -> None:
    torch.manual_seed(1)
    ours, plain = TrainingNetwork(SMALL).train(), RaScaNet(SMALL).train()
    plain.load_state_dict(ours.state_dict())
    frames = torch.randn(4, 3, SMALL.height, SMALL.width)
    for network in (ours, plain):
        network(frames).logits.square().sum().backward()
    for (name, one), (_, other) in zip(ours.named_parameters(), plain.named_parameters(), strict=True):
        if one.grad is not None or other.grad is not None:
            torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-4, msg=name)
    with torch.inference_mode():
        plain.load_state_dict(ours.state_dict())
        torch.testing.assert_close(ours.eval()(frames).logits, plain.eval()(frames).logits)
