"""Prints: their pixels, what their files say, and what is painted for them."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from problems import picture, random_weights

from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.errors import DoesNotFit, InputError
from stylejax.images.read import read_picture, read_picture_file
from stylejax.images.write import write_picture
from stylejax.runs import printing
from stylejax.runs.metadata import read_record
from stylejax.runs.one_pass import read_sized
from stylejax.runs.printing import PrintOptions, check_print_fits, print_advice, print_size
from stylejax.sizes import SizeOptions


def test_sizes_are_read_in_every_unit():
    assert PrintOptions("60x80cm", 150.0).pixels == (4724, 3543)
    assert PrintOptions("600x800mm", 150.0).pixels == (4724, 3543)
    assert PrintOptions("16x20in", 300.0).pixels == (6000, 4800)
    assert PrintOptions("60x80cm").pixels is None and PrintOptions(dpi=300.0).inches is None


@pytest.mark.parametrize("given", ["60x80", "60cm", "0x80cm", "60x80m", "nanx80cm", "-60x80cm"])
def test_what_is_no_size_is_one_line(given):
    with pytest.raises(InputError, match=f"--print {given}: give width x height"):
        PrintOptions(given).check()


def test_prints_of_too_few_or_too_many_pixels_are_refused(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="4 x 4 pixels; 32 to"):
        PrintOptions("1x1cm", 10.0).check()
    with pytest.raises(InputError, match="give a larger --size"):
        print_size(SizeOptions(size=64), PrintOptions("5x100cm"))
    with pytest.raises(InputError, match="WEBP has 16383 at most"):
        check_print_fits(PrintOptions("200x200cm", 300.0), tmp_path / "out.webp")
    monkeypatch.setattr(printing, "BYTES_TO_WRITE", 10**12)
    with pytest.raises(InputError, match=r"60x80cm --dpi 150: 3543 x 4724 .* --dpi 0 would fit"):
        check_print_fits(PrintOptions("60x80cm", 150.0), tmp_path / "out.png")
    with pytest.raises(InputError, match=r"--size 800 would fit \(enlarged .* --dpi 25\)"):
        with print_advice(PrintOptions("60x80cm", 150.0)):
            raise DoesNotFit("too much: --size 800 would fit", 800)


def test_the_size_that_is_painted():
    size = SizeOptions(size=512)
    assert print_size(size, PrintOptions()) == size
    assert print_size(size, PrintOptions("60x80cm")).output_size == "384x512"
    assert print_size(size, PrintOptions("60x80cm", 150.0)).output_size == "3543x4724"
    enlarged = PrintOptions("60x80cm", 150.0, is_enlarged=True)
    assert print_size(size, enlarged).output_size == "384x512"
    given = SizeOptions(output_size="64x48")
    assert print_size(given, PrintOptions("60x80cm", 150.0)) == given
    line = ["universal", "a.jpg", "b.jpg", "-o", "c.png", "--print", "60x80cm", "--dpi=150"]
    assert not parse_command(line).paper.is_enlarged  # type: ignore[union-attr]
    assert parse_command([*line, "--size=64"]).paper.is_enlarged  # type: ignore[union-attr]


def test_a_print_is_cropped_and_its_own_shape_kept():
    image = picture(48, 64)
    same, _, dpi = PrintOptions("8x6cm").printed(image, None)
    assert same is image and dpi == pytest.approx((64 / 8 * 2.54, 48 / 6 * 2.54))
    square, alpha, dpi = PrintOptions("2x2in").printed(image, image[..., 0])
    assert square.shape == (48, 48, 3) and alpha is not None and alpha.shape == (48, 48)
    np.testing.assert_allclose(square, image[:, 8:56], atol=1e-6)
    assert dpi == (24.0, 24.0)
    assert PrintOptions("2x1in", 40.0).printed(image, None)[0].shape == (40, 80, 3)


@pytest.mark.parametrize(("name", "bits"), [("a.png", 8), ("a.png", 16), ("a.jpg", 8)])
def test_files_say_their_resolution(tmp_path, name, bits):
    write_picture(tmp_path / name, picture(), bits=bits, dpi=(150.0, 300.0))
    with Image.open(tmp_path / name) as image:
        assert image.info["dpi"] == pytest.approx((150, 300), rel=1e-4)
    write_picture(tmp_path / name, picture(), bits=bits)
    with Image.open(tmp_path / name) as image:
        assert "dpi" not in image.info


def test_a_tiff_says_its_resolution(tmp_path):
    write_picture(tmp_path / "a.tiff", picture(), dpi=(150.5, 300.0))
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert file.pages.first.get_resolution("inch") == pytest.approx((150.5, 300.0))


def test_a_small_solve_is_enlarged_to_its_print_and_repeated(tmp_path):
    photo, painting = tmp_path / "photo.png", tmp_path / "painting.png"
    write_picture(photo, picture(64, 64, seed=1))
    write_picture(painting, picture(64, 48, seed=3))
    first, again = tmp_path / "first.tiff", tmp_path / "again.tiff"
    line = ["transfer", str(photo), str(painting), "--quiet", "--weights", str(random_weights())]
    flags = "--size 64 --iterations 3 --content-layers pool1 --style-layers input,conv1_relu"
    asked = ["--print", "8x6cm", "--dpi", "50"]
    assert main([*line, "-o", str(first), *asked, *flags.split()]) == 0
    assert read_picture(first).pixels.shape == (118, 157, 3)
    with Image.open(first) as image:
        assert image.info["dpi"] == pytest.approx((50, 50))
    record = read_record(first)
    assert record["print"] == {"print": "8x6cm", "dpi": 50.0}
    assert record["options"]["output_size"] == "64x48"
    assert main([*line, "-o", str(again), "--like", str(first)]) == 0
    assert again.read_bytes() == first.read_bytes()


def test_a_photograph_is_cropped_to_its_print(tmp_path):
    write_picture(tmp_path / "photo.png", picture(40, 80, seed=1))
    file = read_picture_file(tmp_path / "photo.png")
    shape = lambda size, paper: read_sized(file, size, paper).pixels.shape
    assert shape(0, PrintOptions("3x2in", 32.0)) == (64, 96, 3)
    assert shape(0, PrintOptions("3x2in")) == (53, 80, 3)
    assert shape(60, PrintOptions("3x2in", 32.0)) == (40, 60, 3)
    assert shape(60, PrintOptions(dpi=32.0)) == (30, 60, 3)
