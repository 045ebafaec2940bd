"""The command line: parse, call one function, print. Exit codes: 0 done, 2 bad input, 1 failed.

`main` lives here and not in a module of that name, which would hide it in `stylejax.cli`.
"""

import contextlib
import os
import re
import sys
from collections.abc import Sequence

import jax

from stylejax.cli.commands import (
    Apply,
    Command,
    ConvertWeights,
    Demo,
    Export,
    FetchWeights,
    Layers,
    ListWeights,
    Presets,
    Reconstruct,
    Serve,
    Show,
    Styles,
    Sweep,
    Train,
    Transfer,
    Universal,
    Upscale,
    VerifyWeights,
    WeightFiles,
)
from stylejax.cli.display import (
    OutputLost,
    SweepDisplay,
    complain,
    download_display,
    drop_output,
    figure_display,
    print_table,
    print_text,
    spoken_warnings,
)
from stylejax.cli.endings import at_once, interruptible_stage
from stylejax.cli.interrupts import (
    INTERRUPTED,
    SECONDS_OF_PATIENCE,
    SECONDS_OF_QUIET_PATIENCE,
    answered_interrupts,
    graceful_interrupts,
)
from stylejax.cli.one_pass import (
    list_styles,
    run_apply_command,
    run_export,
    run_train,
    run_universal_command,
    run_upscale_command,
)
from stylejax.cli.page import run_serve
from stylejax.cli.parse import parse_command
from stylejax.cli.summaries import sweep_json, sweep_lines
from stylejax.cli.surroundings import ordinary_modes, use_compile_cache
from stylejax.cli.transfer_command import run_transfer_command, use_processes
from stylejax.devices.hosts import is_first_process
from stylejax.devices.memory import is_without_devices, without_devices
from stylejax.errors import InputError
from stylejax.images.paths import guarded_path
from stylejax.networks.layers import ARCHITECTURES, layer_table
from stylejax.runs.apply_sweep import run_apply_sweep
from stylejax.runs.foreign_file import convert_any, describe_any
from stylejax.runs.metadata import read_record
from stylejax.runs.observer import Interrupted
from stylejax.runs.own_presets import preset_rows, presets_folder
from stylejax.runs.pass_sweep import check_sweep_method
from stylejax.runs.reconstruction import run_reconstruction
from stylejax.runs.sweep import SweepObserver, run_sweep
from stylejax.runs.universal_sweep import run_universal_sweep
from stylejax.strict_json import json_text
from stylejax.weights.fetch import fetch_weights
from stylejax.weights.zoo import find_weights, weights_rows


def _sweep(command: Sweep) -> int:
    run, is_solved = command.run, command.method == "transfer"
    run_other = {"universal": run_universal_sweep, "apply": run_apply_sweep}
    check_sweep_method(command)
    combinations = len(command.grid.lanes) if is_solved else 0
    use_processes(run)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(graceful_interrupts())
        observer = SweepObserver(stage=interruptible_stage(stop), stop=stop, warn=complain)
        if is_first_process() and not run.quiet:
            display = SweepDisplay(command.options.solve.iterations)
            stack.enter_context(display.bar)
            observer = observer._replace(
                stage=interruptible_stage(stop, display.stage),
                log=display.log,
                progress=display.progress,
            )
        summary = run_other.get(command.method, run_sweep)(command, observer)
    if is_first_process() and run.json:
        print_text(sweep_json(summary))
    elif is_first_process() and not run.quiet:
        print_text("\n".join(sweep_lines(summary, combinations or len(summary.rows))))
    if summary.failed:
        names = ", ".join(summary.failed)
        complain(f"the loss was not finite for {names}: the last good picture; smaller weights?")
    if summary.stopped:
        complain(f"interrupted: {summary.folder} holds what is finished; --resume goes on")
        return INTERRUPTED
    return 1 if summary.failed else 0


def _reconstruct(command: Reconstruct) -> int:
    quiet = command.run.quiet
    if command.run.compile_cache:
        use_compile_cache()
    try:
        with contextlib.ExitStack() as stack:
            display = [] if quiet else [stack.enter_context(figure_display())]
            finite = run_reconstruction(command, *display)
    except KeyboardInterrupt:
        complain(f"interrupted: {command.output} is not written")
        return INTERRUPTED
    if not quiet:
        print_text(f"{command.output}")
    if not finite:
        complain("a loss was not finite: its picture is the last good one")
    return 0 if finite else 1


def _layers(command: Layers) -> int:
    match = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", command.size)
    if match is None:
        raise InputError(f"--size {command.size}: give a number, or width x height as 640x480")
    width = int(match[1])
    height = int(match[2] or width)
    table = layer_table(ARCHITECTURES[command.network])
    schemes = {"papers": "paper", "Keras": "keras", "torchvision": "torchvision"}
    if command.network == "densenet121":
        del schemes["papers"]
    header = (*schemes, "channels", "shape", "stride", "receptive field")
    rows: list[tuple[str, ...]] = [header]
    for layer in table.values():
        shape = f"{-(-height // layer.stride)} x {-(-width // layer.stride)} x {layer.channels}"
        numbers = (str(layer.channels), shape, str(layer.stride), str(layer.receptive_field))
        names = (getattr(layer, scheme) or "-" for scheme in schemes.values())
        rows.append((*names, *numbers))
    print_table(rows)
    return 0


def _show(command: Show) -> int:
    print_text(json_text(read_record(command.picture), indent=2))
    return 0


def _presets(command: Presets) -> int:
    if command.folder:
        folder = presets_folder()
        with guarded_path(folder, "make it by hand"):
            folder.mkdir(parents=True, exist_ok=True)
        print_text(f"{folder}")
    else:
        print_table([("name", "network", "source"), *preset_rows()])
    return 0


def _weights(command: WeightFiles) -> int:
    match command.action:
        case ListWeights():
            print_table([("name", "network", "where", "size", "licence"), *weights_rows()])
        case FetchWeights(name):
            try:
                with download_display(name) as progress:
                    fetched = fetch_weights(name, progress)
            except KeyboardInterrupt:
                complain(f"interrupted: nothing of {name} is kept")
                return INTERRUPTED
            there = "is here already" if fetched.already_here else "fetched"
            print_text(f"{name} {there}: {fetched.path}")
        case ConvertWeights(file, output):
            print_text(f"{output}: {convert_any(file, output)}")
        case VerifyWeights(file):
            print_text("\n".join(describe_any(find_weights(file) or file)))
    return 0


def _alone(code: int) -> int:
    """The exit code; of one among several processes, which ends here and does not wait for them."""
    if jax.distributed.is_initialized():
        sys.stderr.flush()
        os._exit(code)
    return code


def _run(command: Command) -> int:
    actions = {
        Transfer: run_transfer_command,
        Universal: run_universal_command,
        Apply: run_apply_command,
        Upscale: run_upscale_command,
        Styles: list_styles,
        Train: run_train,
        Export: run_export,
        Serve: run_serve,
        Sweep: _sweep,
        Demo: run_transfer_command,
        Reconstruct: _reconstruct,
        Layers: _layers,
        Show: _show,
        Presets: _presets,
        WeightFiles: _weights,
    }
    return actions[type(command)](command)


def main(arguments: Sequence[str] | None = None, *, owns_process: bool = False) -> int:
    """Run the command line; returns the exit code.

    Args:
        arguments: the words of the command line; those of this process unless given.
        owns_process: whether this process is there for the command alone, so that a second Ctrl-C
            may end it.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    command: Command | None = None
    # Without --quiet there is something to look at, so that an answer is waited for.
    patience = SECONDS_OF_QUIET_PATIENCE if "--quiet" in arguments else SECONDS_OF_PATIENCE
    interrupts = answered_interrupts(lambda: at_once(command), patience=patience, ends=owns_process)
    try:
        with interrupts, ordinary_modes(), spoken_warnings():
            command = parse_command(arguments)
            return _run(command)
    except InputError as error:
        complain(f"error: {error}")
        return _alone(2)
    except OutputLost as lost:
        drop_output()
        if lost.reason:
            complain(f"error: standard output: {lost.reason}")
        return 1
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        reason = str(error).splitlines()[0]
        complain(
            f"error: another process of this run has ended or cannot be reached ({reason}); "
            "start all of them again, with --resume"
        )
        return _alone(1)
    except RuntimeError as error:
        # In whatever function JAX looks for its devices first.
        if not is_without_devices(error):
            raise
        complain(f"error: {without_devices(error)}")
        return 2
    except (KeyboardInterrupt, Interrupted):
        complain(at_once(command))
        return INTERRUPTED
