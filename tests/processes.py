"""Programs that tests start: none is waited for without end, and none outlives its test."""

import contextlib
import subprocess
import time

import pytest


@contextlib.contextmanager
def started(command, **options):
    """A program with its output in pipes; killed at the end, however the test ends."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, **pipes | options) as process:
        try:
            yield process
        finally:
            # Does nothing where it has ended and somebody has asked.
            process.kill()


def printed(process, seconds=120):
    """What a program printed (output, errors), once it has ended; fails where it does not end."""
    try:
        return process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        output, errors = process.communicate(timeout=60)
    pytest.fail(f"still running after {seconds} s: {process.args}\n{output}\n{errors}")


def wait_until(happened, process, what, seconds=120):
    """Wait for what a program does; fails where it ends before that, or takes too long."""
    deadline = time.monotonic() + seconds
    while not happened():
        if process.poll() is not None:
            said = printed(process)
            pytest.fail(f"ended with {process.returncode} before {what}: {process.args}\n{said}")
        if time.monotonic() > deadline:
            pytest.fail(f"not after {seconds} s: {what}: {process.args}")
        time.sleep(0.02)
