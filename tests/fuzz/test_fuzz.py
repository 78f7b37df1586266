import random

from tests.fuzz.run import conversations, inputs


def test_damaged_messages_and_tokens_give_typed_errors() -> None:
    found = inputs(random.Random(1), 20_000)
    assert {"malformed_json", "malformed_rows", "unknown_type", "bad_field", "bad_token"} <= set(found)


def test_random_conversations_give_typed_errors() -> None:
    found = conversations(random.Random(1), 400)
    assert {"left", "end", "out_of_order", "out_of_phase", "credit_exceeded"} <= set(found)
