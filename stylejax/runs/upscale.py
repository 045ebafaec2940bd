"""Pictures enlarged from files to files: one, several, or a folder of them.

This is the rim, as `apply.py` beside it.
"""

import time
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import jax

from stylejax.devices.memory import Device, find_devices, memory_guard
from stylejax.errors import InputError
from stylejax.images.paths import make_folder
from stylejax.images.read import PictureFile, decode_picture, read_picture_file
from stylejax.images.scaling import resize
from stylejax.runs.enlarger_file import EnlargerFile, bundled_enlarger, read_enlarger
from stylejax.runs.metadata import Record, file_entry, make_upscale_record
from stylejax.runs.one_pass import Observer, check_result_fits, paint_all, write_with_record
from stylejax.runs.picture_jobs import list_pictures
from stylejax.runs.repeated import check_expected
from stylejax.runs.upscale_request import UpscaleRequest
from stylejax.superresolution.run import enlarge_picture, tile_side

_FACTOR = 4
"""What is enlarged by where nothing is said."""


class UpscaleSummary(NamedTuple):
    """How a run ended: `failed` names the pictures that could not be used, and why."""

    output: Path
    pictures: tuple[Path, ...]
    failed: tuple[str, ...]
    network: EnlargerFile
    device: Device
    seconds: float


def choose_enlarger(request: UpscaleRequest) -> EnlargerFile:
    """The network that a request asks for.

    Raises:
        InputError: its file cannot be used, or was trained for another factor.
    """
    factor = request.options.upscale.factor
    if request.weights is None:
        return read_enlarger(bundled_enlarger(factor or _FACTOR))
    file = read_enlarger(request.weights)
    if factor not in (0, file.enlarger.factor):
        raise InputError(
            f"--weights {request.weights}: was trained for factor {file.enlarger.factor}, not "
            f"{factor}; leave --factor out, or name another file"
        )
    return file


class PictureEnlarger:
    """Enlarges one picture after the other."""

    def __init__(self, request: UpscaleRequest) -> None:
        """Read all but the pictures.

        Raises:
            InputError: something cannot be used.
        """
        self.request, self.network = request, choose_enlarger(request)
        if request.weights is not None:
            check_expected(request.expected, {request.weights: self.network.sha256})
        self.device = find_devices(request.device)[0]
        self.parameters = jax.device_put(self.network.parameters, self.device)

    def paint(self, path: Path, output: Path) -> None:
        """Make one picture file.

        Raises:
            InputError: the picture cannot be used, its result is too large, or the file cannot be
                written.
        """
        file = read_picture_file(path)
        check_expected(self.request.expected, {path: file.sha256})
        enlarger, options = self.network.enlarger, self.request.options
        height, width = enlarger.factor * file.height, enlarger.factor * file.width
        check_result_fits(path, output, height, width)
        pixels, alpha = decode_picture(file)
        sharpness, tile = options.upscale.sharpness, self.request.tile
        side = tile_side(file.height, file.width, tile)
        with memory_guard(side, self.device, "--tile"):
            image = enlarge_picture(pixels, enlarger, self.parameters, sharpness, tile)
        alpha = None if alpha is None else resize(alpha, height, width)
        if not self.request.is_single:
            make_folder(output.parent)
        write_with_record(output, image, alpha, options.picture, self.record(file))

    def record(self, file: PictureFile) -> Record:
        """The record of a picture that is made of a file."""
        network, options = self.network, self.request.options
        upscale = replace(options.upscale, factor=network.enlarger.factor)
        return make_upscale_record(
            replace(options, upscale=upscale).flat,
            file_entry(file),
            {"name": network.name, "sha256": network.sha256},
            self.device.platform,
        )


def run_upscale(
    request: UpscaleRequest, observer: Observer = lambda what, done, total: None
) -> UpscaleSummary:
    """Enlarge the picture, or the pictures, that a request names.

    Args:
        request: what is to be done.
        observer: is told how far it is.

    Returns:
        What was made; of several pictures those that could not be used, while all others are.

    Raises:
        InputError: something in the request cannot be used; nothing has been written then.
    """
    began = time.monotonic()
    request.check()
    beside = [] if request.weights is None else [request.weights]
    bits = request.options.picture.bits
    jobs = list_pictures(request.photos, request.output, bits, beside)
    enlarger = PictureEnlarger(request)
    with jax.default_device(enlarger.device):
        made = paint_all(jobs, enlarger.paint, observer, is_single=request.is_single)
    seconds = time.monotonic() - began
    return UpscaleSummary(request.output, *made, enlarger.network, enlarger.device, seconds)
