"""A learned style as a program that needs stylejax no more: StableHLO with its numbers in it.

`jax.export` writes it for pictures of any height and width. Any program with JAX loads and runs it,
and StableHLO is what other compilers read.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
from jax import export

from stylejax.errors import InputError
from stylejax.feedforward.foreign import paint_foreign
from stylejax.feedforward.mixtures import style_mixture
from stylejax.feedforward.network import Painter, paint
from stylejax.images.files import check_not_inputs, check_writable, replace_file
from stylejax.options import check_bounds
from stylejax.runs.export_request import SUFFIX, ExportRequest
from stylejax.runs.foreign_file import is_foreign_file, read_foreign
from stylejax.runs.painters import choose_styles
from stylejax.types import Image

SMALLEST = 16
"""Pixels along a side at the least; the exported program is for all that are larger."""
_SIDES = "height, width"
_PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


def _program(request: ExportRequest) -> tuple[Callable[[Image], Image], Path]:
    """What is exported, from picture to picture, and the file that it comes from.

    Raises:
        InputError: the style cannot be used, or has no strength.
    """
    path = Path(request.style)
    if is_foreign_file(path):
        if request.strength != 1.0:
            raise InputError(f"--strength: the program that made {path} has none; leave it out")
        return partial(paint_foreign, read_foreign(path).style), path
    chosen = choose_styles([request.style])
    styles = chosen.file.painter.styles
    painter = Painter(styles, chosen.file.painter.width, kernels="plain")
    shares = jnp.zeros(styles).at[chosen.rows[0] - 1].set(1.0)
    mixture = style_mixture(shares, request.strength)
    run = lambda picture: paint(painter, chosen.file.parameters, picture, mixture)[0]
    return run, chosen.path


def export_style(request: ExportRequest) -> int:
    """Write a style as a program from a picture, height x width x 3 in [0, 1], to another one.

    Returns:
        How many bytes the file has.

    Raises:
        InputError: an option or the style cannot be used, or the file not be written.
    """
    check_bounds(request)
    if request.output.suffix != SUFFIX:
        raise InputError(f"{request.output}: an exported style is named {SUFFIX}")
    check_writable(request.output)
    odd = [name for name in request.platforms if name not in _PLATFORMS]
    if odd or not request.platforms:
        given = ",".join(request.platforms)
        raise InputError(f"--platforms {given}: name some of {', '.join(_PLATFORMS)}")
    program, source = _program(request)
    check_not_inputs([request.output], [source])
    least = [f"{side} >= {SMALLEST}" for side in _SIDES.split(", ")]
    height, width = export.symbolic_shape(_SIDES, constraints=least)
    picture = jax.ShapeDtypeStruct((height, width, 3), jnp.float32)
    exported = export.export(jax.jit(program), platforms=request.platforms)(picture)
    content = bytes(exported.serialize())
    replace_file(request.output, content)
    return len(content)
