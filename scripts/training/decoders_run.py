"""A run of the decoders' training: what it is told, its loop, its figures and files."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from stylejax.images.write import write_picture
from stylejax.networks.features import folded_variables
from stylejax.universal.decoder_weights import Decoders, read_decoders, write_decoders
from stylejax.universal.decoders import LEVELS
from stylejax.weights.read import read_weights
from training.decoder_batches import (
    STYLE_SIZE,
    Sources,
    batches_ahead,
    draw_batch,
    read_sources,
)
from training.decoder_check import held_out
from training.decoder_features import MARGIN, Frozen, channel_deviations, pair
from training.decoder_losses import Batches, Weights
from training.decoder_pictures import paintings, read_pictures, window
from training.decoder_start import straight_parts
from training.decoder_step import (
    State,
    begin,
    make_step,
    optimizer,
    read_checkpoint,
    save_checkpoint,
)

_REPORT_STEPS = 25
_HELD_OUT_SIZE = 192


@dataclass(frozen=True)
class Options:
    """Train the decoders of universal style transfer."""

    photographs: Path
    """Zip archive of photographs."""
    validation: Path
    """Zip archive of held-out photographs."""
    tiles: tuple[Path, ...]
    """Zip archives of small square photographs, for mosaics."""
    checkpoint: Path
    """File that the run goes on from, written every few minutes."""
    out: Path
    """Weight file of the averaged parameters, float16."""
    start: Path | None = None
    """Begin with a weight file's parameters."""
    encoder: Path | None = None
    """Weight file of the encoder; the bundled one unless given."""
    deadline: float = 150.0
    """Minutes from the start of the process, data and compiling included."""
    steps: int = 0
    """Stop after so many steps in all; 0 for no such limit."""
    rate: float = 1e-3
    """Learning rate after the warm-up."""
    cooldown: float = 0.4
    """Last share of the time, or of the steps where they are fewer, while the rate falls to 0."""
    plain: int = 2
    """Windows a step to give back."""
    groups: int = 1
    """Pairs of a photograph and a style a step."""
    content: int = 4
    """Windows of each pair's photograph a step, to transform."""
    size: int = 96
    """Side of the windows' inner part in pixels, a multiple of 8."""
    styles: int = 96
    """Styles in the bank, each with a photograph that takes it."""
    save_minutes: float = 10.0
    """Between checkpoints."""
    figures: bool = True
    """Whether to measure on held-out pictures at each checkpoint, by a program of its own."""
    workers: int = 2
    """Threads that draw batches, and processes that paint styles."""
    seed: int = 0
    """Of everything random."""


def batch_of(options: Options, sources: Sources, step: int) -> Batches:
    """The batch of a step."""
    return draw_batch(
        sources,
        step,
        plain=options.plain,
        groups=options.groups,
        content=options.content,
        size=options.size,
        seed=options.seed,
    )


def prepare(encoder: Any, sources: Sources, deviations: Any) -> Frozen:
    """Encoder, deviations and bank of pairs."""
    one = np.float32(255.0)
    measure = jax.jit(pair)
    bank = [
        measure(encoder, deviations, photograph / one, style / one, np.bool_(number % 4 > 0))
        for number, (photograph, style) in enumerate(
            zip(sources.contents, sources.styles, strict=True)
        )
    ]
    return Frozen(encoder, deviations, jax.tree.map(lambda *each: jnp.stack(each), *bank))


def first_parameters(options: Options, sources: Sources, encoder: Any, deviations: Any) -> Any:
    """Random ones with the best linear maps in them."""
    drawn = (batch_of(options, sources, 10**6 + number) for number in range(60))
    windows = (
        np.concatenate([batch.plain, batch.content.reshape(-1, *batch.plain.shape[1:])])[:12]
        for batch in drawn
    )
    parameters = jax.tree.map(np.asarray, begin(options.seed, optimizer()).parameters)
    for name, straight in straight_parts(encoder, deviations, windows).items():
        parameters[name]["params"]["straight"] = straight
    return parameters


def _beginning(
    options: Options, sources: Sources, encoder: Any, transform: optax.GradientTransformation
) -> tuple[State, Any]:
    """The state to go on from, and the channel deviations: of checkpoint, weight file, or new."""
    if options.checkpoint.exists():
        return read_checkpoint(options.checkpoint, begin(options.seed, transform))
    if options.start is not None:
        given = read_decoders(options.start)
        return begin(options.seed, transform, given.parameters), given.deviations
    random = np.random.default_rng(options.seed)
    cuts = [window(random, each, 128) for each in sources.photographs[::2]]
    deviations = channel_deviations(encoder, np.stack(cuts))
    first = first_parameters(options, sources, encoder, deviations)
    return begin(options.seed, transform, first), deviations


def _validation(options: Options, sources: Sources) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(1)
    given = read_pictures(options.validation, 14)
    held = [window(random, each, _HELD_OUT_SIZE + 2 * MARGIN) for each in given]
    styles = paintings(sources.photographs, 4, STYLE_SIZE, 10_000)
    return np.stack(held), np.stack(styles).astype(np.float32)


def report(path: Path, figures: Mapping[str, Any], validation: np.ndarray) -> str:
    """Write held-out pictures above their results; returns the figures as a line."""
    results = (np.asarray(figures["pictures"]) * 255.0 + 0.5).astype(np.uint8)
    given = validation[: len(results), MARGIN:-MARGIN, MARGIN:-MARGIN]
    sheet = np.concatenate([np.hstack([*given]), np.hstack([*results])])
    write_picture(path, sheet.astype(np.float32) / 255)
    named = {name: float(value) for name, value in figures.items() if name != "pictures"}
    return "held out: " + ", ".join(f"{name} {value:.3f}" for name, value in named.items())


def train(options: Options) -> None:
    """Train until the deadline, going on from the checkpoint if there is one."""
    began = time.monotonic()
    weights = read_weights(options.encoder)
    encoder = folded_variables(weights, LEVELS[::-1])
    sources = read_sources(
        options.photographs, options.tiles, options.styles, options.seed, options.workers
    )
    transform = optimizer()
    state, deviations = _beginning(options, sources, encoder, transform)
    frozen = prepare(encoder, sources, deviations)
    step = make_step(transform, Weights())
    print(f"ready after {time.monotonic() - began:.0f} s", flush=True)
    ahead = batches_ahead(partial(batch_of, options, sources), int(state.step), options.workers)
    counted, sums, since, saved = 0, {}, time.monotonic(), time.monotonic()
    for number, batch in enumerate(ahead, int(state.step) + 1):
        left = share_left(options, time.monotonic() - began, number - 1)
        rate = np.float32(options.rate * min(1.0, left / options.cooldown))
        state, errors = step(state, frozen, batch, rate)
        sums = jax.tree.map(jnp.add, sums, errors) if sums else errors
        counted += 1
        if counted == _REPORT_STEPS:
            # Waiting for the figures keeps the clock honest: steps are only asked for above.
            print(_line(number, counted, sums, time.monotonic() - since), flush=True)
            counted, sums, since = 0, {}, time.monotonic()
        over = share_left(options, time.monotonic() - began, number) <= 0.0
        if over or time.monotonic() - saved > 60.0 * options.save_minutes:
            _keep(options, state, deviations, weights.sha256)
            if options.figures:
                photographs, styles = _validation(options, sources)
                figures = held_out(state.average, frozen, photographs, styles)
                print(report(options.out.with_suffix(".png"), figures, photographs), flush=True)
            saved = since = time.monotonic()
        if over:
            ahead.close()
            return


def share_left(options: Options, seconds: float, steps: int) -> float:
    """What is left of the time, or of the steps where that is less; 0 at the end."""
    left = 1.0 - seconds / (60.0 * options.deadline)
    return min(left, 1.0 - steps / options.steps) if options.steps else left


def _line(number: int, counted: int, sums: Mapping[str, Any], seconds: float) -> str:
    means = {name: round(float(value) / counted, 4) for name, value in sums.items()}
    return json.dumps({"step": number, "seconds": round(seconds / counted, 3)} | means)


def _keep(options: Options, state: State, deviations: Any, encoder: str) -> None:
    """Write checkpoint and weight file."""
    save_checkpoint(options.checkpoint, state, deviations)
    write_decoders(options.out, Decoders(state.average, deviations, encoder, int(state.step)))
