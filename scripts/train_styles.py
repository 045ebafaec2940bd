"""Train the painting network that ships with stylejax: the same as `stylejax train style`.

python scripts/train_styles.py docs/paintings/*.jpg --photos train.zip --validation FOLDER \
    --precision bfloat16 --batch 16 --rate 2e-3 --deadline 6 -o styles.safetensors
"""

import sys
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stylejax.cli.entry import main

if __name__ == "__main__":
    sys.exit(main(["train", "style", *sys.argv[1:]]))
