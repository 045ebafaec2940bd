"""Two pictures in, one picture out, from a checkout: the same as `stylejax transfer`.

python scripts/stylize.py photo.jpg painting.jpg -o out.png
python scripts/stylize.py photo.jpg painting1.jpg painting2.jpg --style-blend 3,1 -o out.png
"""

import sys
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stylejax.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(["transfer", *sys.argv[1:]]))
