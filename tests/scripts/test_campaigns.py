"""The campaigns in short: a few rounds of what `scripts/campaign.py` does many of."""

from campaigns import kills, writers


def test_writers_race_for_one_file():
    assert writers.run(rounds=15) == (15, 0)


def test_killed_runs_go_on_to_the_same_bytes(capsys):
    assert kills.run(rounds=2, seed=1, jobs=kills.JOBS[:1]) == (2, 0), capsys.readouterr().out
