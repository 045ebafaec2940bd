"""The step of the decoders' training, its state, and the files of both."""

from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from safetensors.numpy import load_file, save

from stylejax.images.files import replace_file
from stylejax.universal.decoders import BLOCKS, CHANNELS, LEVELS
from training.decoder_features import Frozen
from training.decoder_losses import Batches, Weights, loss


class State(NamedTuple):
    """What a checkpoint holds."""

    parameters: Any
    average: Any
    optimizer: Any
    step: Any


def optimizer() -> optax.GradientTransformation:
    """Adam of a rate of 1, with a warm-up; the step multiplies by its own rate."""
    slower = lambda path, update: update * (0.1 if _is_straight(path) else 1.0)
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adam(lambda step: jnp.minimum(1.0, (step + 1) / 200.0), b2=0.99),
        optax.stateless(lambda updates, _: jax.tree_util.tree_map_with_path(slower, updates)),
    )


def _is_straight(path: Any) -> bool:
    """Whether a parameter is of a linear map, which begins where it is best."""
    return "straight" in jax.tree_util.keystr(path)


def make_step(transform: optax.GradientTransformation, weights: Weights) -> Any:
    """The compiled step: from state, frozen things, batch and rate to the next state and errors.

    A step whose gradient is not finite changes nothing but the count of the steps.
    """

    def step(
        state: State, frozen: Frozen, batch: Batches, rate: Any
    ) -> tuple[State, dict[str, Array]]:
        gradient, errors = jax.grad(loss, has_aux=True)(state.parameters, frozen, batch, weights)
        errors["gradient"] = optax.tree.norm(gradient)
        updates, moments = transform.update(gradient, state.optimizer)
        updates = jax.tree.map(lambda update: rate * update, updates)
        parameters = optax.apply_updates(state.parameters, updates)
        keep = jnp.minimum(0.998, (1.0 + state.step) / (10.0 + state.step))
        average = jax.tree.map(lambda a, b: keep * a + (1.0 - keep) * b, state.average, parameters)
        moved = State(parameters, average, moments, state.step + 1)
        finite = jnp.isfinite(errors["gradient"])
        held = jax.tree.map(lambda new, old: jnp.where(finite, new, old), moved, state)
        return held._replace(step=state.step + 1), errors

    return jax.jit(step, donate_argnums=0)


def begin(seed: int, transform: optax.GradientTransformation, start: Any = None) -> State:
    """The state before the first step, at random or at given parameters."""
    keys = jax.random.split(jax.random.key(seed), len(LEVELS))
    if start is None:
        start = {
            name: BLOCKS[name].init(key, jnp.zeros((1, 4, 4, channels)))
            for key, (name, channels) in zip(keys, CHANNELS.items(), strict=True)
        }
    start = jax.tree.map(jnp.asarray, start)
    copy = jax.tree.map(jnp.copy, start)
    return State(start, copy, transform.init(start), jnp.zeros((), jnp.int32))


def _flat(prefix: str, tree: Any) -> dict[str, np.ndarray]:
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    return {prefix + jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def save_checkpoint(path: Path, state: State, deviations: Any) -> None:
    """All of the state, float32."""
    replace_file(path, save(_flat("state", state) | _flat("deviations", deviations)))


def read_checkpoint(path: Path, template: State) -> tuple[State, Any]:
    """The state of `save_checkpoint` in the form of a template, and the deviations."""
    tensors = load_file(path)
    paths, form = jax.tree_util.tree_flatten_with_path(template)
    leaves = [jnp.asarray(tensors["state" + jax.tree_util.keystr(each)]) for each, _ in paths]
    deviations = {name: tensors[f"deviations['{name}']"] for name in LEVELS}
    return jax.tree.unflatten(form, leaves), deviations
