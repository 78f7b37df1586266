import pytest
from model.kernel._kernel import lib

from model.kernel.instruction_set import CACHE_LINE_BYTES, aligned, choose, supported
from model.step import RuntimeUnavailableError

KERNELS = [lib.rascanet_isa_at, lib.rascanet_integer_isa_at]


@pytest.mark.parametrize("at", KERNELS, ids=["float", "integer"])
def test_the_plain_form_runs_everywhere_and_is_the_last_choice(at: object) -> None:
    names = [name for name, _ in supported(at)]  # type: ignore[arg-type]
    assert names[-1] == "plain"
    assert len(set(names)) == len(names)
    assert choose(at, None, "VARIABLE")[0] == names[0]  # type: ignore[arg-type]
    for name in names:
        assert choose(at, name, "VARIABLE")[0] == name  # type: ignore[arg-type]


@pytest.mark.parametrize("at", KERNELS, ids=["float", "integer"])
def test_a_form_that_is_not_there_is_refused_by_the_variable_that_asked_for_it(at: object) -> None:
    with pytest.raises(RuntimeUnavailableError, match=r"VARIABLE asks for 'sse2'; this machine can run .*plain"):
        choose(at, "sse2", "VARIABLE")  # type: ignore[arg-type]


@pytest.mark.parametrize("size_bytes", [1, 63, 64, 65, 4096])
def test_memory_begins_at_a_cache_line(size_bytes: int) -> None:
    found = aligned(size_bytes)
    assert found.ctypes.data % CACHE_LINE_BYTES == 0
    assert found.size == size_bytes
    assert not found.any()
