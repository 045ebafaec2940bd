"""The command line: parse, call one function, print. Exit codes: 0 done, 2 bad input, 1 failed.

`main` lives here and not in a module of that name, which would hide it in `stylejax.cli`.
"""

import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

import jax

from stylejax.cli.commands import (
    Apply,
    ConvertWeights,
    Demo,
    Export,
    FetchWeights,
    Layers,
    ListWeights,
    Reconstruct,
    RunOptions,
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
    ProgressDisplay,
    SweepDisplay,
    complain,
    download_display,
    figure_display,
    print_table,
    print_text,
)
from stylejax.cli.one_pass import (
    INTERRUPTED,
    list_styles,
    run_apply_command,
    run_export,
    run_train,
    run_universal_command,
    run_upscale_command,
    use_compile_cache,
)
from stylejax.cli.parse import parse_command
from stylejax.cli.summaries import summary_json, summary_lines, sweep_json, sweep_lines
from stylejax.devices.hosts import is_first_process, join_processes
from stylejax.errors import InputError
from stylejax.networks.layers import ARCHITECTURES, layer_table
from stylejax.runs.apply_sweep import run_apply_sweep
from stylejax.runs.foreign_file import convert_any, describe_any
from stylejax.runs.metadata import read_record
from stylejax.runs.pass_sweep import check_sweep_method
from stylejax.runs.reconstruction import run_reconstruction
from stylejax.runs.sweep import SweepObserver, run_sweep
from stylejax.runs.transfer import Observer, run_transfer
from stylejax.runs.universal_sweep import run_universal_sweep
from stylejax.weights.fetch import fetch_weights
from stylejax.weights.zoo import find_weights, weights_rows


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Let Ctrl-C ask for an end between steps; a second one ends at once."""
    asked: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)


def _use_processes(run: RunOptions) -> None:
    """Make JAX ready for a run: its cache, and the other processes."""
    if run.compile_cache:
        use_compile_cache()
    if run.coordinator is not None:
        join_processes(run.coordinator, run.num_processes, run.process_id)
    elif run.num_processes is not None or run.process_id is not None:
        raise InputError("--num-processes and --process-id need --coordinator")


def _transfer(command: Transfer) -> int:
    run = command.run
    _use_processes(run)
    with contextlib.ExitStack() as stack:
        stop = stack.enter_context(_interruptible())
        observer = Observer(stop=stop)
        if is_first_process() and not run.quiet:
            display = ProgressDisplay(command.options.solve.iterations)
            stack.enter_context(display.bar)
            observer = Observer(display.stage, display.progress, stop)
        summary = run_transfer(command, observer)
    if is_first_process() and run.json:
        print_text(summary_json(summary))
    elif is_first_process() and not run.quiet:
        print_text("\n".join(summary_lines(summary)))
    if summary.failed:
        complain(
            "the loss is not finite any more: "
            f"{summary.output} is the last good picture; try smaller weights"
        )
        return 1
    if summary.stopped:
        complain(f"interrupted: {summary.output} is the picture so far; --resume goes on")
        return INTERRUPTED
    return 0


def _sweep(command: Sweep) -> int:
    run, is_solved = command.run, command.method == "transfer"
    run_other = {"universal": run_universal_sweep, "apply": run_apply_sweep}
    check_sweep_method(command)
    combinations = len(command.grid.lanes) if is_solved else 0
    _use_processes(run)
    with contextlib.ExitStack() as stack:
        observer = SweepObserver(stop=stack.enter_context(_interruptible()))
        if is_first_process() and not run.quiet:
            display = SweepDisplay(command.options.solve.iterations)
            stack.enter_context(display.bar)
            observer = observer._replace(
                stage=display.stage, log=display.log, progress=display.progress
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
    print_text(json.dumps(read_record(command.picture), indent=2))
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    try:
        command = parse_command(sys.argv[1:] if arguments is None else arguments)
        actions = {
            Transfer: _transfer,
            Universal: run_universal_command,
            Apply: run_apply_command,
            Upscale: run_upscale_command,
            Styles: list_styles,
            Train: run_train,
            Export: run_export,
            Sweep: _sweep,
            Demo: _transfer,
            Reconstruct: _reconstruct,
            Layers: _layers,
            Show: _show,
            WeightFiles: _weights,
        }
        return actions[type(command)](command)
    except InputError as error:
        complain(f"error: {error}")
        return _alone(2)
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        reason = str(error).splitlines()[0]
        complain(
            f"error: another process of this run has ended or cannot be reached ({reason}); "
            "start all of them again, with --resume"
        )
        return _alone(1)
    except KeyboardInterrupt:
        complain("interrupted at once; --resume goes on from the last checkpoint")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of our output (`| head`) has gone: nothing is left to say to anyone.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
