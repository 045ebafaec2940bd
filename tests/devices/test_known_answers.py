from stylejax.devices import known_answers
from stylejax.devices.known_answers import KnownAnswer, wrong_answers


def test_what_a_solve_is_made_of_is_right():
    assert wrong_answers(ours_alone=True) == []


def test_a_wrong_answer_is_named(monkeypatch):
    answers = (
        KnownAnswer("a product", True, lambda: False),
        KnownAnswer("a sum", False, lambda: False),
        KnownAnswer("a mean", True, lambda: True),
    )
    monkeypatch.setattr(known_answers, "KNOWN_ANSWERS", answers)
    assert wrong_answers() == ["a product", "a sum"]
    assert wrong_answers(ours_alone=True) == ["a product"]
