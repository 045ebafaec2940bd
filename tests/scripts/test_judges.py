import jax
import pytest
from evaluation.judges import JUDGED_LAYERS, read_judge
from problems import picture, random_weights, write_vgg
from teachers import random_teacher_file

from stylejax.networks.layers import canonical_layer
from stylejax.options import Options
from stylejax.transfer.presets import preset_options


def test_a_file_tells_which_network_judges(tmp_path):
    files = {
        "googlenet": random_teacher_file(tmp_path / "teacher.safetensors"),
        "densenet121": random_weights(),
        "vgg19": write_vgg(tmp_path / "vgg.safetensors"),
    }
    for network, path in files.items():
        judge = read_judge(path)
        maps = jax.eval_shape(judge.features, picture(48, 64))
        assert judge.network == network and judge.name == path.stem
        assert set(maps) == set(JUDGED_LAYERS[network])
        heights = [maps[layer].shape[0] for layer in JUDGED_LAYERS[network]]
        assert heights == sorted(heights, reverse=True) and len(set(heights)) > 2
        assert all(len(of.shape) == 3 for of in maps.values())


def test_the_bundled_weights_judge_unless_others_are_named(monkeypatch):
    monkeypatch.setenv("STYLEJAX_WEIGHTS", str(random_weights()))
    assert read_judge(None).name == "densenet121-distilled"


@pytest.mark.parametrize("options", [Options(), preset_options("notebook")])
def test_densenet_does_not_judge_by_what_it_optimizes(options):
    optimized = (*options.loss.content_layers, *options.loss.style_layers)
    assert not {canonical_layer(name) for name in optimized} & set(JUDGED_LAYERS["densenet121"])
