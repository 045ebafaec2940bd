"""Rescale a VGG weight file so that its mean activations on some pictures are 1.

    python scripts/normalize_vgg.py vgg19.safetensors --pictures photos/*.jpg -o normal.safetensors

Gatys et al. use VGG-19 in this form. Some hundred varied photographs give steady means.
"""

import argparse
import json
import sys
from pathlib import Path

# The checkout's own package comes first, installed or not.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from stylejax.errors import InputError
from stylejax.images.files import check_writable, replace_file
from stylejax.images.read import read_picture
from stylejax.networks.layers import VGG19, VggArchitecture
from stylejax.weights.names import state_dict_from_variables
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.rescale_vgg import mean_activations, rescaled_variables
from stylejax.weights.write import tensor_bytes


def metadata(weights: Weights) -> dict[str, str]:
    """What a weight file says of a VGG besides its numbers."""
    assert isinstance(weights.architecture, VggArchitecture)
    preprocessing = weights.variables["preprocessing"]
    rounded = lambda values: json.dumps([float(str(np.float32(value))) for value in values])
    entries = {
        "what": f"{weights.name} rescaled to mean activations of 1",
        "network": weights.architecture.network,
        "mean": rounded(preprocessing["mean"]),
        "standard_deviation": rounded(preprocessing["standard_deviation"]),
    }
    if weights.architecture.block_channels != VGG19.block_channels:
        entries["block_channels"] = json.dumps(weights.architecture.block_channels)
    return entries


def normalize(source: Path, pictures: list[Path], output: Path, size: int) -> None:
    """Write the normalized form of a weight file."""
    check_writable(output)
    weights = read_weights(source)
    means = mean_activations(weights, (read_picture(path, size).pixels for path in pictures))
    assert isinstance(weights.architecture, VggArchitecture)
    variables = rescaled_variables(weights.variables, weights.architecture, means)
    replace_file(output, tensor_bytes(state_dict_from_variables(variables), metadata(weights)))


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description="Rescale a VGG to mean activations of 1.")
    parser.add_argument("weights", type=Path, help="a VGG weight file (.safetensors)")
    parser.add_argument("--pictures", type=Path, nargs="+", required=True, help="photographs")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the file to write")
    parser.add_argument("--size", type=int, default=256, help="longest side (default: 256)")
    given = parser.parse_args(arguments)
    try:
        normalize(given.weights, given.pictures, given.output, given.size)
    except InputError as error:
        print(f"normalize_vgg: error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
