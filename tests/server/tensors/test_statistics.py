from hypothesis import given
from hypothesis import strategies as st

from server.tensors.schemas import Duration
from server.tensors.statistics import Statistics

SPANS = st.tuples(*[st.integers(0, 10**9)] * 3)


@given(st.lists(st.tuples(st.integers(1, 64), SPANS)), st.lists(st.integers(0, 10**9)))
def test_counts_are_sums(answered: list[tuple[int, tuple[int, int, int]]], refused: list[int]) -> None:
    statistics = Statistics(clock=lambda: 12.3456)
    for inferences, spans in answered:
        statistics.succeeded("a", inferences, spans)
    for ns in refused:
        statistics.failed("a", ns)
    told = statistics.of("a", "1")
    assert (told.name, told.version, told.execution_count) == ("a", "1", len(answered))
    assert told.inference_count == sum(inferences for inferences, _ in answered)
    assert told.last_inference == (12_346 if answered else 0)
    found = told.inference_stats
    assert found.success == Duration(count=len(answered), ns=sum(sum(spans) for _, spans in answered))
    assert found.fail == Duration(count=len(refused), ns=sum(refused))
    parts = (found.compute_input, found.compute_infer, found.compute_output)
    assert [part.ns for part in parts] == [sum(spans[place] for _, spans in answered) for place in range(3)]
    assert statistics.of("b", "1").execution_count == 0
