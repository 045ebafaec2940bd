"""The whole job on arrays: identities, masks, strips, files of statistics, refusals."""

from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_decoders import make_decoders, picture, write_networks

from stylejax.errors import InputError
from stylejax.images.masks import Masks
from stylejax.universal.chain import Controls, Networks, Structure, restyled
from stylejax.universal.options import LEVEL_NAMES, UniversalOptions
from stylejax.universal.run import (
    bucket,
    style_statistics,
    synthesize_texture,
    universal_transfer,
)
from stylejax.universal.statistics import feature_statistics
from stylejax.universal.style_file import read_style, write_style
from stylejax.weights.read import read_weights

NETWORKS: dict[str, Any] = {}


@pytest.fixture(scope="module", autouse=True)
def short_encoder(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        weights = read_weights(write_networks(tmp_path_factory.mktemp("networks"), patch)[0])
        NETWORKS.update(weights=weights, decoders=make_decoders(weights.sha256))
        yield


def run(content, styles, masks=None, strip_rows=0, **options):
    return universal_transfer(
        content,
        styles,
        options=UniversalOptions(**options),
        masks=masks,
        strip_rows=strip_rows,
        **NETWORKS,
    )


def test_alpha_0_returns_the_photograph():
    content = picture(0, 50, 61)
    found = run(content, [picture(1)], alpha=0.0)
    assert found.shape == content.shape
    np.testing.assert_array_equal(np.round(255 * found), np.round(255 * content))
    found = run(content, [picture(1)], level_alphas=(0.0, 0.0, 0.0, 0.0))
    np.testing.assert_array_equal(np.round(255 * found), np.round(255 * content))


def test_pixels_alone_take_the_paintings_palette():
    content, style = 0.3 + 0.4 * picture(0), 0.25 + 0.3 * picture(1)
    found = run(content, [style], level_alphas=(0.0, 0.0, 0.0, 1.0), ridge=1e-5)
    np.testing.assert_allclose(found.mean((0, 1)), style.mean((0, 1)), atol=5e-3)
    wanted = feature_statistics(jnp.asarray(style)).covariance
    got = feature_statistics(jnp.asarray(found)).covariance
    np.testing.assert_allclose(got, wanted, atol=0.05 * float(jnp.max(wanted)))


def test_transform_and_alpha_matter_and_the_same_input_gives_the_same_bytes():
    content, styles = picture(0), [picture(1)]
    first = run(content, styles)
    np.testing.assert_array_equal(first, run(content, styles))
    others: tuple[dict[str, Any], ...] = (
        {"transform": "whitening"},
        {"transform": "moments"},
        {"alpha": 0.5},
    )
    for other in others:
        assert np.abs(run(content, styles, **other) - first).max() > 1e-3


def test_blend_of_one_style_alone_is_that_style():
    content, styles = picture(0), [picture(1), picture(2)]
    for mixture in ("maps", "barycenter"):
        alone = run(content, styles, style_blend=(0.0, 3.0), style_mixture=mixture)
        np.testing.assert_allclose(alone, run(content, styles[1:]), atol=2e-3)
        both = run(content, styles, style_mixture=mixture)
        assert np.abs(both - alone).max() > 1e-2


def test_masks_leave_what_they_do_not_cover():
    content, mask = picture(0, 64, 256), np.zeros((64, 256), np.float32)
    mask[:, 160:] = 1.0
    found = run(content, [picture(1)], masks=Masks((mask,)))
    # The decoders see 80 pixels to the side.
    np.testing.assert_allclose(found[:, :72], content[:, :72], atol=2e-3)
    assert np.abs(found[:, 192:] - content[:, 192:]).mean() > 0.02


def test_two_masks_put_each_style_in_its_place():
    content, left = picture(0, 64, 320), np.zeros((64, 320), np.float32)
    left[:, :160] = 1.0
    styles = [picture(1) * [1.0, 0.1, 0.1], picture(2) * [0.1, 0.1, 1.0]]
    styles = [style.astype(np.float32) for style in styles]
    found = run(content, styles, masks=Masks((left, 1.0 - left)))
    assert found[:, :80, 0].mean() > 2 * found[:, :80, 2].mean()
    assert found[:, 240:, 2].mean() > 2 * found[:, 240:, 0].mean()


def test_style_masks_choose_a_part_of_the_painting():
    painting = np.concatenate([picture(1), 0.2 * picture(2)], axis=1)
    mask = np.zeros((64, 128), np.float32)
    mask[:, 64:] = 1.0
    whole = np.ones((64, 64), np.float32)
    content = picture(0)
    dark = run(content, [painting], masks=Masks((whole,), (mask,)))
    bright = run(content, [painting], masks=Masks((whole,), (1.0 - mask,)))
    assert dark.mean() < 0.5 * bright.mean()


def test_padding_to_a_bucket_does_not_count():
    content, style = picture(0, 128, 128), picture(1)
    # 100 rows are padded to 128; the picture of 128 rows is the same but for what lies below.
    cut = run(content[:100], [style], level_alphas=(0.0, 0.0, 0.0, 1.0))
    exact = content[:100]
    own, target = (feature_statistics(jnp.asarray(each)) for each in (exact, style))
    np.testing.assert_allclose(own.mean, exact.mean((0, 1)), atol=1e-5)
    np.testing.assert_allclose(cut.mean((0, 1)), target.mean, atol=0.03)
    assert [bucket(length) for length in (1, 64, 65, 1024, 1025)] == [64, 64, 128, 1024, 1152]


@pytest.mark.parametrize("shape", [(1, 1), (1, 200), (3, 2)])
def test_smallest_pictures_come_back_finite(shape):
    found = run(picture(0, *shape), [picture(1, 2, 1)])
    assert found.shape == (*shape, 3)
    assert np.all(np.isfinite(found))


def test_kept_statistics_give_the_bytes_of_the_painting(tmp_path):
    content, style, weights = picture(0), picture(1, 70, 90), NETWORKS["weights"]
    path = tmp_path / "style.safetensors"
    write_style(path, style_statistics(style, weights=weights), encoder=weights.sha256)
    kept = read_style(path, encoder=weights.sha256)
    np.testing.assert_array_equal(run(content, [kept]), run(content, [style]))
    with pytest.raises(InputError, match="statistics of the encoder with sha256"):
        read_style(path, encoder="b" * 64)


def test_textures_have_any_size_and_a_seed():
    given = {"height": 40, "width": 70, "passes": 2, **NETWORKS}
    first = synthesize_texture([picture(1)], seed=1, **given)
    assert first.shape == (40, 70, 3)
    np.testing.assert_array_equal(first, synthesize_texture([picture(1)], seed=1, **given))
    assert np.abs(first - synthesize_texture([picture(1)], seed=2, **given)).max() > 1e-2


def test_alphas_map_and_blends_differentiate():
    weights, decoders = NETWORKS["weights"], NETWORKS["decoders"]
    content = jnp.asarray(picture(0))
    each = [style_statistics(picture(seed), weights=weights) for seed in (1, 2)]
    styles = jax.tree.map(lambda *parts: jnp.stack(parts), *each)
    regions = {level: jnp.ones((1, 64, 64)) for level in LEVEL_NAMES}
    strides = dict(zip(LEVEL_NAMES, (8, 4, 2, 1), strict=True))
    regions = {level: regions[level][:, ::stride, ::stride] for level, stride in strides.items()}
    nets = Networks(weights.variables, decoders.parameters, decoders.deviations)
    # As arguments: what does not depend on any XLA would work out while it compiles.
    given = nets, content, styles

    def result(alpha, blend, nets, content, styles):
        shares: dict[str, Any] = dict.fromkeys(LEVEL_NAMES, blend[:, None, None])
        controls = Controls(
            alpha * jnp.ones(4), shares, regions, blend, jnp.asarray(1e-3), 1.0 - alpha
        )
        # Without the deepest level: it takes long to compile and differs in its size alone.
        return restyled(nets, content, styles, controls, Structure(levels=LEVEL_NAMES[1:]))

    blends = jnp.asarray([[1.0, 0.0], [0.5, 0.5]])
    lanes = jax.vmap(result, (0, 0, None, None, None))
    found = jax.jit(lanes)(jnp.asarray([0.0, 0.5]), blends, *given)
    np.testing.assert_allclose(found[0], content, atol=1e-5)
    wanted = run(np.asarray(content), each, alpha=0.5, level_alphas=(0.0, 1.0, 1.0, 1.0))
    np.testing.assert_allclose(found[1], wanted, atol=1e-3)
    gradient = jax.jit(jax.grad(lambda *each: jnp.sum(result(*each)), (0, 1)))
    for leaf in jax.tree.leaves(gradient(0.5, blends[1], *given)):
        assert np.all(np.isfinite(leaf))
        assert np.any(leaf != 0.0)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"alpha": 1.1}, "--alpha is 1.1: give 0 to 1"),
        ({"alpha": float("nan")}, "--alpha is nan: give a finite number, 0 to 1"),
        ({"ridge": 0.0}, "--ridge is 0.0: give 1e-06 to 1"),
        ({"level_alphas": (1.0,)}, "--level-alphas has 1 numbers for 4 levels"),
        ({"level_alphas": (1.0, 1.0, 1.0, 2.0)}, "--level-alphas is 2.0: give 0 to 1"),
        ({"style_blend": (1.0, 2.0)}, "--style-blend has 2 numbers for 1 style pictures: give 1"),
        ({"style_blend": (0.0,)}, "--style-blend is 0 throughout"),
    ],
)
def test_options_out_of_range_are_refused(given, message):
    with pytest.raises(InputError, match=message):
        run(picture(0), [picture(1)], **given)


def test_no_style_other_encoders_and_wrong_masks_are_refused():
    content, style = picture(0), picture(1)
    with pytest.raises(InputError, match="no style"):
        run(content, [])
    other = {**NETWORKS, "decoders": replace_encoder()}
    with pytest.raises(InputError, match="the decoders rest on the encoder with sha256 aaaa"):
        universal_transfer(content, [style], **other)
    whole = np.ones((64, 64), np.float32)
    with pytest.raises(InputError, match="2 masks for 1 style pictures"):
        run(content, [style], masks=Masks((whole, whole)))
    with pytest.raises(InputError, match="barycenter: with masks"):
        run(content, [style], masks=Masks((whole,)), style_mixture="barycenter")
    kept = style_statistics(style, weights=NETWORKS["weights"])
    with pytest.raises(InputError, match="kept statistics have no regions"):
        run(content, [kept], masks=Masks((whole,), (whole,)))


def replace_encoder():
    return NETWORKS["decoders"]._replace(encoder="a" * 64)


def test_options_are_frozen():
    options = UniversalOptions()
    with pytest.raises(AttributeError):
        options.alpha = 0.5  # type: ignore[misc]
    assert replace(options, alpha=0.5).alpha == 0.5
