"""Styles of other programs: read from files that are built here, and held against NumPy."""

import json
import os
import struct

import foreign_networks
import jax
import numpy as np
import pytest
from containers import CONTAINERS, write_torch_zip
from foreign_networks import (
    johnson_checkpoint,
    lengstrom_variables,
    pytorch_state,
    run_johnson,
    run_lengstrom,
    run_pytorch,
    write_variables,
)
from problems import picture
from safetensors.numpy import load_file
from torch7_files import Bytecode, Module, torch7_bytes

from stylejax.cli.entry import main
from stylejax.feedforward.foreign import paint_foreign
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.runs.foreign_file import WHAT, read_foreign
from stylejax.runs.metadata import read_record
from stylejax.runs.tensor_file import write_tensor_file


def converted(folder, source, code=0):
    output = folder / f"{source.name}.safetensors"
    assert main(["weights", "convert", str(source), "-o", str(output)]) == code
    return output


def paint(path, photo):
    style = read_foreign(path).style
    return np.asarray(jax.jit(lambda picture: paint_foreign(style, picture))(photo))


def assert_alike(made, wanted, program):
    # Not gray throughout, and not all at the ends of the range.
    assert wanted.std() > 0.05 and np.mean((wanted > 0.0) & (wanted < 1.0)) > 0.5
    np.testing.assert_allclose(made, wanted, atol=1e-3)
    assert made.shape == wanted.shape and program


@pytest.mark.parametrize("old", [False, True], ids=["pytorch", "abhiskk"])
def test_a_style_of_pytorch_examples(tmp_path, old, capsys):
    state = pytorch_state(old)
    names = {f"module.{key}": value for key, value in state.items()} if old else state
    container = CONTAINERS["legacy stream" if old else "zip"]
    path = converted(tmp_path, container(tmp_path / "candy.pth", names))
    program = "abhiskk/fast-neural-style" if old else "pytorch/examples fast_neural_style"
    assert program in capsys.readouterr().out and read_foreign(path).style.program == program
    photo = picture(24, 28)
    assert_alike(paint(path, photo), run_pytorch(state, photo, old), program)


def test_a_style_of_lengstrom(tmp_path):
    variables = lengstrom_variables()
    others = {"global_step": np.ones(1, np.float32), "Variable/Adam": np.ones(3, np.float32)}
    folder = write_variables(tmp_path / "wave", variables | others)
    path = converted(tmp_path, folder)
    # Sides that are no multiples of 4: the program's own result is larger.
    photo = picture(22, 27)
    assert_alike(paint(path, photo), run_lengstrom(variables, photo), "lengstrom")
    again = tmp_path / "again.safetensors"
    assert main(["weights", "convert", str(folder / "manifest.json"), "-o", str(again)]) == 0
    for name, tensor in load_file(path).items():
        np.testing.assert_array_equal(load_file(again)[name], tensor)


@pytest.mark.parametrize("instance", [True, False], ids=["instance", "batch"])
def test_a_style_of_johnson(tmp_path, instance, monkeypatch):
    # The same numbers whichever tests came before.
    monkeypatch.setattr(foreign_networks, "RANDOM", np.random.default_rng(4))
    saved = johnson_checkpoint(instance)
    source = tmp_path / "mosaic.t7"
    source.write_bytes(torch7_bytes(saved))
    path = converted(tmp_path, source)
    photo = picture(44, 45)
    assert_alike(paint(path, photo), run_johnson(saved, photo), "Johnson")


@pytest.fixture
def candy(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_picture(tmp_path / "photo.png", picture(24, 28))
    return converted(tmp_path, write_torch_zip(tmp_path / "candy", pytorch_state()))


def test_a_converted_style_paints_and_is_described(candy, capsys):
    words = ["apply", "photo.png", "--style", candy.name, "--no-compile-cache"]
    assert main([*words, "-o", "out.png", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["network"] == candy.name
    made = read_picture(candy.with_name("out.png")).pixels
    photo = read_picture(candy.with_name("photo.png")).pixels
    np.testing.assert_allclose(made, paint(candy, photo), atol=0.51 / 255)
    record = read_record(candy.with_name("out.png"))
    assert record["program"].startswith("pytorch/examples") and record["method"] == "apply"
    assert main([*words, "-o", "again.png", "--like", "out.png", "--quiet"]) == 0
    assert candy.with_name("again.png").read_bytes() == candy.with_name("out.png").read_bytes()
    for command in (["weights", "verify", candy.name], ["styles", candy.name]):
        assert main(command) == 0
        assert "pytorch/examples" in capsys.readouterr().out

    mixed = f"{candy.name},starry-night"
    for more, says in (
        (["--strength", "0.5"], "--strength"),
        (["--strip-rows", "8"], "--strip-rows"),
        (["--hold-statistics", "first"], "--hold-statistics"),
        (["--style", mixed], "name it alone"),
    ):
        assert main([*words, "-o", "not.png", *more]) == 2
        assert says in capsys.readouterr().err and not candy.with_name("not.png").exists()


class Deadly:
    """What a pickle could be made to do."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def cyclic():
    """A container that holds itself, which no list of its modules ends."""
    writer = struct.pack("<iii3si13s", 4, 1, 3, b"V 1", 13, b"nn.Sequential")
    table = struct.pack("<iii", 3, 2, 1) + struct.pack("<ii7s", 2, 7, b"modules")
    inner = struct.pack("<iii", 3, 3, 2)
    inner += b"".join(struct.pack("<idii", 1, key, 4, 1) for key in (1.0, 2.0))
    model = struct.pack("<iii", 3, 9, 1) + struct.pack("<ii5s", 2, 5, b"model")
    # The outer table is the first object of the file.
    return model.replace(struct.pack("<i", 9), struct.pack("<i", 1)) + (
        writer.replace(struct.pack("<ii", 4, 1), struct.pack("<ii", 4, 4), 1)
        + table
        + inner.replace(struct.pack("<ii", 4, 1), struct.pack("<ii", 4, 4))
    )


def bad_files(folder):
    """Files that are no styles, each with what is said of it."""
    t7 = torch7_bytes(johnson_checkpoint())
    state, variables = pytorch_state(), lengstrom_variables()
    missing = {key: value for key, value in state.items() if key != "res3.in2.bias"}
    narrow = state | {"res3.conv1.conv2d.weight": np.ones((5, 8, 3, 3), np.float32)}
    infinite = state | {"in1.bias": np.full(4, np.inf, np.float32)}
    whole = write_torch_zip(folder / "whole", state).read_bytes()
    made = {
        "truncated.t7": (t7[: len(t7) // 2], "ends too early"),
        "damaged.t7": (t7.replace(b"nn.Tanh", b"nn.Tank"), "nn.Tank"),
        "code.t7": (torch7_bytes({"model": Bytecode()}), "could run code"),
        "cyclic.t7": (cyclic(), "no list"),
        "other.t7": (torch7_bytes({"weights": 1.0}), "without a model"),
        "resnet.t7": (
            torch7_bytes(johnson_checkpoint() | {"opt": {"preprocessing": "resnet"}}),
            "resnet",
        ),
        "bare.t7": (torch7_bytes({"model": Module("nn.Tanh")}), "no convolution"),
        "huge.t7": (struct.pack("<iii", 3, 1, 2**31 - 1), "ends too early"),
        "truncated.pth": (whole[: len(whole) // 2], "truncated"),
        "nothing.pth": (b"", "empty"),
    }
    for name, (content, says) in made.items():
        (folder / name).write_bytes(content)
        yield folder / name, says
    yield write_torch_zip(folder / "missing.pth", missing), "res3.in2.bias"
    yield write_torch_zip(folder / "narrow.pth", narrow), "do not fit together"
    yield write_torch_zip(folder / "infinite.pth", infinite), "not finite"
    yield write_torch_zip(folder / "more.pth", state | {"res6.x": np.ones(1, "f4")}), "res6.x"
    deadly = state | {"in9.weight": Deadly(folder / "harm")}
    yield write_torch_zip(folder / "malicious.pth", deadly), "could run code"
    cut = write_variables(folder / "cut", variables)
    (cut / "Variable_7").write_bytes(b"1234")
    yield cut, "Variable_7"
    fewer = {key: value for key, value in variables.items() if key != "Variable_47"}
    yield write_variables(folder / "fewer", fewer), "Variable_47"
    outside = write_variables(folder / "outside", variables)
    manifest = (outside / "manifest.json").read_text()
    (outside / "manifest.json").write_text(manifest.replace('"Variable_3"', '"../cut/Variable_3"'))
    yield outside, "there is no file"


def test_what_is_no_style_is_refused_in_one_line(tmp_path, capsys):
    for path, says in bad_files(tmp_path):
        output = converted(tmp_path, path, code=2)
        error = capsys.readouterr().err
        assert says in error and path.name in error and error.count("\n") == 1, (path, error)
        assert not output.exists()
    assert not (tmp_path / "harm").exists()


def test_a_damaged_conversion_is_refused(candy, capsys):
    tensors = load_file(candy)
    record = {"program": "p", "order": "rgb", "input_mean": [0, 0, 0], "output_mean": [0, 0, 0]}
    relu = [{"kind": "relu"}]
    for number, (steps, says) in enumerate(
        (
            ([{"kind": "run"}], "do not fit"),
            (7, "do not fit"),
            ([{}], "do not fit"),
            (None, "damaged"),
        )
    ):
        path = candy.with_name(f"bad{number}.safetensors")
        more = {} if steps is None else {"steps": steps}
        write_tensor_file(path, WHAT, tensors, record | more)
        assert main(["apply", "photo.png", "--style", path.name, "-o", "not.png"]) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1
    write_tensor_file(candy.with_name("none.safetensors"), WHAT, {}, record | {"steps": relu})
    # A style of no layers is one: the photograph.
    photo = picture(24, 28)
    np.testing.assert_allclose(paint(candy.with_name("none.safetensors"), photo), photo, atol=1e-6)
