import json
import os
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from problems import NARROW_VGG16, NARROW_VGG19, picture, random_weights, write_vgg
from processes import printed, started, wait_until

from stylejax.cli.commands import Transfer
from stylejax.cli.entry import main
from stylejax.cli.parse import parse_command
from stylejax.errors import InputError
from stylejax.images.read import read_picture
from stylejax.images.write import write_picture
from stylejax.networks.layers import VGG19, layer_table
from stylejax.options import Options, flatten_options, options_from_flat
from stylejax.transfer.presets import preset_options
from stylejax.version import VERSION
from stylejax.weights.read import default_weights, manifest

SHALLOW = ["--size", "64", "--content-layers", "pool1", "--style-layers", "input,conv1_relu"]
KEYS = {
    "output",
    "weights",
    "device",
    "iterations",
    "evaluations",
    "loss_initial",
    "loss_final",
    "seconds_compile",
    "seconds_solve",
    "seconds_to_first_iteration",
    "seconds_total",
}


def parsed(arguments):
    command = parse_command(arguments)
    assert isinstance(command, Transfer)
    return command


@pytest.fixture
def pair(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    write_picture(tmp_path / "photo.jpg", picture(60, 80, seed=1))
    write_picture(tmp_path / "painting.jpg", picture(64, 64, seed=2)[..., ::-1])
    return ["photo.jpg", "painting.jpg"]


def test_the_whole_network_end_to_end(pair, tmp_path, capsys):
    arguments = [*pair, "-o", "out.png", "--size", "64", "--iterations", "3"]
    assert main(["transfer", *arguments]) == 0
    shown = capsys.readouterr()
    for word in ("out.png", "loss", "3 iterations", "compiling", "solving", "densenet121", "cpu"):
        assert word in shown.out
    assert "3/3" in shown.err and "s/it" in shown.err and "left" in shown.err
    assert read_picture(tmp_path / "out.png").pixels.shape == (48, 64, 3)


def test_the_bundled_weights_are_trained_and_used_unasked(pair, capsys, monkeypatch):
    monkeypatch.delenv("STYLEJAX_WEIGHTS")
    assert main(["transfer", *pair, "-o", "out.png", *SHALLOW, "--iterations", "2"]) == 0
    shown = capsys.readouterr().out
    assert manifest()["default"] in shown and "random" not in shown


def test_json_is_one_line_and_quiet_says_nothing_else(pair, capsys):
    arguments = [*pair, "--output", "out.webp", *SHALLOW, "--iterations", "4", "--json", "--quiet"]
    assert main(["transfer", *arguments]) == 0
    shown = capsys.readouterr()
    assert shown.err == "" and shown.out.count("\n") == 1
    summary = json.loads(shown.out)
    assert set(summary) == KEYS
    assert summary["output"] == "out.webp" and summary["device"] == "cpu"
    assert summary["iterations"] == 4 and summary["evaluations"] >= 5
    assert summary["loss_final"] < summary["loss_initial"]


def test_quiet_alone_prints_nothing(pair, capsys):
    assert main(["transfer", *pair, "-o", "out.png", *SHALLOW, "--iterations", "1", "--quiet"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err == ""


def test_the_settings_are_shown_and_can_be_repeated(pair, tmp_path, capsys):
    given = ["--iterations", "4", "--style-weight", "7.5", "--init", "noise", "--seed", "3"]
    for suffix in ("png", "jpg", "webp", "tiff"):
        first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
        assert main(["transfer", *pair, "-o", first.name, *SHALLOW, *given, "--quiet"]) == 0
        again = ["-o", second.name, "--like", first.name, "--quiet"]
        assert main(["transfer", *pair, *again]) == 0
        assert first.read_bytes() == second.read_bytes()
    capsys.readouterr()
    assert main(["show", "first.png"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["options"]["style_weight"] == 7.5 and settings["options"]["seed"] == 3
    assert settings["content"]["name"] == "photo.jpg" and len(settings["content"]["sha256"]) == 64
    assert settings["weights"]["name"].startswith("densenet121") and settings["device"] == "cpu"
    assert {"jax", "flax", "jaxopt"} <= set(settings["versions"])
    assert settings["result"]["iterations"] == 4 and settings["result"]["loss"] > 0
    text = json.dumps(settings)
    assert str(tmp_path) not in text and "first.png" not in text


def test_what_is_given_goes_before_what_is_repeated(pair, tmp_path):
    given = [*SHALLOW, "--iterations", "2", "--quiet"]
    assert main(["transfer", *pair, "-o", "first.png", "--style-weight", "7.5", *given]) == 0
    command = parsed(["transfer", "-o", "new.png", "--like=first.png", "--seed", "9"])
    assert command.options.loss.style_weight == 7.5 and command.options.picture.seed == 9
    assert [str(path) for path in (command.content, *command.styles)] == pair
    command = parsed(["transfer", *pair, "-o", "new.png", "--style-weight", "2"])
    assert command.options.loss.style_weight == 2.0


def test_options_survive_their_flat_form():
    options = Options()
    assert options_from_flat(json.loads(json.dumps(flatten_options(options)))) == options
    with pytest.raises(InputError, match="unknown option 'colour'"):
        options_from_flat({"colour": 1})


def test_several_styles_and_comma_separated_values(pair):
    command = parsed(
        ["transfer", *pair, "third.jpg", "-o", "o.png", "--style-blend", "3,1"]
        + ["--style-layers", "conv1_relu,features.transition1.relu", "--style-layer-weights=2,1"]
    )
    assert [path.name for path in command.styles] == ["painting.jpg", "third.jpg"]
    assert command.options.loss.style_blend == (3.0, 1.0)
    assert command.options.loss.style_layers == ("conv1_relu", "features.transition1.relu")
    assert command.options.loss.style_layer_weights == (2.0, 1.0)


def test_layers_lists_every_layer_under_both_names(capsys):
    assert main(["layers", "--size", "640x480"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 1 + len(layer_table())
    row = next(line for line in lines if line.startswith("pool2_relu ")).split()
    assert row[1] == "features.transition1.relu" and row[2] == "256"
    assert " ".join(row[3:8]) == "120 x 160 x 256" and row[8] == "4"


def test_layers_of_vgg_come_under_three_names(capsys):
    assert main(["layers", "--network", "vgg19", "--size", "64"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 1 + len(layer_table(VGG19))
    assert lines[0][:3] == ["papers", "Keras", "torchvision"]
    assert ["conv4_2", "-", "features.21", "512"] in [line[:4] for line in lines]
    assert ["relu4_2", "block4_conv2", "features.22", "512"] in [line[:4] for line in lines]


@pytest.fixture
def vgg_files(tmp_path):
    write_vgg(tmp_path / "vgg16.safetensors", NARROW_VGG16)
    write_vgg(tmp_path / "vgg19.safetensors", NARROW_VGG19)


# Of a preset's own layers the deepest would be most of what is compiled; test_presets has them.
FIRST_LAYERS = {
    "densenet121": SHALLOW[2:],
    "vgg16": ["--content-layers", "relu1_2", "--style-layers", "relu1_1,relu2_1"],
    "vgg19": ["--content-layers", "relu1_2", "--style-layers", "relu1_1,relu2_1"],
}
FEW = ["--size", "64", "--evaluations", "4", "--iterations", "3", "--lbfgs-history", "3", "--quiet"]


@pytest.mark.parametrize(
    ("preset", "file"),
    [("gatys", "vgg19"), ("narayanan", "vgg16"), ("neural-style", "vgg19"), ("notebook", None)],
)
def test_a_preset_gives_what_is_not_given(pair, vgg_files, capsys, preset, file):
    weights = ["--weights", f"{file}.safetensors"] if file else []
    arguments = [*pair, "-o", "out.png", "--preset", preset, *weights, "--style-weight", "3"]
    command = parsed(["transfer", *arguments])
    expected = preset_options(preset)
    assert command.options.loss.style_weight == 3.0
    assert command.options.picture == expected.picture and command.options.solve == expected.solve
    assert command.options.loss.style_layers == expected.loss.style_layers

    layers = FIRST_LAYERS[file or "densenet121"]
    assert main(["transfer", *arguments, *FEW, *layers]) == 0
    assert main(["show", "out.png"]) == 0
    settings = json.loads(capsys.readouterr().out)
    assert settings["options"]["loss_form"] == expected.loss.loss_form
    assert settings["weights"]["network"] == (file or "densenet121")
    assert settings["result"]["evaluations"] <= 4


def test_a_picture_made_with_vgg_is_repeated_with_the_same_weights(pair, vgg_files, tmp_path):
    """With a layer under Keras's name; the programs are compiled already."""
    weights = ["--weights", "vgg19.safetensors"]
    given = ["--preset", "gatys", *weights, *FEW, "--style-layers", "relu1_1,relu2_1"]
    given += ["--content-layers", "block1_conv2"]
    assert main(["transfer", *pair, "-o", "a.png", *given]) == 0
    assert main(["transfer", "-o", "b.png", "--like", "a.png", *weights, "--quiet"]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_the_weight_file_decides_on_network_and_defaults(pair, vgg_files):
    command = parsed(["transfer", *pair, "-o", "out.png", "--weights=vgg16.safetensors"])
    assert command.options.loss.content_layers == ("relu4_2",)
    assert command.options.loss.pooling == "average" and command.network is None
    command = parsed(["demo", "--weights", "vgg16.safetensors", "--pooling", "max"])
    assert command.options.loss.content_layers == ("relu4_2",)
    assert command.options.loss.pooling == "max"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--preset", "gatys"], "no vgg19 weights are bundled"),
        (["--network", "vgg16"], "no vgg16 weights are bundled"),
        (["--network", "vgg16", "--weights", "vgg19.safetensors"], "hold a vgg19, but a vgg16"),
        (["--preset", "narayanan", "--weights", "vgg19.safetensors"], "hold a vgg19, but a vgg16"),
        (["--preset", "notebook", "--weights", "vgg19.safetensors"], "but a densenet121"),
        (["--weights", "vgg19.safetensors", "--style-layers", "pool3_relu"], "of vgg19"),
        (["--weights", "vgg16.safetensors", "--style-layers", "conv3_4"], "of vgg16"),
        (["--weights", "none.safetensors"], "no such file"),
        (["--preset", "impressionist"], "impressionist"),
        (["--network", "resnet"], "resnet"),
    ],
)
def test_networks_presets_and_weights_that_do_not_fit(
    pair, vgg_files, tmp_path, capsys, monkeypatch, arguments, message
):
    monkeypatch.delenv("STYLEJAX_WEIGHTS")
    before = sorted(tmp_path.iterdir())
    assert main(["transfer", *pair, "-o", "out.png", "--size", "64", *arguments]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and message in shown.err
    assert sorted(tmp_path.iterdir()) == before


def test_a_preset_on_the_bundled_densenet_file_is_one_line(pair, capsys):
    bundled = ["--weights", str(default_weights())]
    assert main(["transfer", *pair, "-o", "out.png", "--preset", "gatys", *bundled]) == 2
    shown = capsys.readouterr().err
    assert "hold a densenet121, but a vgg19 is asked for" in shown and shown.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["layers", "--size", "big"], "--size big"),
        (["show", "photo.jpg"], "holds no stylejax settings"),
        (["show", "missing.png"], "no such file"),
        (["transfer", "photo.jpg", "painting.jpg"], "output"),
        (["transfer", "photo.jpg", "-o", "out.png"], "no style picture"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--bits", "9"], "'9'"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--size", "x"], "--size"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--color"], "--color"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--style-blend", "a"], "blend"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--like", "photo.jpg"], "photo"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "photo.jpg"], "is an input"),
        (["transfer", "photo.jpg", "painting.jpg", "-o", "o.png", "--device", "tpu"], "--device"),
        (
            ["transfer", "photo.jpg", "painting.jpg", "-o", "o.png"]
            + ["--parameterization", "wavelet"],
            "'wavelet' for argument '--parameterization'",
        ),
        (["paint"], "paint"),
        (["weights"], "list, fetch, convert, verify"),
        (["weights", "convert", "photo.jpg"], "output"),
        (["weights", "verify", "photo.jpg"], "none of the known forms"),
        ([], "transfer"),
    ],
)
def test_bad_arguments_are_one_line_and_exit_code_2(pair, tmp_path, capsys, arguments, message):
    before = sorted(tmp_path.iterdir())
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and message in shown.err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "command",
    [[], ["transfer"], ["demo"], ["reconstruct"], ["layers"], ["show"], ["weights"]]
    + [["weights", "fetch"]],
)
def test_help_is_there_and_gives_defaults(capsys, command):
    with pytest.raises(SystemExit) as end:
        main([*command, "--help"])
    assert end.value.code == 0
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    if command in (["transfer"], ["demo"]):
        for option in ("--style-weight", "--tv-weight", "--device", "--save-every", "--resume"):
            assert option in shown
        assert "(32 or more; default: 512)" in shown and "(0 or more; default: 20.0)" in shown


def test_a_loss_that_is_not_finite_exits_1_and_says_so(pair, tmp_path, capsys):
    arguments = [*pair, "-o", "out.png", *SHALLOW, "--style-weight", "3e38", "--quiet"]
    assert main(["transfer", *arguments]) == 1
    assert "not finite" in capsys.readouterr().err
    assert np.isfinite(read_picture(tmp_path / "out.png").pixels).all()


def test_demo_runs_on_the_sample_pictures(pair, tmp_path, capsys):
    assert main(["demo", *SHALLOW, "--iterations", "2", "--quiet", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["output"] == "stylejax-demo.png"
    assert read_picture(tmp_path / "stylejax-demo.png").pixels.shape == (64, 64, 3)


def test_ctrl_c_leaves_the_picture_so_far_and_resume_ends_it(pair, tmp_path):
    arguments = ["transfer", *pair, "-o", "out.png", *SHALLOW, "--iterations", "200", "--quiet"]
    arguments += ["--save-every", "20"]
    with started([sys.executable, "-m", "stylejax", *arguments]) as process:
        wait_until((tmp_path / "out-0020.png").exists, process, "its first picture")
        process.send_signal(signal.SIGINT)
        _, said = printed(process)
    assert process.returncode == 130
    assert said.count("\n") == 1 and "--resume" in said
    assert read_picture(tmp_path / "out.png").pixels.shape == (48, 64, 3)
    assert main([*arguments, "--resume"]) == 0
    assert not (tmp_path / "out.png.checkpoint.npz").exists()


def test_the_script_does_the_same_from_a_checkout(pair, tmp_path, request):
    script = request.config.rootpath / "scripts" / "stylize.py"
    arguments = [*pair, *SHALLOW, "--iterations", "2", "--quiet"]
    assert main(["transfer", *arguments, "-o", "cli.png"]) == 0
    command = [sys.executable, script, *arguments, "-o", "script.png"]
    subprocess.run(command, check=True, timeout=300)
    assert (tmp_path / "cli.png").read_bytes() == (tmp_path / "script.png").read_bytes()


def test_compiled_programs_are_kept_unless_turned_off(pair, tmp_path):
    environment = {name: value for name, value in os.environ.items() if "_CACHE_" not in name}
    environment["XDG_CACHE_HOME"] = str(tmp_path / "cache")
    command = [sys.executable, "-m", "stylejax", "transfer", *pair, "-o", "out.png", *SHALLOW]
    command += ["--iterations", "1", "--solver", "adam", "--quiet"]
    run = partial(subprocess.run, check=True, env=environment, timeout=300)
    run([*command, "--no-compile-cache"])
    assert not (tmp_path / "cache").exists()
    first = (tmp_path / "out.png").read_bytes()
    for _ in range(2):
        run(command)
        kept = sorted((tmp_path / "cache" / "stylejax" / "compiled").iterdir())
        assert kept and (tmp_path / "out.png").read_bytes() == first


def test_the_version_and_what_is_wrong_are_said_without_jax(pair, tmp_path, monkeypatch):
    # Which layers other weights have their file says, and JAX reads that.
    monkeypatch.delenv("STYLEJAX_WEIGHTS")
    # A jax that cannot be imported stands before the real one.
    (tmp_path / "jax.py").write_text("raise AssertionError('imported')")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    }
    command = [sys.executable, "-m", "stylejax", "--version"]
    run = partial(subprocess.run, capture_output=True, env=environment, timeout=60, text=True)
    said = run(command)
    assert (said.returncode, said.stdout, said.stderr) == (0, f"stylejax {VERSION}\n", "")
    # Nothing else is taken for it.
    assert "Unrecognized options: --version, now" in run([*command, "now"]).stderr
    for words, reason in (
        (["--style-layers", "conv9_relu"], "unknown layer 'conv9_relu'"),
        (["--size", "0"], "--size is 0"),
        (["--content-mask", "missing.png"], "missing.png: no such file"),
    ):
        line = ["transfer", *pair, "-o", str(tmp_path / "out.png"), *words]
        said = run([*command[:3], *line], cwd=tmp_path)
        assert said.returncode == 2 and reason in said.stderr and said.stderr.count("\n") == 1
