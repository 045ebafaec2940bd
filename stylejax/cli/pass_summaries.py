"""How runs of one pass, and sweeps, ended; as in `summaries`."""

from collections.abc import Iterator

from stylejax.images.paths import is_folder
from stylejax.runs.apply import ApplySummary
from stylejax.runs.sweep import SweepSummary
from stylejax.runs.universal import UniversalSummary
from stylejax.runs.upscale import UpscaleSummary
from stylejax.strict_json import json_text


def _pictures(summary: UniversalSummary | ApplySummary | UpscaleSummary) -> Iterator[str]:
    yield f"{summary.output}"
    if is_folder(summary.output):
        failed = f", {len(summary.failed)} failed" if summary.failed else ""
        yield f"  pictures {len(summary.pictures)}{failed}"
    yield f"  seconds  {summary.seconds:.1f}"


def _pictures_json(
    summary: UniversalSummary | ApplySummary | UpscaleSummary, **made_with: str
) -> str:
    return json_text(
        {
            "output": str(summary.output),
            **made_with,
            "device": summary.device.platform,
            "pictures": [str(path) for path in summary.pictures],
            "failed": list(summary.failed),
            "seconds_total": round(summary.seconds, 3),
        }
    )


def apply_lines(summary: ApplySummary) -> Iterator[str]:
    """How a run of painting in learned styles ended, for a reader."""
    yield from _pictures(summary)
    yield f"  styles   {', '.join(summary.styles)}"
    yield f"  network  {summary.network} (sha256 {summary.sha256[:12]})"
    yield f"  device   {summary.device.platform} ({summary.device.device_kind})"


def apply_json(summary: ApplySummary) -> str:
    """How a run of painting in learned styles ended, for a program: one line."""
    return _pictures_json(summary, network=summary.network)


def upscale_lines(summary: UpscaleSummary) -> Iterator[str]:
    """How a run of enlarging ended, for a reader."""
    yield from _pictures(summary)
    yield f"  factor   {summary.network.enlarger.factor}"
    yield f"  network  {summary.network.name} (sha256 {summary.network.sha256[:12]})"
    yield f"  device   {summary.device.platform} ({summary.device.device_kind})"


def upscale_json(summary: UpscaleSummary) -> str:
    """How a run of enlarging ended, for a program: one line."""
    return _pictures_json(summary, network=summary.network.name)


def universal_lines(summary: UniversalSummary) -> Iterator[str]:
    """How a run of universal style transfer ended, for a reader."""
    yield from _pictures(summary)
    yield f"  weights  {summary.weights.name} (sha256 {summary.weights.sha256[:12]})"
    yield f"  decoders {summary.decoders.name} (sha256 {summary.decoders.sha256[:12]})"
    yield f"  device   {summary.device.platform} ({summary.device.device_kind})"


def universal_json(summary: UniversalSummary) -> str:
    """How a run of universal style transfer ended, for a program: one line."""
    return _pictures_json(summary, weights=summary.weights.name, decoders=summary.decoders.name)


def sweep_lines(summary: SweepSummary, combinations: int) -> Iterator[str]:
    """How a sweep of this many combinations ended, for a reader."""
    seconds = f"{summary.seconds_compile:.1f} compiling, {summary.seconds_solve:.1f} solving"
    kept = f", {summary.kept} of them from before" if summary.kept else ""
    yield f"{summary.folder}"
    yield f"  pictures {len(summary.rows)} of {combinations}{kept}; {summary.lanes_at_once} at once"
    yield f"  seconds  {seconds}"
    yield "  tables   index.html, contact-sheet.png, results.csv, results.json"


def sweep_json(summary: SweepSummary) -> str:
    """How a sweep ended, for a program: one line."""
    return json_text(
        {
            "output": str(summary.folder),
            "pictures": len(summary.rows),
            "kept": summary.kept,
            "lanes_at_once": summary.lanes_at_once,
            "seconds_compile": round(summary.seconds_compile, 3),
            "seconds_solve": round(summary.seconds_solve, 3),
        }
    )
