import torch

from model.layers import BurstHead, ChannelAttention, ConvGRUCell, Projection, pool_columns
from tests.networks import SMALL

COLUMNS = 7


def test_a_head_leaves_one_row_and_a_sixteenth_of_the_columns() -> None:
    head = BurstHead(SMALL)
    shapes = []
    values = torch.zeros(2, 3, 5, 120)
    for block in head:
        values = block(values)
        shapes.append(tuple(values.shape[2:]))
    assert shapes == [(3, 60), (3, 30), (1, 15), (1, 7)]


@torch.inference_mode()
def test_attention_only_ever_weakens() -> None:
    torch.manual_seed(1)
    features = torch.randn(2, SMALL.feature_channels, COLUMNS)
    gated = ChannelAttention(SMALL)(features, torch.randn(2, SMALL.hidden_channels, COLUMNS))
    assert (gated.abs() < features.abs()).all()
    assert torch.equal(gated.sign(), features.sign())


@torch.inference_mode()
def test_projection_keeps_the_columns() -> None:
    projected = Projection(SMALL).eval()(torch.randn(2, SMALL.feature_channels, COLUMNS))
    assert projected.shape == (2, SMALL.hidden_channels, COLUMNS)
    assert (projected >= 0).all()


@torch.inference_mode()
def test_an_update_gate_at_its_ends_keeps_or_replaces_the_hidden_state() -> None:
    torch.manual_seed(1)
    cell = ConvGRUCell(SMALL)
    projected, hidden = torch.randn(2, 1, SMALL.hidden_channels, COLUMNS)
    cell.update.weight.zero_()
    cell.update.bias.fill_(100)  # type: ignore[union-attr]  # this layer has a bias
    assert torch.equal(cell(projected, hidden), hidden)
    cell.update.bias.fill_(-200)  # type: ignore[union-attr]
    reset = cell.reset(torch.cat((projected, hidden), 1)).sigmoid()
    candidate = cell.candidate(torch.cat((projected, reset * hidden), 1)).tanh()
    torch.testing.assert_close(cell(projected, hidden), candidate)


@torch.inference_mode()
def test_the_gru_looks_at_each_column_alone() -> None:
    torch.manual_seed(1)
    cell = ConvGRUCell(SMALL)
    projected, hidden = torch.randn(2, 1, SMALL.hidden_channels, COLUMNS)
    changed = projected.clone()
    changed[..., 3] += 1
    differs = (cell(projected, hidden) != cell(changed, hidden)).any(1)[0]
    assert differs.nonzero().ravel().tolist() == [3]


def test_pooling_adds_mean_and_maximum() -> None:
    assert pool_columns(torch.tensor([[[1.0, 2.0, 6.0], [-1.0, -1.0, -1.0]]])).tolist() == [[9.0, -2.0]]
