import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import stylejax
from stylejax.weights.read import manifest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel that `.ci/run` built, or the one that is installed."""
    built = os.environ.get("STYLEJAX_WHEEL")
    if built:
        return set(zipfile.ZipFile(built).namelist())
    package = Path(stylejax.__file__).parent
    if package.parent == ROOT:
        pytest.skip("an editable install has no wheel to look into")
    return {str(path.relative_to(package.parent)) for path in package.rglob("*") if path.is_file()}


def test_the_wheel_holds_weights_samples_and_types(wheel):
    learned = ("styles.safetensors", "paintings.json")
    learned += ("upscale-x4.safetensors", "upscale-x8.safetensors")
    for name in (*manifest()["files"], *learned, "manifest.json"):
        assert f"stylejax/_weights/{name}" in wheel
    for name in ("astronaut.jpg", "starlit-swirls.jpg", "sunlit-field.jpg", "README.md"):
        assert f"stylejax/images/sample_pictures/{name}" in wheel
    for name in ("page/static/page.html", "page/static/page.css", "page/static/page.js"):
        assert f"stylejax/{name}" in wheel
    assert "stylejax/sweep/sweep.html" in wheel
    assert "stylejax/py.typed" in wheel


def test_the_wheel_holds_nothing_else_than_the_package(wheel):
    top = {name.split("/")[0] for name in wheel}
    assert {name.split("-")[0].split(".")[0] for name in top} == {"stylejax"}
    assert not any(name.startswith(("stylejax/tests", "stylejax/scripts")) for name in wheel)


def test_samples_are_small():
    samples = list((Path(stylejax.__file__).parent / "images/sample_pictures").glob("*.jpg"))
    assert samples
    for path in samples:
        assert path.stat().st_size < 300_000, path.name


def test_importing_from_elsewhere_finds_the_bundled_weights(tmp_path):
    code = "import stylejax; print(stylejax.read_weights().name)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300
    )
    assert found.stdout.strip() == manifest()["default"]
