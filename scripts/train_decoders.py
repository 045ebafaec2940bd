"""Train the decoders of universal style transfer.

    python scripts/train_decoders.py --photographs train.zip --validation validation.zip \
        --tiles tiny-0.zip --checkpoint run.safetensors --out decoders.safetensors --deadline 150

The same command goes on where a checkpoint is there already. `--start decoders.safetensors` begins
with a weight file's averaged parameters and a fresh optimizer.
"""

import tyro

from training.decoders_run import Options, train

if __name__ == "__main__":
    train(tyro.cli(Options, description=__doc__))
