"""Make the small random weight file that the tests use.

    python scripts/make_test_weights.py weights/densenet121-random.safetensors

DenseNet-121's layers with an eighth of its channels: He-initialized kernels, and batch-norm
statistics near those of such kernels, from a fixed seed. Nothing is learned, so no style is seen.
"""

import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from stylejax.networks.layers import Architecture
from stylejax.weights.names import expected_shapes

ARCHITECTURE = Architecture(stem_channels=8, growth_rate=4)


def random_tensors(architecture: Architecture, seed: int = 0) -> dict[str, np.ndarray]:
    """Random parameters in torchvision's names and layouts."""
    random = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray] = {}
    for key, shape in expected_shapes(architecture).items():
        if len(shape) == 4:
            deviation = np.sqrt(2.0 / np.prod(shape[1:]))
            tensors[key] = random.normal(0.0, deviation, shape).astype(np.float16)
        elif key.endswith(("running_var", "weight")):
            tensors[key] = random.uniform(0.5, 1.5, shape).astype(np.float16)
        else:
            tensors[key] = random.normal(0.0, 0.1, shape).astype(np.float16)
    return tensors


def main() -> None:
    """Write the file named on the command line."""
    metadata = {
        "what": "random numbers, for tests only",
        "stem_channels": str(ARCHITECTURE.stem_channels),
        "growth_rate": str(ARCHITECTURE.growth_rate),
    }
    save_file(random_tensors(ARCHITECTURE), Path(sys.argv[1]), metadata)


if __name__ == "__main__":
    main()
