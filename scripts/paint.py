"""Paint the sample style pictures from nothing: brush strokes along a flow field.

    python scripts/paint.py starlit-swirls stylejax/images/sample_pictures/starlit-swirls.jpg
    python scripts/paint.py sunlit-field stylejax/images/sample_pictures/sunlit-field.jpg
    python scripts/paint.py paper-waves stylejax/images/sample_pictures/paper-waves.jpg

A painting is data: regions with their colors, a scene that says which region lies where and how
the brush moves there, and brushes from broad to fine. One renderer paints them all. The same
`--seed` and `--size` always give the same picture.
"""

import argparse
import io
from pathlib import Path

from painting.paintings import PAINTINGS
from painting.renderer import paint
from PIL import Image

from stylejax.images.files import replace_file


def main() -> None:
    """Read the command line, paint, save."""
    parser = argparse.ArgumentParser(description="Paint a sample style picture from nothing.")
    parser.add_argument("painting", choices=PAINTINGS, help="which painting")
    parser.add_argument("output", type=Path, help="file to write; its ending says the format")
    parser.add_argument("--size", type=int, default=768, help="longest side in pixels")
    parser.add_argument("--seed", type=int, default=0, help="seed of everything random")
    options = parser.parse_args()
    picture = paint(PAINTINGS[options.painting], options.size, options.seed)
    jpeg = options.output.suffix.lower() in (".jpg", ".jpeg")
    encoded, form = io.BytesIO(), Image.registered_extensions()[options.output.suffix.lower()]
    picture.save(encoded, form, **({"quality": 88, "optimize": True} if jpeg else {}))
    replace_file(options.output, encoded.getvalue())
    print(f"{options.output}: {picture.width} x {picture.height}")


if __name__ == "__main__":
    main()
