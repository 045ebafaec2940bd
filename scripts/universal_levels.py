"""A figure of universal style transfer: each level alone, and all of them, by each transform.

    python scripts/universal_levels.py photo.jpg painting.jpg -o figure.jpg

As figure 3 of Li et al. (2017), where each decoder's result stands alone. Styles are scaled to the
photograph's size.
"""

import argparse
import sys
from pathlib import Path
from typing import get_args

from stylejax.errors import InputError
from stylejax.images.contact_sheet import draw_contact_sheet
from stylejax.images.read import read_picture
from stylejax.images.write import check_output, write_picture
from stylejax.universal.decoder_weights import read_decoders
from stylejax.universal.options import LEVEL_NAMES, Transform, UniversalOptions
from stylejax.universal.run import style_statistics, universal_transfer
from stylejax.weights.read import read_weights

ALL = UniversalOptions().level_alphas


def draw(photo: Path, painting: Path, output: Path, size: int) -> None:
    """Make the pictures and the figure.

    Raises:
        InputError: a picture cannot be read, or the figure not written.
    """
    check_output(output, 8)
    content, style = read_picture(photo, size).pixels, read_picture(painting, size).pixels
    weights = read_weights()
    decoders = read_decoders(encoder=weights.sha256)
    kept = style_statistics(style, weights=weights)
    alone = [tuple(float(level == name) for level in LEVEL_NAMES) for name in LEVEL_NAMES]
    rows = []
    for transform in get_args(Transform):
        row = [content]
        for alphas in (*alone, ALL):
            options = UniversalOptions(transform=transform, level_alphas=alphas)
            row.append(
                universal_transfer(
                    content, [kept], weights=weights, decoders=decoders, options=options
                )
            )
        rows.append(row)
    titles = ["photograph", *(f"{name} alone" for name in LEVEL_NAMES), "all levels"]
    write_picture(output, draw_contact_sheet(rows, list(get_args(Transform)), titles, longest=256))


def main() -> int:
    """Read the command line and draw; the exit code."""
    parser = argparse.ArgumentParser(description="Draw what each level of a transfer does.")
    parser.add_argument("photo", type=Path)
    parser.add_argument("painting", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="the figure")
    parser.add_argument("--size", type=int, default=512, help="longest side of the pictures (512)")
    given = parser.parse_args()
    try:
        draw(given.photo, given.painting, given.output, given.size)
    except InputError as error:
        sys.stderr.write(f"universal_levels: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
