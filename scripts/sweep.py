"""Every combination of several weights, from a checkout: the same as `stylejax sweep`.

python scripts/sweep.py photo.jpg painting.jpg --style-weight 5,20,80 --tv-weight 0,100 -o sweep
"""

import sys
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stylejax.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(["sweep", *sys.argv[1:]]))
