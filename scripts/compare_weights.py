"""Paint the same pairs of pictures with several weight files, side by side on one sheet.

    python scripts/compare_weights.py --pairs photo.jpg painting.jpg photo.jpg other.jpg \
        --weights a.safetensors b.safetensors --size 256 -o sheet.png

Defaults untouched between pairs and files. `--references` adds columns of pictures made elsewhere,
as many for each pair, pair after pair; `-` leaves a cell empty.
"""

import argparse
import sys
from pathlib import Path

import stylejax
from stylejax.contact_sheet import contact_sheet
from stylejax.types import OtherPixels


def paint(content: Path, style: Path, weights: list[Path], size: int) -> list[OtherPixels | None]:
    """Content, style, and the picture that each weight file makes of them."""
    photograph, painting = (stylejax.read_picture(path, size).pixels for path in (content, style))
    options = stylejax.Options(picture=stylejax.PictureOptions(size=size))
    pictures: list[OtherPixels | None] = [photograph, painting]
    for path in weights:
        network = stylejax.read_weights(path)
        result = stylejax.style_transfer(photograph, [painting], weights=network, options=options)
        pictures.append(result.image)
        sys.stderr.write(f"{content.stem} x {style.stem}, {path.stem}\n")
    return pictures


def main() -> None:
    """Write the sheet that the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--pairs", nargs="+", type=Path, required=True)
    parser.add_argument("--weights", nargs="+", type=Path, required=True)
    parser.add_argument("--references", nargs="*", default=[])
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    pairs = list(zip(given.pairs[::2], given.pairs[1::2], strict=True))
    rows = [paint(content, style, given.weights, given.size) for content, style in pairs]
    columns = ["content", "style", *(path.stem for path in given.weights)]
    if given.references:
        each = len(given.references) // len(rows)
        columns += ["reference"] * each
        for index, row in enumerate(rows):
            row += [
                None if name == "-" else stylejax.read_picture(Path(name), given.size).pixels
                for name in given.references[index * each : (index + 1) * each]
            ]
    labels = [f"{content.stem} x {style.stem}" for content, style in pairs]
    sheet = contact_sheet(rows, labels, columns, longest=given.size)
    stylejax.write_picture(given.output, sheet)


if __name__ == "__main__":
    main()
