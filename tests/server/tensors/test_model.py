import pytest

from server.errors import ServiceError
from server.networks import ServedNetwork
from server.tensors.model import TensorModel, every_model


def test_each_network_is_two_models(models: dict[str, ServedNetwork]) -> None:
    assert [model.name for model in every_model(models)] == ["30x32", "30x32-sequence", "105x120", "105x120-sequence"]
    for model in every_model(models):
        assert model.version == models[model.variant].digest[:12]
        assert model.takes.shape[1:] == (model.config.burst_shape if model.sequences else model.config.frame_shape)
        assert ("next_burst" in {spec.name for spec in model.gives}) is model.sequences


@pytest.mark.parametrize(("name", "version"), [("", None), ("1x1", None), ("-sequence", None), ("30x32", "1")])
def test_what_is_not_served(models: dict[str, ServedNetwork], name: str, version: str | None) -> None:
    with pytest.raises(ServiceError) as refused:
        TensorModel(models, name, version)
    assert refused.value.code == "unknown_model"
