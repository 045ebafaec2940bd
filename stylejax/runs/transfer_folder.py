"""Every picture of a folder solved for, in one process: each shape is compiled for once.

This is the rim, as `transfer.py` beside it, which makes each of the pictures.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from stylejax.devices.hosts import as_first_process_says, is_first_process
from stylejax.devices.memory import Device, find_devices
from stylejax.errors import InputError, Interrupted
from stylejax.images.paths import make_folder, path_exists, real_path
from stylejax.images.read import read_picture_file
from stylejax.networks.layers import canonical_layers
from stylejax.options import check_bounds, check_options
from stylejax.runs.checkpoint_paths import checkpoint_path
from stylejax.runs.checks import check_inputs
from stylejax.runs.kept_programs import KeptPrograms
from stylejax.runs.metadata import decisive, read_record
from stylejax.runs.observer import Observer
from stylejax.runs.picture_jobs import list_pictures
from stylejax.runs.prepare import prepare_run
from stylejax.runs.program_shelf import shelf_folder
from stylejax.runs.request import Request
from stylejax.runs.summary import Summary
from stylejax.runs.transfer import run_transfer
from stylejax.weights.read import Weights, read_weights
from stylejax.weights.zoo import find_weights

NOT_FINITE = "the loss is not finite any more (try smaller weights)"
Begins = Callable[[str, int, int], None]
"""Is told a photograph's name, how many are done, and how many there are."""


class FolderSummary(NamedTuple):
    """How a run over a folder ended.

    `pictures` are all that are finished, `kept` of them from an earlier run; `failed` says what is
    wrong with the photographs that could not be solved for; `stopped`: `Observer.stop` said so.
    """

    output: Path
    pictures: tuple[Path, ...]
    kept: int
    failed: tuple[str, ...]
    weights: Weights
    device: Device
    seconds_compile: float
    seconds_solve: float
    stopped: bool


def _check(request: Request) -> tuple[Weights, Device]:
    """Find what all pictures need.

    Raises:
        InputError: something in it cannot be used, or belongs to a single picture.
    """
    of_one = {
        "--content-mask": request.content_masks,
        "--style-mask": request.style_masks,
        "--keep": request.keep,
        "--history": request.history,
        "--plot": request.plot,
        "--save-every": request.save_every,
    }
    for flag, given in of_one.items():
        if given:
            raise InputError(f"{flag} belongs to one picture: name it in place of its folder")
    check_bounds(request)
    check_options(request.options, len(request.styles))
    for path in request.pictures:
        if path != request.content:
            read_picture_file(path)
    device = find_devices(request.device, request.devices)[0]
    weights = read_weights(find_weights(request.weights), network=request.network)
    loss = request.options.loss
    for layers in (loss.content_layers, loss.style_layers):
        canonical_layers(layers, weights.architecture)
    return weights, device


def _jobs(request: Request) -> list[tuple[Path, Path]]:
    """Each photograph with its picture; those have a folder of their own.

    Raises:
        InputError: as in `list_pictures`, or the folder is that of the photographs.
    """
    beside = [path for path in request.inputs if path != request.content]
    bits = request.options.picture.bits
    jobs = list_pictures((request.content,), request.output, bits, beside)
    if real_path(request.output) in {real_path(photo.parent) for photo, _ in jobs}:
        raise InputError(f"{request.output}: holds the photographs; name another folder")
    return jobs


def _is_finished(request: Request, weights: Weights | None) -> bool:
    """Whether the picture has been made by this very run, and none of it is under way."""
    if not path_exists(request.output) or path_exists(checkpoint_path(request.output)):
        return False
    try:
        record = read_record(request.output)
    except InputError:
        return False
    record.pop("result", None)
    return decisive(record) == decisive(
        prepare_run(check_inputs(request), weights=weights).settings
    )


def _solve_unless_finished(
    request: Request, observer: Observer, programs: KeptPrograms
) -> Summary | None:
    """Make one picture, or go on with it; None where an earlier run has finished it.

    Raises:
        InputError: as in `run_transfer`.
        Interrupted: likewise.
    """
    if request.resume and as_first_process_says(_is_finished(request, programs.weights))[0]:
        return None
    is_under_way = as_first_process_says(path_exists(checkpoint_path(request.output)))[0]
    resumed = replace(request, resume=request.resume and bool(is_under_way))
    return run_transfer(resumed, observer, programs)


def _failure(photo: Path, reason: str) -> str:
    """One line that names the photograph."""
    return reason if str(photo) in reason else f"{photo}: {reason}"


def run_transfer_folder(
    request: Request,
    observer: Observer | None = None,
    begins: Begins = lambda name, done, total: None,
) -> FolderSummary:
    """Make a picture of every photograph in the folder that a request has for its content.

    With `resume`, pictures that this very run has finished are kept, and the one that was under way
    goes on from its checkpoint.

    Args:
        request: what is to be done; its output is a folder.
        observer: is told how far each picture is.
        begins: is told of each photograph before it is begun.

    Raises:
        InputError: something cannot be used for any of them; nothing has been written then.
    """
    observer = Observer() if observer is None else observer
    request = request.with_print_size
    weights, device = _check(request)
    jobs = _jobs(request)
    if is_first_process():
        make_folder(request.output)
    programs = KeptPrograms(shelf_folder(), weights)
    made, failed, kept, stopped, compiling, solving = [], [], 0, False, 0.0, 0.0
    for number, (photo, output) in enumerate(jobs):
        begins(photo.name, number, len(jobs))
        single = replace(request, content=photo, output=output)
        try:
            summary = _solve_unless_finished(single, observer, programs)
        except InputError as error:
            failed.append(_failure(photo, str(error)))
            continue
        except Interrupted:
            stopped = True
            break
        if summary is None:
            kept += 1
            made.append(output)
            continue
        compiling += summary.seconds_compile
        solving += summary.seconds_solve
        stopped = summary.stopped
        if stopped:
            break
        made.append(output)
        if summary.failed:
            failed.append(f"{photo}: {NOT_FINITE}: {output} is the last good picture")
    return FolderSummary(
        request.output,
        tuple(made),
        kept,
        tuple(failed),
        weights,
        device,
        compiling,
        solving,
        stopped,
    )
