"""The commands that solve for several pictures: a sweep, and a figure of reconstructions."""

import contextlib

from stylejax.cli.commands import Reconstruct, Sweep
from stylejax.cli.display import SweepDisplay, figure_display
from stylejax.cli.interrupts import INTERRUPTED, graceful_interrupts
from stylejax.cli.pass_summaries import sweep_json, sweep_lines
from stylejax.cli.screen import complain, print_text
from stylejax.cli.stages import interruptible_stage
from stylejax.cli.surroundings import use_compile_cache, use_processes
from stylejax.devices.hosts import is_first_process
from stylejax.runs.apply_sweep import run_apply_sweep
from stylejax.runs.pass_sweep import check_sweep_method
from stylejax.runs.reconstruction import run_reconstruction
from stylejax.runs.sweep import SweepObserver, run_sweep
from stylejax.runs.universal_sweep import run_universal_sweep


def run_sweep_command(command: Sweep) -> int:
    """Solve for all combinations; returns the exit code."""
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


def run_reconstruct(command: Reconstruct) -> int:
    """Draw a figure of what layers hold; returns the exit code."""
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
