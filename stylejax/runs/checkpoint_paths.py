"""Where checkpoints are."""

from pathlib import Path


def checkpoint_path(output: Path) -> Path:
    """Where the checkpoint of a run lies: beside its output."""
    return output.with_name(f"{output.name}.checkpoint.npz")


def sweep_checkpoint_path(folder: Path) -> Path:
    """Where the checkpoint of a sweep into a folder lies."""
    return checkpoint_path(folder / "sweep")
