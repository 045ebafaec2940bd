"""What writing a learned style as a program is asked to do."""

from dataclasses import dataclass
from pathlib import Path

from stylejax.fields import option, required

SUFFIX = ".stablehlo"


@dataclass(frozen=True)
class ExportRequest:
    """Which style is exported, and to where."""

    style: str = required(
        "The style: a name that `stylejax styles` lists, a weight file, or FILE:NAME."
    )
    output: Path = required(f"The file to write, {SUFFIX}.")
    strength: float = option(
        1.0, "How far to go from the photograph, 0, to the style, 1.", at_least=0, at_most=1
    )
    platforms: tuple[str, ...] = option(
        ("cpu", "cuda", "tpu"), "The kinds of device that the program is to run on."
    )
