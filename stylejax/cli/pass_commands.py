"""The commands of methods that take one pass, and of training their networks.

As in `commands.py`, beside it.
"""

from dataclasses import dataclass, field
from pathlib import Path

from stylejax.fields import option, positional
from stylejax.runs.apply_request import ApplyRequest
from stylejax.runs.enlarger_request import EnlargerRequest
from stylejax.runs.export_request import ExportRequest
from stylejax.runs.style_request import StyleRequest
from stylejax.runs.universal_request import UniversalRequest
from stylejax.runs.upscale_request import UpscaleRequest


@dataclass(frozen=True)
class TerminalOptions:
    """What the command keeps and prints."""

    compile_cache: bool = option(
        True,
        "Compiled programs are kept in the user's cache folder, so that the next run of the same "
        "size starts at once; this turns it off.",
    )
    quiet: bool = option(False, "Print nothing but errors.")


@dataclass(frozen=True)
class PassRunOptions(TerminalOptions):
    """Where options come from, and what is printed."""

    like: Path | None = option(
        None,
        "Take all options and inputs from a picture that this command made, or from the .json that "
        "`stylejax show` printed of it; those given here go first.",
    )
    json: bool = option(
        False, "Print one line of JSON at the end on standard output, and nothing else there."
    )


@dataclass(frozen=True)
class Universal(UniversalRequest):
    """Give a picture the style of any painting in one pass, through decoders trained once.

    Examples:
        stylejax universal photo.jpg painting.jpg -o out.png
        stylejax universal --texture painting.jpg --size 1024 -o texture.png
    """

    run: PassRunOptions = field(default_factory=PassRunOptions, kw_only=True)


@dataclass(frozen=True)
class Apply(ApplyRequest):
    """Paint photographs in one pass, in styles that a network has learned.

    Examples:
        stylejax apply photo.jpg --style starry-night -o out.png
        stylejax apply a.jpg b.jpg --style scream,udnie --strength 0.7 -o folder
    """

    run: PassRunOptions = field(default_factory=PassRunOptions, kw_only=True)


@dataclass(frozen=True)
class Upscale(UpscaleRequest):
    """Enlarge pictures 4 or 8 times, as exactly or as sharply as wanted.

    Examples:
        stylejax upscale small.jpg --factor 4 --sharpness 0.5 -o large.png
        stylejax upscale folder --factor 8 -o enlarged
    """

    run: PassRunOptions = field(default_factory=PassRunOptions, kw_only=True)


@dataclass(frozen=True)
class Styles:
    """List the learned styles: name, painting, painter, year, license.

    Examples:
        stylejax styles
        stylejax styles my-styles.safetensors
    """

    file: Path | None = positional(
        None, "Weight file that `stylejax train style` wrote; the bundled one unless given."
    )


@dataclass(frozen=True)
class Export(ExportRequest):
    """Write a learned style as a StableHLO program, for pictures of any size.

    Any program with JAX runs it, without stylejax: `jax.export.deserialize(bytes).call(picture)`,
    where a picture is height x width x 3, float32 in [0, 1].

    Examples:
        stylejax export starry-night -o style.stablehlo
        stylejax export candy.safetensors -o candy.stablehlo --platforms cpu
    """

    run: TerminalOptions = field(default_factory=TerminalOptions, kw_only=True)


@dataclass(frozen=True)
class TrainOptions(TerminalOptions):
    """What is printed."""

    json: bool = option(
        False, "Print one line of JSON at the end on standard output, and nothing else there."
    )


@dataclass(frozen=True)
class TrainStyle(StyleRequest):
    """Learn the styles of paintings, for `stylejax apply`.

    A network by itself takes some minutes of a GPU and many hours of a processor; with --base only
    the numbers of the new styles are learned, in a tenth of that.

    Examples:
        stylejax train style a.jpg b.jpg --photos photos.zip -o my.safetensors
        stylejax train style a.jpg --base shipped --photos folder -o my.safetensors
    """

    run: TrainOptions = field(default_factory=TrainOptions, kw_only=True)


@dataclass(frozen=True)
class TrainUpscale(EnlargerRequest):
    """Train a network that enlarges, for `stylejax upscale`.

    Some minutes of a GPU and some hours of a processor.

    Examples:
        stylejax train upscale --factor 4 --photos photos.zip -o my-x4.safetensors
        stylejax train upscale --factor 8 --photos folder --preset johnson -o x8.safetensors
    """

    run: TrainOptions = field(default_factory=TrainOptions, kw_only=True)


@dataclass(frozen=True)
class Train:
    """Train networks.

    Examples:
        stylejax train style a.jpg b.jpg --photos photos.zip -o my.safetensors
        stylejax train upscale --factor 4 --photos photos.zip -o my-x4.safetensors
    """

    action: TrainStyle | TrainUpscale
