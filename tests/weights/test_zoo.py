import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from stylejax.cli.entry import main
from stylejax.errors import InputError
from stylejax.weights import zoo as published
from stylejax.weights.read import default_weights
from stylejax.weights.zoo import PUBLISHED, cached_path, find_weights, published_weights


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setattr(published.platformdirs, "user_cache_path", lambda name: tmp_path / name)
    monkeypatch.delenv("STYLEJAX_WEIGHTS", raising=False)
    return tmp_path / "stylejax" / "weights"


def fill(name):
    path = cached_path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"")
    return path


def test_every_entry_can_be_fetched_and_told_from_others():
    checksums = []
    for name, entry in PUBLISHED.items():
        assert name == entry.name and name.startswith(entry.network)
        assert (entry.repository == "") == bool(entry.file.urls)
        for url in entry.file.urls:
            assert urlsplit(url).scheme == "https" and url.endswith(f"/{entry.file.name}")
        for file in (entry.file, *entry.others):
            assert re.fullmatch(r"([0-9a-f]{8}|[0-9a-f]{64})?", file.sha256)
            assert file.size <= entry.most_bytes < 1.1e6 * entry.megabytes + 2e6
            assert re.fullmatch(r"([0-9a-f]{32})?", file.md5)
            checksums += [value for value in (file.sha256, file.md5) if value]
        if not entry.repository:
            assert len(entry.file.urls) == 2 and entry.file.sha256 + entry.file.md5
    assert len(checksums) == len(set(checksums)) == 12
    # What is pinned by all of its digits begins with those in the name of the file.
    pinned = [entry.file for entry in PUBLISHED.values() if len(entry.file.sha256) == 64]
    assert len(pinned) == 5
    for file in pinned:
        assert file.name.endswith(f"-{file.sha256[:8]}.pth") and file.size > 30e6


def test_well_known_files_and_repositories_are_listed():
    files = {entry.file.name for entry in PUBLISHED.values()}
    assert {"densenet121-a639ec97.pth", "vgg19-dcbb9e9d.pth", "vgg16_bn-6c64b313.pth"} <= files
    repositories = {entry.repository: entry.revision for entry in PUBLISHED.values()}
    assert repositories["timm/densenet121.tv_in1k"] == "d42603a"
    assert repositories["timm/densenet121.ra_in1k"] == "e65bed9"
    assert {"timm/vgg16.tv_in1k", "timm/vgg19.tv_in1k"} <= repositories.keys()
    url = PUBLISHED["densenet121-keras"].file.urls[0]
    assert url == (
        "https://storage.googleapis.com/tensorflow/keras-applications/densenet/"
        "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    )


def test_a_path_is_a_path_and_a_name_a_name(tmp_path, monkeypatch):
    assert find_weights(None) is None
    assert find_weights(tmp_path / "missing.safetensors") == tmp_path / "missing.safetensors"
    assert find_weights(Path("missing.safetensors")) == Path("missing.safetensors")
    bundled = default_weights()
    assert find_weights(Path(bundled.stem)) == bundled
    fetched = fill("vgg19-keras")
    assert find_weights(Path("vgg19-keras")) == fetched
    monkeypatch.chdir(tmp_path)
    Path("vgg19-keras").write_bytes(b"")
    assert find_weights(Path("vgg19-keras")) == Path("vgg19-keras")


def test_names_that_are_not_here_or_unknown():
    with pytest.raises(InputError, match="run `stylejax weights fetch vgg19-keras`"):
        find_weights(Path("vgg19-keras"))
    with pytest.raises(InputError, match="unknown weights 'vgg19-kers': did you mean vgg19-keras"):
        find_weights(Path("vgg19-kers"))
    with pytest.raises(InputError, match="unknown weights 'zzz': `stylejax weights list`"):
        published_weights("zzz")


def test_the_environment_names_weights_unless_the_option_does(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", "densenet121-keras")
    with pytest.raises(InputError, match="fetch densenet121-keras"):
        find_weights(None)
    path = fill("densenet121-keras")
    assert find_weights(None) == path
    assert find_weights(tmp_path / "given.safetensors") == tmp_path / "given.safetensors"
    arguments = ["demo", "--size", "64", "-o", str(tmp_path / "out.png"), "--quiet"]
    assert main(arguments) == 2
    assert f"weights {path}: not a whole safetensors file" in capsys.readouterr().err
    monkeypatch.setenv("STYLEJAX_WEIGHTS", "")
    assert find_weights(None) is None


def test_a_known_name_that_is_not_here_is_one_line_and_nothing_is_fetched(tmp_path, capsys):
    arguments = ["demo", "--size", "64", "-o", str(tmp_path / "out.png"), "--quiet"]
    assert main([*arguments, "--weights", "densenet121-torchvision"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "run `stylejax weights fetch densenet121-torchvision`" in said
    assert list(tmp_path.iterdir()) == []


def test_list_shows_what_is_here(capsys):
    fill("vgg16-keras")
    assert main(["weights", "list"]) == 0
    rows = {line.split("  ")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "bundled" in rows[default_weights().stem]
    assert "fetched" in rows["vgg16-keras"] and "not here" in rows["vgg19-keras"]
    assert PUBLISHED.keys() <= rows.keys()
