"""The network on torch, and checkpoints to and from torch modules."""

import numpy as np
import torch

from model.checkpoint import Checkpoint, tensor_shapes
from model.preprocess import network_input
from model.rascanet import RaScaNet
from model.step import Hidden, Pixels, StepResult, check_step_arguments


def network_from(checkpoint: Checkpoint) -> RaScaNet:
    """Makes a torch network with the checkpoint's weights, in inference mode."""
    network = RaScaNet(checkpoint.config)
    state = network.state_dict()  # keeps the batch counters, which a checkpoint leaves out
    state.update({name: torch.from_numpy(np.array(tensor)) for name, tensor in checkpoint.tensors.items()})
    network.load_state_dict(state)
    return network.eval()


def checkpoint_from(network: RaScaNet, provenance: dict[str, object] | None = None) -> Checkpoint:
    """Makes a checkpoint of the network's weights; the tensors are copied to the processor as float32."""
    state = network.state_dict()
    tensors = {
        name: state[name].detach().to("cpu", torch.float32).numpy().copy() for name in tensor_shapes(network.config)
    }
    return Checkpoint(network.config, tensors, provenance=provenance or {})


class TorchRuntime:
    """`StepRuntime` on torch, with one thread for each call."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        torch.set_num_threads(1)  # one burst is too small to share
        self.config = checkpoint.config
        self.turn_bursts = 1
        self._network = network_from(checkpoint)

    def initial_hidden(self) -> Hidden:
        return np.zeros(self.config.hidden_shape, np.float32)

    @torch.inference_mode()
    def step(self, rows: Pixels, hidden: Hidden) -> StepResult:
        count = check_step_arguments(self, rows, hidden)
        bursts = torch.from_numpy(network_input(rows.reshape(count, *self.config.burst_shape)))
        state = torch.from_numpy(hidden)[None]
        logits, confidence = [], []
        for burst in bursts.unbind():
            output = self._network.step(burst[None], state)
            state = output.hidden
            logits.append(output.logits)
            confidence.append(output.confidence)
        hidden[:] = state[0].numpy()
        return StepResult.of(torch.cat(logits).numpy(), torch.cat(confidence).numpy())
