"""Where a training writes, checked before it begins."""

from collections.abc import Iterable
from pathlib import Path

from stylejax.errors import InputError
from stylejax.images.files import check_distinct, check_not_inputs, check_writable

SUFFIX = ".safetensors"
REPORT, PREVIEW = ".json", ".jpg"
"""Of the files beside a weight file."""


def check_training_files(
    output: Path, checkpoint: Path | None, read: Iterable[Path | None]
) -> None:
    """Refuse outputs that cannot be written, or that are an input of the training.

    Args:
        output: the weight file; a report and a preview are written beside it.
        checkpoint: the file of the training's state, if one is asked for.
        read: the inputs, None for those that are not given. To go on from the very file that is
            written is what --resume is for, so that it is none of them.

    Raises:
        InputError: names the file.
    """
    if output.suffix != SUFFIX:
        raise InputError(f"{output}: a weight file is named {SUFFIX}")
    beside = (output.with_suffix(end) for end in (REPORT, PREVIEW))
    written = [output, *filter(None, [checkpoint]), *beside]
    for path in written:
        check_writable(path)
    check_distinct(written)
    check_not_inputs(written, [path for path in read if path is not None])
