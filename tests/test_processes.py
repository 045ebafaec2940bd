"""What the tests wait with ends, says why, and leaves nothing behind."""

import sys

import pytest
from processes import printed, started, wait_until

SLEEPS = [sys.executable, "-c", "import time; print('here', flush=True); time.sleep(600)"]
ENDS = [sys.executable, "-c", "import sys; sys.exit('no such thing')"]


def test_a_program_that_does_not_end_is_named_and_killed():
    with (
        started(SLEEPS) as process,
        pytest.raises(pytest.fail.Exception, match="still running after 2 s: .*sleep"),
    ):
        printed(process, 2)
    assert process.returncode is not None


def test_a_failing_test_leaves_no_program_behind():
    with pytest.raises(ZeroDivisionError), started(SLEEPS) as process:
        assert 1 / 0
    assert process.returncode is not None


@pytest.mark.parametrize(
    "command, message", [(SLEEPS, "not after 1 s: a file"), (ENDS, "ended with 1 before a file")]
)
def test_what_does_not_happen_is_said(command, message):
    with started(command) as process, pytest.raises(pytest.fail.Exception, match=message) as failed:
        wait_until(lambda: False, process, "a file", 1 if command is SLEEPS else 60)
    assert command is SLEEPS or "no such thing" in str(failed.value)
