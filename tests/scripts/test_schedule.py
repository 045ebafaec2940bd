"""When a training does what, without a training."""

import math
import time

import pytest

from training import schedule
from training.schedule import Costs, Deadline, Late, Stage


def test_learning_rate_warms_up_and_falls():
    rates = [schedule.learning_rate(2.0, progress) for progress in (0.0, 0.03, 0.5, 1.0)]
    assert rates[0] == 0.0
    assert rates[1] == pytest.approx(2.0, rel=0.01)
    assert rates[2] == pytest.approx(0.505 * 2.0, rel=0.01)
    assert rates[3] == pytest.approx(0.02)


def test_time_is_shared_out_among_the_stages():
    train, settle = Stage("train", False, 1.0, None), Stage("settle", True, 1.0, None)
    costs = Costs(measuring=40.0, statistics=20.0)
    # 8 s for writing, 30 s for the statistics, 60 s for each of two measurements.
    seconds = schedule.stage_seconds(train, 558.0, costs)
    assert seconds == pytest.approx(0.85 * 400.0)
    left = 558.0 - seconds - 30.0 - 60.0
    assert schedule.stage_seconds(settle, left, costs) == pytest.approx(0.15 * 400.0)
    counted = Stage("train", False, 1.0, 10)
    assert schedule.stage_seconds(counted, math.inf, costs) == math.inf
    assert Deadline.of(None, 0.0).left() == math.inf
    assert Deadline.of(2.0, time.monotonic()).left() == pytest.approx(120.0, abs=1.0)


def test_the_process_began_before_this_test():
    age = time.monotonic() - schedule.process_start()
    assert 0.0 < age < 24 * 3600


def test_what_would_come_too_late_is_refused(monkeypatch):
    deadline = Deadline(100.0)
    for now, late in ((100.1 - schedule.WRITING, True), (99.9 - schedule.WRITING, False)):
        monkeypatch.setattr(schedule.time, "monotonic", lambda now=now: now)
        if late:
            with pytest.raises(Late):
                deadline.check()
        else:
            deadline.check()
