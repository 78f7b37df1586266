"""An integer network and its exit policies as C, for the library in `clients/firmware/`."""

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from model.exit_policy import (
    FixedRowPolicy,
    NeverExitPolicy,
    PerBurstPolicy,
    Policy,
    PublishedPolicy,
    Seen,
    TwoSidedPolicy,
)
from model.integer.arithmetic import UNIT_BITS
from model.integer.network import IntegerNetwork, pooling

NEVER_FROM: Final = (1 << 16) - 1
NEVER_TO: Final = 0
"""Thresholds that no P(person) meets: it is 1 to 2^15 - 1."""
PER_LINE: Final = 24

FIELDS: Final = {
    "conv": 8,
    "squeeze": 0,
    "excite": 0,
    "project": 2,
    "gate": 3,
    "reduce": 0,
    "classify": 0,
    "confidence": 0,
}
"""Layers in the order of `rascanet_integer_network`; how many of an array of them."""

EVERY_P_PERSON: Final = np.arange(1, 1 << UNIT_BITS)


ON_P_PERSON: Final = (NeverExitPolicy, TwoSidedPolicy, PerBurstPolicy, FixedRowPolicy)
"""Policies that only exit, by P(person) and the burst's place alone."""


class PolicyOnDeviceError(ValueError):
    """A policy that is no thresholds on P(person)."""


class IntegerPolicy(NamedTuple):
    """An exit policy in integers.

    Attributes:
        exit_from, exit_to: (T,) of Q0.15: after a burst that is not the last, exit where P(person) is `exit_from` or
            more, or `exit_to` or less.
        skip_to: where P(person) is this or less, the next burst is skipped.
    """

    exit_from: npt.NDArray[np.uint16]
    exit_to: npt.NDArray[np.uint16]
    skip_to: int


def integer_policy(policy: Policy, bursts: int) -> IntegerPolicy:
    """The same policy on integers: for every P(person) that the integer network can give it says the same.

    Args:
        policy: one that only looks at P(person) and the burst's place, or the published one.
        bursts: of a frame.

    Raises:
        PolicyOnDeviceError: another policy.
    """
    chances = EVERY_P_PERSON / (1 << UNIT_BITS)
    skip_to = NEVER_TO
    bounds = []
    for burst in range(bursts):
        if isinstance(policy, PublishedPolicy):
            leaves = chances >= policy.exit_threshold
            skip_to = int(np.count_nonzero(chances <= policy.skip_threshold))
        elif isinstance(policy, ON_P_PERSON):
            seen = Seen((burst + 1) / bursts, chances, np.full(chances.shape, np.nan))
            leaves = np.broadcast_to(policy.leaves(seen), chances.shape)
        else:
            raise PolicyOnDeviceError(f"the policy {policy.name!r} is more than thresholds on P(person)")
        bounds.append(_bounds(policy, leaves))
    exit_from, exit_to = np.array(bounds, np.uint16).T
    return IntegerPolicy(exit_from, exit_to, skip_to)


def _bounds(policy: Policy, leaves: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Least P(person) of those at the upper end that leave, greatest of those at the lower end."""
    stays = np.flatnonzero(~leaves)
    if not len(stays):
        return 0, NEVER_TO
    exit_to, exit_from = int(stays[0]), int(stays[-1]) + 2
    if len(stays) != stays[-1] - stays[0] + 1:
        raise PolicyOnDeviceError(f"the policy {policy.name!r} leaves between two P(person) at which it stays")
    return NEVER_FROM if exit_from > EVERY_P_PERSON[-1] else exit_from, exit_to


def weights_header(network: IntegerNetwork, policies: Mapping[str, IntegerPolicy]) -> str:
    """A C header with the numbers of a network as constants, `rascanet_VARIANT`, and `rascanet_VARIANT_POLICY`."""
    return "\n".join(_lines(network, policies)) + "\n"


def _lines(network: IntegerNetwork, policies: Mapping[str, IntegerPolicy]) -> Iterator[str]:
    config = network.config
    name = f"rascanet_{config.name}"
    yield f"/* The integer network {config.name}, digest {network.digest}; made by `rascanet export firmware`. */"
    yield f"#ifndef {name.upper()}_H\n#define {name.upper()}_H\n"
    yield '#include "rascanet.h"\n'
    kinds = {"weight": "int8_t", "bias": "int32_t", "multiplier": "int32_t", "shift": "int8_t"}
    for layer, numbers in network.layers.items():
        for part, kind in kinds.items():
            yield from _array(f"{name}_{layer}_{part}", kind, getattr(numbers, part).ravel())
    yield f"static const rascanet_integer_network {name}_network = {{"
    yield f"    {config.width}, {config.hidden_channels}, {{{', '.join(map(str, config.head_channels))}}},"
    for field, size in FIELDS.items():  # in order, without names: C++ takes it too
        layers = [f"{field}{index}" for index in range(size)] if size else [field]
        each = [f"{{{', '.join(f'{name}_{layer}_{part}' for part in kinds)}}}" for layer in layers]
        yield f"    {{{', '.join(each)}}}," if size else f"    {each[0]},"
    yield f"    {', '.join(map(str, (*network.gating, *pooling(config.hidden_width))))},\n}};\n"
    yield f"static const rascanet_model {name} = {{&{name}_network, {config.bursts_per_frame}}};\n"
    for title, policy in policies.items():
        yield from _array(f"{name}_{title}_exit_from", "uint16_t", policy.exit_from)
        yield from _array(f"{name}_{title}_exit_to", "uint16_t", policy.exit_to)
        places = f"{name}_{title}_exit_from, {name}_{title}_exit_to, {policy.skip_to}"
        yield f"static const rascanet_policy {name}_{title} = {{{places}}};\n"
    yield "#endif"


def _array(name: str, kind: str, numbers: npt.NDArray[Any]) -> Iterator[str]:
    yield f"static const {kind} {name}[{len(numbers)}] = {{"
    for first in range(0, len(numbers), PER_LINE):
        yield f"    {', '.join(map(str, numbers[first : first + PER_LINE].tolist()))},"
    yield "};"
