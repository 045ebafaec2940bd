"""The loop of all trainings, with a training that does nothing."""

import time

import pytest

from stylejax.errors import InputError
from stylejax.runs import training_loop
from stylejax.runs.training_loop import Clock, LoopEnd, Training, Until, run_training


class Idle(Training):
    """Counts its steps; what it writes fails."""

    def __init__(self, steps, finite=True):
        self.clock = Clock(Until(steps, 0, 0.0), time.monotonic(), 0.0)
        self.told: list[str] = []
        self.validation_seconds, self.steps, self.writes, self.finite = 0.0, 0, 0, finite

    @property
    def done(self) -> int:
        return self.steps

    def tell(self, line: str) -> None:
        self.told.append(line)

    def look(self) -> bool:
        self.steps += 1
        return self.finite

    def line(self, seconds: float) -> None:
        pass

    def saved(self) -> None:
        self.writes += 1
        raise InputError("full.safetensors: no space left")

    def validated(self) -> None:
        self.saved()


def test_what_cannot_be_written_on_the_way_is_said_once_and_training_goes_on(monkeypatch):
    for name in ("SAVES", "VALIDATIONS"):
        monkeypatch.setattr(training_loop, f"SECONDS_BETWEEN_{name}", -1.0)
    training = Idle(3)
    assert run_training(training) == LoopEnd(stopped=False, diverged=False)
    assert training.done == 3 and training.writes == 6
    (said,) = training.told
    assert "no space left; the training goes on" in said


@pytest.mark.parametrize("finite", (True, False))
def test_a_gradient_that_is_not_finite_any_more_ends_it(finite):
    ending = run_training(Idle(2, finite))
    assert ending == LoopEnd(stopped=not finite, diverged=not finite)
