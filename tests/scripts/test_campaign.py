"""The campaigns of `scripts/campaign.py`, in short; and the seeds of the fuzzer."""

import random
from collections import Counter

import pytest

from campaigns.inputs import all_rows
from campaigns.rows import Row, try_row, workplace
from fuzzing import NAMES
from fuzzing.targets import TARGETS, repacked, run_target
from stylejax.errors import InputError

TRIED = 30
"""Of the rows, each some 50 ms; other ones in each half of the table."""


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    place = tmp_path_factory.mktemp("inputs")
    with workplace(place):
        return place, list(all_rows())


def test_the_table_has_hundreds_of_rows_of_every_kind(table):
    _, rows = table
    assert len(rows) >= 300 and max(Counter(row.name for row in rows).values()) == 1
    commands = Counter(row.act[0] for row in rows if isinstance(row.act, tuple) and row.act)
    for command in ("transfer", "sweep", "universal", "apply", "reconstruct", "weights", "show"):
        assert commands[command] >= 5
    assert commands["train"] >= 30 and sum(callable(row.act) for row in rows) >= 60


def test_some_rows_have_the_answer_that_they_expect(table):
    place, rows = table
    quick = [row for row in rows if not row.slow and row.act and isinstance(row.act, tuple)]
    with workplace(place):
        wrong = {
            row.name: reason
            for row in random.Random(0).sample(quick, TRIED)
            if (reason := try_row(row, place))
        }
    assert wrong == {}


def test_a_row_notices_what_is_wrong(tmp_path):
    def refuse(text):
        raise InputError(text)

    with workplace(tmp_path):
        assert try_row(Row("", ("show", "gone.png"), "gone.png"), tmp_path) == ""
        for row in (
            Row("another line", ("show", "gone.png"), "here.png"),
            Row("not refused", ("layers", "--size", "64"), "64"),
            Row("refused", ("show", "gone.png")),
            Row("another answer", lambda: False),
            Row("no refusal", lambda: True, "refused"),
            Row("two lines", lambda: refuse("one\ntwo"), "one"),
            Row("a traceback", lambda: 1 // 0, "zero"),
        ):
            assert try_row(row, tmp_path) != "", row.name


@pytest.mark.parametrize("name", NAMES)
def test_what_the_fuzzer_begins_with_is_read_or_refused(name, tmp_path, monkeypatch):
    monkeypatch.setattr("PIL.Image.MAX_IMAGE_PIXELS", None)
    monkeypatch.setattr("stylejax.runs.metadata.read_description", lambda path: None)
    for number, seed in enumerate(TARGETS[name].seeds()):
        run_target(TARGETS[name], tmp_path / "input", seed)
        run_target(TARGETS[name], tmp_path / "input", seed[: len(seed) // 2])
        other = repacked(seed, lambda part: part[::-1], number)
        if other is not None:
            run_target(TARGETS[name], tmp_path / "input", other)
