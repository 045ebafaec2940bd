"""The command line: parse, call one function, print. Exit codes: 0 done, 2 bad input, 1 failed.

`main` lives here and not in a module of that name, which would hide it in `stylejax.cli`. Of JAX
nothing is imported here: it takes a second or two, and help and many an error need none of it.
"""

import os
import sys
from collections.abc import Sequence
from importlib import import_module

from stylejax.cli.commands import (
    Apply,
    Command,
    Demo,
    Export,
    Info,
    Layers,
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
    WeightFiles,
)
from stylejax.cli.endings import at_once
from stylejax.cli.interrupts import (
    INTERRUPTED,
    SECONDS_OF_PATIENCE,
    SECONDS_OF_QUIET_PATIENCE,
    answered_interrupts,
    importing,
)
from stylejax.cli.parse import parse_command
from stylejax.cli.screen import OutputLost, complain, drop_output, spoken_warnings
from stylejax.cli.surroundings import ordinary_modes
from stylejax.errors import InputError, Interrupted

ACTIONS: dict[type[Command], tuple[str, str]] = {
    Transfer: ("transfer_command", "run_transfer_command"),
    Demo: ("transfer_command", "run_transfer_command"),
    Universal: ("one_pass", "run_universal_command"),
    Apply: ("one_pass", "run_apply_command"),
    Upscale: ("one_pass", "run_upscale_command"),
    Styles: ("one_pass", "list_styles"),
    Train: ("one_pass", "run_train"),
    Export: ("one_pass", "run_export"),
    Serve: ("page", "run_serve"),
    Sweep: ("sweep_command", "run_sweep_command"),
    Reconstruct: ("sweep_command", "run_reconstruct"),
    Layers: ("listings", "list_layers"),
    Show: ("listings", "show_record"),
    Presets: ("listings", "list_presets"),
    WeightFiles: ("listings", "run_weights"),
    Info: ("info", "print_info"),
}
"""What each command does: a module of this package, imported only then, and its function."""


def _alone(code: int) -> int:
    """The exit code; of one among several processes, which ends here and does not wait for them."""
    jax = sys.modules.get("jax")
    if jax is not None and jax.distributed.is_initialized():
        sys.stderr.flush()
        os._exit(code)
    return code


def _run(command: Command) -> int:
    module, function = ACTIONS[type(command)]
    with ordinary_modes():
        with importing():
            action = getattr(import_module(f"stylejax.cli.{module}"), function)
        return action(command)


def _said_of_jax(error: RuntimeError) -> int | None:
    """Say what JAX could not do where that is the surroundings' fault, and the exit code; or None.

    Of several processes that is another one, else that no device is found, in whatever function
    JAX looks for them first.
    """
    if "jax" not in sys.modules:
        return None
    import jax

    from stylejax.devices.memory import is_without_devices, without_devices

    if isinstance(error, jax.errors.JaxRuntimeError):
        if jax.process_count() == 1:
            return None
        reason = str(error).splitlines()[0]
        complain(
            f"error: another process of this run has ended or cannot be reached ({reason}); "
            "start all of them again, with --resume"
        )
        return _alone(1)
    if not is_without_devices(error):
        return None
    complain(f"error: {without_devices(error)}")
    return 2


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
        with interrupts, spoken_warnings():
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
    except RuntimeError as error:
        code = _said_of_jax(error)
        if code is None:
            raise
        return code
    except (KeyboardInterrupt, Interrupted):
        complain(at_once(command))
        return INTERRUPTED
