"""The figure of `stylejax reconstruct`, from picture files to one labeled picture file.

This is the rim, as `transfer.py` beside it: disk is touched here, the terminal only through the
function that the caller passes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import jax

from stylejax.devices.memory import (
    Device,
    available_memory,
    check_memory,
    estimated_memory,
    find_devices,
    fixed_memory,
    memory_guard,
)
from stylejax.errors import InputError
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.files import check_not_inputs
from stylejax.images.read import PictureFile, decode_picture, read_picture_file, scaled_size
from stylejax.images.write import check_output, write_picture
from stylejax.networks.layers import canonical_layers
from stylejax.options import check_bounds
from stylejax.runs.request import FigureRequest
from stylejax.transfer.kinds import Kind
from stylejax.transfer.reconstruction import FIGURE_LAYERS, reconstruct
from stylejax.types import OtherPixels
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

_ROWS: dict[Kind, str] = {
    "content": "content that each layer keeps",
    "style": "style: texture of all layers up to each",
}
_PICTURES_KEPT = 23
"""Arrays of the picture's size in the solver's state (`estimated_memory`)."""


def _check(request: FigureRequest) -> None:
    """Refuse what can be told to be of no use without weights and without decoding a picture."""
    if not request.pictures:
        raise InputError("nothing to reconstruct: give --content, --style, or both")
    check_bounds(request)
    check_output(request.output, 8)
    check_not_inputs([request.output], request.pictures.values())


def _check_memory(
    request: FigureRequest,
    files: Mapping[Kind, PictureFile],
    layers: tuple[str, ...],
    weights: Weights,
    device: Device,
) -> None:
    fixed = fixed_memory(layers, weights.architecture)
    for file in files.values():
        size = scaled_size(file, request.size)
        needed = estimated_memory(*size, layers, _PICTURES_KEPT, weights.architecture)
        check_memory(needed, available_memory(device), request.size, fixed)


Observer = Callable[[str, int, int], None]
"""Is told what is being solved, and the iterations done and in all."""


def _reconstructed(
    request: FigureRequest,
    files: Mapping[Kind, PictureFile],
    weights: Weights,
    layers: Sequence[str],
    observer: Observer,
) -> tuple[list[list[OtherPixels | None]], bool]:
    """The rows of the figure, and whether every loss stayed finite."""
    total = request.iterations * len(layers) * len(request.pictures)
    rows: list[list[OtherPixels | None]] = []
    done, finite = 0, True
    for kind, file in files.items():
        pixels = decode_picture(file, request.size).pixels
        rows.append([pixels])
        for index, layer in enumerate(layers):
            tell = partial(observer, f"{kind}, {layer}")
            tell(done, total)
            solved = reconstruct(
                pixels,
                [layer] if kind == "content" else layers[: index + 1],
                weights,
                kind=kind,
                iterations=request.iterations,
                seed=request.seed,
                callback=lambda progress, tell=tell, done=done: tell(
                    done + progress.iteration, total
                ),
            )
            if solved.stopped:
                raise KeyboardInterrupt
            rows[-1].append(solved.image)
            done, finite = done + request.iterations, finite and not solved.failed
    return rows, finite


def run_reconstruction(
    request: FigureRequest, observer: Observer = lambda what, done, total: None
) -> bool:
    """Write the figure that a request asks for.

    Args:
        request: what it shows.
        observer: is told how far it is.

    Returns:
        Whether every loss stayed finite.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
        KeyboardInterrupt: on Ctrl-C, for half a figure is none.
    """
    _check(request)
    device = find_devices(request.device)[0]
    files: dict[Kind, PictureFile] = {
        kind: read_picture_file(path) for kind, path in request.pictures.items()
    }
    weights = read_weights(find_weights(request.weights))
    layers = request.layers or FIGURE_LAYERS[weights.architecture.network]
    canonical_layers(layers, weights.architecture)
    _check_memory(request, files, layers, weights, device)
    with memory_guard(request.size, device), jax.default_device(device):
        # Sent to the device once for all pictures.
        weights = weights._replace(variables=jax.device_put(weights.variables))
        rows, finite = _reconstructed(request, files, weights, layers, observer)
    labels = [_ROWS[kind] for kind in request.pictures]
    sheet = draw_contact_sheet(rows, labels, ["picture", *layers], longest=request.size)
    write_picture(request.output, sheet)
    return finite
