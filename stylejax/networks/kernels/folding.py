"""The numbers of whole dense blocks, computed beforehand.

In a program they are most of what there is to compile, though none of what there is to do.
"""

from collections.abc import Collection

from stylejax.networks.kernels.dense_block import Affine, DenseLayer, dense_layer
from stylejax.networks.layers import Architecture, layers_run
from stylejax.types import Variables

FOLDED = "folded"
"""The collection of variables that `fold_blocks` adds."""


def whole_blocks(names: Collection[str], architecture: Architecture) -> set[int]:
    """The dense blocks, counted from 1, that are run for these layers and hold none inside."""
    last = {layer.block: name for name, layer in architecture.layers.items() if layer.block}
    run = layers_run(names, architecture.layers)
    inside = {run[name].block for name in names if name not in last.values()}
    return {layer.block for layer in run.values() if layer.block} - inside


def _folded_norm(variables: Variables, module: str, epsilon: float) -> Affine:
    """Scale and shift of a batch norm with stored statistics."""
    parameters, statistics = (variables[kind][module] for kind in ("params", "batch_stats"))
    scale = parameters["scale"] * (statistics["var"] + epsilon) ** -0.5
    return scale, parameters["bias"] - statistics["mean"] * scale


def block_numbers(
    variables: Variables, block: int, architecture: Architecture, epsilon: float
) -> tuple[DenseLayer, ...]:
    """The numbers of a block's layers as the dense blocks of `kernels` take them."""
    if f"denseblock{block}" in variables.get(FOLDED, {}):
        return variables[FOLDED][f"denseblock{block}"]
    rows = [layer for layer in architecture.layers.values() if layer.block == block]
    modules = [layer.module for layer in rows if layer.kind in ("norm", "convolution")]
    layers = []
    for first in range(0, len(modules), 4):
        norm, pointwise, second_norm, spatial = modules[first : first + 4]
        before, after = (_folded_norm(variables, name, epsilon) for name in (norm, second_norm))
        kernel, spatial_kernel = (
            variables["params"][name]["kernel"] for name in (pointwise, spatial)
        )
        layers.append(dense_layer(before, kernel, after, spatial_kernel))
    return tuple(layers)


def fold_blocks(
    variables: Variables, names: Collection[str], architecture: Architecture, epsilon: float
) -> Variables:
    """Variables that give the same feature maps at these layers, and at no others, by NumPy."""
    folded = {
        f"denseblock{block}": block_numbers(variables, block, architecture, epsilon)
        for block in sorted(whole_blocks(names, architecture))
    }
    kept = {
        kind: {key: leaf for key, leaf in values.items() if key.split(".")[0] not in folded}
        for kind, values in variables.items()
    }
    return kept | {FOLDED: folded}
