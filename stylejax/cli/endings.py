"""How a command ends where Ctrl-C is pressed: what is kept, and what is said of it."""

import os
from pathlib import Path

from stylejax.cli.commands import Command, Sweep, Train, Transfer
from stylejax.runs.checkpoint_paths import checkpoint_path, sweep_checkpoint_path


def _checkpoint(command: Command | None) -> Path | None:
    """Where a command keeps what it could go on from, if it does."""
    match command:
        case Transfer(output=output):
            # Of a folder of pictures, what is finished in it.
            return output if command.is_folder else checkpoint_path(output)
        case Sweep(output=output):
            return sweep_checkpoint_path(output)
        case Train(action=action):
            return action.checkpoint
    return None


def at_once(command: Command | None) -> str:
    """What is said where Ctrl-C ends the program in the midst of its work."""
    checkpoint = _checkpoint(command)
    # Not guarded: what is wrong with the name has been said before.
    if checkpoint is None or not os.path.exists(checkpoint):
        return "interrupted at once"
    return "interrupted at once; --resume goes on from the last checkpoint"
