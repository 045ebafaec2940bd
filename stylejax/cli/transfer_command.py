"""The command that solves for a picture, or for those of a folder: checked, and then solved."""

from stylejax.cli.commands import Transfer
from stylejax.cli.interrupts import importing
from stylejax.cli.surroundings import use_processes
from stylejax.errors import InputError
from stylejax.runs.checks import check_request, check_single


def run_transfer_command(command: Transfer) -> int:
    """Solve for a picture, or for all of a folder; returns the exit code."""
    run, checked = command.run, None
    if command.is_folder and run.preview is not None:
        raise InputError("--preview belongs to one picture: name it in place of its folder")
    if not command.is_folder:
        check_single(command)
        # Of several processes all are to meet before one finds something wrong and ends them.
        checked = check_request(command) if run.coordinator is None else None
    # JAX comes with it, of which all that is wrong by now needed nothing.
    with importing():
        from stylejax.cli.solving import solve_folder, solve_picture

    use_processes(run)
    return solve_folder(command) if command.is_folder else solve_picture(command, checked)
