import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from problems import picture, random_weights

from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.options import Options, SolverOptions
from stylejax.runs.checks import check_outputs
from stylejax.runs.request import Request
from stylejax.runs.style_request import StyleRequest


@pytest.fixture
def request_(tmp_path):
    for name, seed in (("content.png", 1), ("style.png", 2)):
        write_picture(tmp_path / name, picture(48, 64, seed=seed))
    options = Options(solve=SolverOptions(iterations=20))
    named = Request(tmp_path / "content.png", (tmp_path / "style.png",), tmp_path / "out.png")
    return replace(named, options=options, weights=random_weights(), save_every=5)


@pytest.mark.parametrize("name", ["out-0005.png", "out-0020.png", "out.png.checkpoint.npz"])
@pytest.mark.parametrize("option", ["history", "plot"])
def test_no_output_is_written_over_another(request_, tmp_path, name, option):
    check_outputs(replace(request_, **{option: tmp_path / "out-0006.png"}))
    (tmp_path / "folder").symlink_to(tmp_path)
    for folder in (tmp_path, tmp_path / "folder"):
        with pytest.raises(InputError, match=r"named for two outputs|drawn as PNG"):
            check_outputs(replace(request_, **{option: folder / name}))


def test_a_trainings_files_are_all_different(tmp_path):
    photo = tmp_path / "a.png"
    write_picture(photo, picture())
    request = StyleRequest((photo,), output=tmp_path / "o.safetensors", photos=(tmp_path,), steps=1)
    request.check()
    for name in ("o.safetensors", "o.json", "o.jpg"):
        with pytest.raises(InputError, match="named for two outputs"):
            replace(request, checkpoint=tmp_path / name).check()


def test_pictures_come_through_pipes(tmp_path):
    path = tmp_path / "photo.png"
    write_picture(path, picture())
    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["sh", "-c", f"cat '{path}' > '{tmp_path}/pipe'"]):
        through = read_picture(tmp_path / "pipe", 32).pixels
    assert (through == read_picture(path, 32).pixels).all()
    with path.open("rb") as opened:
        assert read_picture(Path(f"/dev/fd/{opened.fileno()}")).pixels.shape == (48, 64, 3)
    with pytest.raises(InputError, match="is empty"):
        read_picture(Path("/dev/null"))
