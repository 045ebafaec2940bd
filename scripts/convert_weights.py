"""A published weight file in, one for `--weights` out: the same as `stylejax weights convert`.

python scripts/convert_weights.py densenet121-a639ec97.pth -o densenet121.safetensors
"""

import sys
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stylejax.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(["weights", "convert", *sys.argv[1:]]))
