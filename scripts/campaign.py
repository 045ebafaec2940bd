"""Try what should not go wrong, again and again: bad inputs, kills at any moment, racing writers.

    python scripts/campaign.py inputs | kills | writers | page [--short] [--seed N] [--rounds N]

`inputs` puts every row of a table of bad and odd inputs in and compares with the answer that the
row expects; `kills` ends a run by force and resumes it until it is done; `writers` has two of them
write one file; `page` kills a server that 50 clients watch. The last line is JSON: tried, wrong,
seconds; exit code 1 where something was wrong.
"""

import argparse
import json
import sys
import time
from importlib import import_module

ROUNDS = {"inputs": 0, "kills": 200, "writers": 1000, "page": 3}
SHORT_ROUNDS = {"inputs": 60, "kills": 4, "writers": 50, "page": 1}
"""How often; 0 for every row of a table, and of a table so many rows."""


def main() -> int:
    """Run one campaign; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("campaign", choices=sorted(ROUNDS))
    parser.add_argument("--short", action="store_true", help="a few rounds, within a minute or so")
    parser.add_argument("--rounds", type=int, default=None, help="how often, or how many rows")
    parser.add_argument("--seed", type=int, default=0, help="of what is left to chance")
    given = parser.parse_args()
    rounds = (SHORT_ROUNDS if given.short else ROUNDS)[given.campaign]
    rounds = rounds if given.rounds is None else given.rounds
    began = time.monotonic()
    tried, wrong = import_module(f"campaigns.{given.campaign}").run(rounds, given.seed)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"tried": tried, "wrong": wrong, "seconds": seconds}))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
