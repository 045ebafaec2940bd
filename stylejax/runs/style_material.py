"""What a training of a painting network reads and runs, prepared side by side.

While the device's programs are compiled, what the paintings ask for is computed on the host's
processor, in full precision.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from stylejax.errors import InputError
from stylejax.feedforward.network import Painter
from stylejax.feedforward.perceptual import Aims, painting_moments, typical_units
from stylejax.feedforward.training import Pace, TrainingState, training_step, validate
from stylejax.images.read import decode_picture, read_picture_file
from stylejax.losses.weights import LossWeights
from stylejax.options import LossOptions
from stylejax.runs.painter_file import PainterFile, read_painter
from stylejax.runs.photographs import Photographs, read_photographs, read_squares
from stylejax.runs.style_request import SHIPPED, StyleRequest
from stylejax.transfer.problem import LoadedObjective, load_objective
from stylejax.types import OtherPixels
from stylejax.version import VERSION
from stylejax.weights.read import read_weights
from stylejax.weights.zoo import bundled_painter

SAMPLE = 16
"""Photographs that typical units are the mean of."""
TILE = 2
"""Sides of the tiles over those of the crops."""


class Material(NamedTuple):
    """What a training reads. `exact` is the objective in float32: what it is judged by."""

    loaded: LoadedObjective
    exact: LoadedObjective
    paintings: list[OtherPixels]
    photographs: Photographs
    validation: np.ndarray
    record: dict[str, Any]
    base: PainterFile | None = None


class Programs(NamedTuple):
    """What a training runs, compiled; and what it runs them on."""

    step: Any
    validate: Any
    aims: Aims
    tiles: jax.Array
    validation: jax.Array


def read_material(request: StyleRequest) -> Material:
    """Read the encoder, the paintings and the photographs.

    Raises:
        InputError: a file cannot be used, or a folder has no photograph.
    """
    weights = read_weights(request.weights)
    files = [read_picture_file(path) for path in request.paintings]
    names, sums = list(request.style_names), [file.sha256 for file in files]
    base, width = None, request.width
    if request.base is not None:
        base = _read_base(request.base, names)
        names, width = [*base.names, *names], base.painter.width
        sums = [*base.record.get("paintings_sha256", [""] * len(base.names)), *sums]
    record = {
        "styles": names,
        "paintings_sha256": sums,
        "encoder": weights.name,
        "encoder_sha256": weights.sha256,
        "width": width,
        "size": request.size,
        "style_size": request.style_size,
        "batch": request.batch,
        "weights": [request.content_weight, request.style_weight, request.tv_weight],
        "stylejax": VERSION,
        **({} if base is None else {"base_sha256": base.sha256}),
    }
    squares = read_squares(request.validation, request.size)
    empty = np.zeros((0, request.size, request.size, 3), np.float32)
    return Material(
        load_objective(weights, _loss(request)),
        load_objective(weights, _loss(replace(request, precision="float32"))),
        [decode_picture(file, request.style_size).pixels for file in files],
        read_photographs(request.photos, TILE * request.size),
        np.stack(squares) if squares else empty,
        record,
        base,
    )


def _read_base(path: Path, names: list[str]) -> PainterFile:
    """The network that new styles are added to.

    Raises:
        InputError: it cannot be used, or has a style of a new one's name already.
    """
    base = read_painter(bundled_painter() if path == Path(SHIPPED) else path)
    twice = [name for name in names if name in base.names]
    if twice:
        raise InputError(f"--base {path}: has a style {twice[0]} already; give --names another")
    return base


def _loss(request: StyleRequest) -> LossOptions:
    return replace(
        LossOptions(),
        content_weight=request.content_weight,
        style_weight=request.style_weight,
        tv_weight=request.tv_weight,
        precision=request.precision,
        placement=0.0,
    )


def make_aims(
    request: StyleRequest, loaded: LoadedObjective, paintings: list[OtherPixels], tiles: np.ndarray
) -> Aims:
    """What the paintings ask for, computed on the host's processor."""
    # Each painting has another size, so another program: a GPU takes long to compile them.
    try:
        host = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        # JAX has been told to look for nothing but the accelerator.
        host = jax.local_devices()[0]
    with jax.default_device(host):
        variables = jax.device_put(loaded.variables, host)
        moments = painting_moments(loaded.objective, variables, list(map(jnp.asarray, paintings)))
        picked = tiles[np.linspace(0, len(tiles) - 1, SAMPLE).astype(int)].astype(np.float32)
        halves = picked.reshape(SAMPLE, request.size, TILE, request.size, TILE, 3)
        sample = jnp.asarray(halves.mean((2, 4)) / 255.0)
        units = jax.jit(partial(typical_units, loaded.objective))(variables, moments, sample)
    moments, units = jax.device_get((moments, units))
    weights = LossWeights.from_options(_loss(request), len(paintings))
    return jax.device_put(
        Aims(loaded.variables, moments, units, weights, jnp.float32(request.identity_weight))
    )


def _aims_shapes(request: StyleRequest, loaded: LoadedObjective) -> Aims:
    """The shapes of the aims, before there are any."""
    count, square = len(request.paintings), (request.size, request.size, 3)
    image = jax.ShapeDtypeStruct(square, jnp.float32)
    one = jax.eval_shape(
        lambda variables, image: painting_moments(loaded.objective, variables, [image]),
        *(loaded.variables, image),
    )
    each = lambda leaf: jax.ShapeDtypeStruct((count, *leaf.shape[1:]), leaf.dtype)
    moments = jax.tree.map(each, one)
    sample = jax.ShapeDtypeStruct((1, *square), jnp.float32)
    units = jax.eval_shape(
        partial(typical_units, loaded.objective), loaded.variables, moments, sample
    )
    weights = LossWeights.from_options(_loss(request), count)
    return Aims(loaded.variables, moments, units, weights, jnp.float32(request.identity_weight))


def prepare_programs(
    request: StyleRequest, material: Material, painter: Painter, state: TrainingState
) -> Programs:
    """Compile what the training runs, and put on the device what it is run on."""
    loaded = material.loaded
    tiles, validation = map(jax.device_put, (material.photographs.tiles, material.validation))
    shapes = _aims_shapes(request, loaded)
    rows = jax.ShapeDtypeStruct((painter.styles + 1,), jnp.float32)
    pace = Pace(jnp.float32(0.0), jnp.float32(0.0))
    pure = training_step(
        loaded.objective,
        painter,
        batch=request.batch,
        size=request.size,
        kept_rows=0 if material.base is None else 1 + len(material.base.names),
    )

    def step() -> Any:
        key = jax.random.key(request.seed)
        inputs = (state, shapes, tiles, key, rows, pace)
        return jax.jit(pure, donate_argnums=0).lower(*inputs).compile()

    def judge() -> Any:
        if not len(validation):
            return None
        exact = Painter(painter.styles, painter.width)
        judged = jax.jit(partial(validate, material.exact.objective, exact))
        # A GPU would round products to 10 bits, and the figures are held against a solver's.
        with jax.default_matmul_precision("highest"):
            return judged.lower(state.average, shapes, validation).compile()

    with ThreadPoolExecutor() as pool:
        compiled = pool.submit(lambda: (step(), judge()))
        aims = pool.submit(
            make_aims, request, material.exact, material.paintings, material.photographs.tiles
        )
        return Programs(*compiled.result(), aims.result(), tiles, validation)
