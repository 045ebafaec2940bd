"""The figure of `stylejax reconstruct`, from picture files to one labeled picture file.

This is the rim, as `transfer.py` beside it: disk is touched here, the terminal only through the
function that the caller passes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import jax

from stylejax.devices.memory import (
    Device,
    available_memory,
    check_memory,
    estimated_memory,
    find_devices,
    fixed_memory,
)
from stylejax.errors import InputError
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.io import check_output, read_picture, scaled_size, write_picture
from stylejax.networks.layers import canonical_layers
from stylejax.options import SMALLEST_SIZE, DeviceName
from stylejax.transfer.reconstruction import FIGURE_LAYERS, Kind, reconstruct
from stylejax.types import OtherPixels
from stylejax.weights.read import Weights, read_weights

_ROWS: dict[Kind, str] = {
    "content": "content that each layer keeps",
    "style": "style: texture of all layers up to each",
}
_PICTURES_KEPT = 23
"""Arrays of the picture's size in the solver's state (`estimated_memory`)."""


@dataclass(frozen=True)
class FigureRequest:
    """What one figure is asked to show: `content`, `style`, or a row of each."""

    output: Path
    content: Path | None
    style: Path | None
    layers: tuple[str, ...]
    size: int
    iterations: int
    seed: int
    weights: Path | None = None
    device: DeviceName | None = None

    @property
    def pictures(self) -> dict[Kind, Path]:
        """The pictures that there are, by the row that they have in the figure."""
        given: dict[Kind, Path | None] = {"content": self.content, "style": self.style}
        return {kind: path for kind, path in given.items() if path is not None}


def _check(request: FigureRequest) -> None:
    """Refuse what can be told to be of no use without weights and without decoding a picture."""
    if not request.pictures:
        raise InputError("nothing to reconstruct: give --content, --style, or both")
    for name, least in {"size": SMALLEST_SIZE, "iterations": 1, "seed": 0}.items():
        if getattr(request, name) < least:
            raise InputError(f"--{name} is {getattr(request, name)}: give {least} or more")
    check_output(request.output, 8)
    for path in request.pictures.values():
        if request.output.exists() and path.exists() and request.output.samefile(path):
            raise InputError(f"{request.output}: is an input of this run; name another output")


def _check_memory(
    request: FigureRequest,
    layers: tuple[str, ...],
    weights: Weights,
    device: Device,
) -> None:
    fixed = fixed_memory(layers, weights.architecture)
    for path in request.pictures.values():
        size = scaled_size(path, request.size)
        needed = estimated_memory(*size, layers, _PICTURES_KEPT, weights.architecture)
        check_memory(needed, available_memory(device), request.size, fixed)


Observer = Callable[[str, int, int], None]
"""Is told what is being solved, and the iterations done and in all."""


def _reconstructed(
    request: FigureRequest,
    weights: Weights,
    layers: Sequence[str],
    observer: Observer,
) -> tuple[list[list[OtherPixels | None]], bool]:
    """The rows of the figure, and whether every loss stayed finite."""
    total = request.iterations * len(layers) * len(request.pictures)
    rows: list[list[OtherPixels | None]] = []
    done, finite = 0, True
    for kind, path in request.pictures.items():
        pixels = read_picture(path, request.size).pixels
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
    weights = read_weights(request.weights)
    layers = request.layers or FIGURE_LAYERS[weights.architecture.network]
    canonical_layers(layers, weights.architecture)
    _check_memory(request, layers, weights, device)
    with jax.default_device(device):
        # Sent to the device once for all pictures.
        weights = weights._replace(variables=jax.device_put(weights.variables))
        rows, finite = _reconstructed(request, weights, layers, observer)
    labels = [_ROWS[kind] for kind in request.pictures]
    sheet = draw_contact_sheet(rows, labels, ["picture", *layers], longest=request.size)
    write_picture(request.output, sheet)
    return finite
