"""How runs ended, in lines for a reader and in one line of JSON for a program."""

from collections.abc import Iterator

from stylejax.runs.summary import Summary
from stylejax.runs.transfer_folder import FolderSummary
from stylejax.strict_json import json_text


def summary_lines(summary: Summary) -> Iterator[str]:
    """How a transfer ended, for a reader."""
    history = summary.history
    spent = f"{history['iteration'][-1]} iterations, {summary.evaluations} evaluations"
    yield f"{summary.output}"
    yield f"  loss     {history['loss'][0]:.5g} -> {history['loss'][-1]:.5g} ({spent})"
    yield f"  seconds  {summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    several = f"{summary.devices} x " if summary.devices > 1 else ""
    yield f"  device   {several}{summary.device} ({summary.device_kind})"
    if summary.converged:
        yield "  Nothing lowers the loss any further: ended before the last iteration."
    if not summary.weights.trained:
        yield "  These weights are random, for tests only: no style is seen; give --weights."


def summary_json(summary: Summary) -> str:
    """How a transfer ended, for a program: one line."""
    history, first = summary.history, summary.seconds_to_first_iteration
    return json_text(
        {
            "output": str(summary.output),
            "weights": summary.weights.name,
            "device": summary.device,
            "iterations": int(history["iteration"][-1]),
            "evaluations": summary.evaluations,
            "loss_initial": float(history["loss"][0]),
            "loss_final": float(history["loss"][-1]),
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
            "seconds_to_first_iteration": None if first is None else round(first, 3),
            "seconds_total": round(summary.seconds_total, 3),
        }
    )


def folder_lines(summary: FolderSummary) -> Iterator[str]:
    """How a transfer over a folder ended, for a reader."""
    failed = f", {len(summary.failed)} failed" if summary.failed else ""
    kept = f", {summary.kept} of them from before" if summary.kept else ""
    yield f"{summary.output}"
    yield f"  pictures {len(summary.pictures)}{kept}{failed}"
    yield f"  seconds  {summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    yield f"  device   {summary.device.platform} ({summary.device.device_kind})"


def folder_json(summary: FolderSummary) -> str:
    """How a transfer over a folder ended, for a program: one line."""
    return json_text(
        {
            "output": str(summary.output),
            "weights": summary.weights.name,
            "device": summary.device.platform,
            "pictures": [str(path) for path in summary.pictures],
            "kept": summary.kept,
            "failed": list(summary.failed),
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )
