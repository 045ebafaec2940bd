"""The objective: content, style and total variation of one picture, weighted and summed.

`Objective` holds structure only (which layers, which form); everything with a number in it is an
argument: `loss(image, variables, targets, weights)`. So a new target, a changed weight or another
placement compiles nothing anew, and `jax.vmap` and `jax.grad` have arguments to name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.errors import InputError
from stylejax.images.masks import Mask, Masks, check_masks, layer_masks
from stylejax.losses.strips import (
    Cut,
    Strip,
    Strips,
    join_strips,
    layer_strips,
    list_strips,
    scan_strips,
)
from stylejax.losses.terms import (
    FORMS,
    STYLE_LOSSES,
    TOTAL_VARIATIONS,
    Moments,
    Sizes,
    content_loss,
    content_spread,
    feature_moments,
)
from stylejax.networks.features import FeatureExtractor, feature_extractor
from stylejax.networks.layers import Layer, canonical_layer, canonical_layers, layer_table
from stylejax.options import (
    LossForm,
    LossOptions,
    Pooling,
    Precision,
    StyleLoss,
    TotalVariationForm,
)
from stylejax.types import FeatureMap, Features, Image, OtherImage, Scalar, Variables
from stylejax.weights.read import Weights

Number = float | Float[Array, "..."]

_DEFAULTS = LossOptions()

# Below this share of the style's own Gram energy, content and style count as the same texture: the
# relative form divides by no less, so a picture styled by itself gives 0 and not 0 / 0.
_SMALLEST_REFERENCE = 1e-4


def _positive(unit: Float[Array, "*parts"]) -> Float[Array, "*parts"]:
    """The unit, or 1 where it is 0: the features are all 0 there, and no share of them is known."""
    return jnp.where(unit > 0.0, unit, 1.0)


def _sizes(stride: int, channels: int, image: OtherImage) -> Sizes:
    height, width = image.shape[:2]
    return Sizes(channels, -(-height // stride) * -(-width // stride), height * width)


class LossWeights(NamedTuple):
    """Every weight of the loss: a pytree of numbers, to be traced, swept and differentiated.

    `content`, `style` and `total_variation` weigh the three terms. The layers' weights multiply
    each layer's term; `style_blend` mixes the Gram matrices of several style pictures. Those three
    conventionally sum to 1 each; `Objective.weights` makes them so.
    """

    content: Number
    style: Number
    total_variation: Number
    content_layers: Mapping[str, Number]
    style_layers: Mapping[str, Number]
    style_blend: Float[Array, " styles"]


class Regions(NamedTuple):
    """Regions of the picture, each with a style of its own.

    `weights` are those of the positions of each style layer's feature map, with a sum of 1 for each
    region; `areas` the regions' shares of the picture.
    """

    weights: Mapping[str, Float[Array, "regions _ _"]]
    areas: Float[Array, " regions"]


class Targets(NamedTuple):
    """What a picture is compared with; computed once for a pair of pictures.

    `content` holds the content picture's feature maps, `style` the moments of the style pictures'
    feature maps with a leading axis of pictures, `content_moments` those of the content picture at
    the style layers, from which the relative form takes its unit (with a leading axis of regions
    where there are `regions`: region n is compared with style picture n).
    """

    content: Mapping[str, FeatureMap]
    style: Mapping[str, Moments]
    content_moments: Mapping[str, Moments]
    regions: Regions | None = None


class _Statistics(NamedTuple):
    """All that the loss asks of the network: content distances and the style layers' moments."""

    distances: Mapping[str, Scalar]
    moments: Mapping[str, Moments]


class LossTerms(NamedTuple):
    """The loss taken apart: `content` + `style` + `total_variation` is the loss.

    The layers' entries add up to `content` and `style`; all weights are multiplied in.
    """

    content: Scalar
    style: Scalar
    total_variation: Scalar
    content_layers: Mapping[str, Scalar]
    style_layers: Mapping[str, Scalar]


@dataclass(frozen=True)
class Objective:
    """The loss of equation 7 in Gatys et al. (2015), plus total variation.

    Attributes:
        extract: the network, giving at least the layers below.
        content_layers: where content is compared (equation 1).
        style_layers: where Gram matrices are compared (equations 3 to 5).
        geometry: each layer's name, and its stride and receptive field.
        form: `paper` leaves each layer's term as in the paper. `relative` divides a content
            term by the variance of the content's feature maps and a style term by its value at the
            content picture, so that a weight means the same for every pair and every size. `mean`
            and `sum` are ways of published programs (`losses.FORMS`).
        total_variation_form: which total variation (`losses.TOTAL_VARIATIONS`).
        style_loss: what is compared at the style layers (`losses.STYLE_LOSSES`).
        strips: what large pictures are cut into, so that the network sees a part at a time.
    """

    extract: FeatureExtractor
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    geometry: tuple[tuple[str, Layer], ...]
    form: LossForm = "relative"
    total_variation_form: TotalVariationForm = "power"
    style_loss: StyleLoss = "gram"
    strips: Strips = Strips()

    def weights(
        self,
        *,
        content: Number = _DEFAULTS.content_weight,
        style: Number = _DEFAULTS.style_weight,
        total_variation: Number = _DEFAULTS.tv_weight,
        styles: int = 1,
    ) -> LossWeights:
        """Weights that treat all layers of a kind, and all of `styles` style pictures, alike."""
        alike = lambda layers: {name: jnp.float32(1.0 / len(layers)) for name in layers}
        return LossWeights(
            content=content,
            style=style,
            total_variation=total_variation,
            content_layers=alike(self.content_layers),
            style_layers=alike(self.style_layers),
            style_blend=jnp.full(styles, 1.0 / styles, jnp.float32),
        )

    def targets(
        self,
        variables: Variables,
        content: Image,
        styles: Sequence[OtherImage],
        masks: Masks | None = None,
        compiler_options: dict[str, Any] | None = None,
    ) -> Targets:
        """Compute the targets from a content picture and style pictures of any sizes.

        `compiler_options` are for XLA; JAX takes some only where nothing around this is traced.

        Raises:
            InputError: no style picture, or masks that do not fit them.
        """
        if not styles:
            raise InputError("no style picture: give at least one")

        features_and_moments = jax.jit(
            self._features_and_moments, compiler_options=compiler_options
        )
        of_styles: list[Any] = [None] * len(styles)
        regions = None
        if masks is not None:
            check_masks(masks, len(styles))
            areas = jnp.asarray([mask.mean() for mask in masks.content], jnp.float32)
            regions = Regions(self._carried(variables, content, masks.content), areas)
            for index, mask in enumerate(masks.styles):
                of_styles[index] = self._carried(variables, styles[index], [mask])
        of_content = None if regions is None else regions.weights
        features, content_moments = features_and_moments(variables, content, of_content)
        moments = [
            features_and_moments(variables, style, weights)[1]
            for style, weights in zip(styles, of_styles, strict=True)
        ]
        # The moments of a masked style picture have an axis of one region already.
        join = jnp.concatenate if masks is not None and masks.styles else jnp.stack
        style = jax.tree.map(lambda *each: join(each), *moments)
        return Targets(features, style, content_moments, regions)

    def _features_and_moments(
        self, variables: Variables, image: OtherImage, weights: Any
    ) -> tuple[dict[str, FeatureMap], dict[str, Moments]]:
        """Feature maps at the content layers, and the moments of the style layers."""
        if self.strips.count(image.shape[0]) > 1:
            return self._assembled(variables, image, weights)
        features = self.extract(variables, image)
        kept = {name: features[name] for name in self.content_layers}
        return kept, self._moments(features, weights)

    def _carried(
        self, variables: Variables, image: OtherImage, masks: Sequence[Mask]
    ) -> dict[str, Array]:
        """The masks of a picture, carried to each style layer."""
        shapes = jax.eval_shape(self.extract, variables, image)
        fields = {name: layer.receptive_field for name, layer in self.geometry}
        return {
            name: jnp.asarray(layer_masks(masks, fields[name], *shapes[name].shape[:2]))
            for name in self.style_layers
        }

    def __call__(
        self, image: Image, variables: Variables, targets: Targets, weights: LossWeights
    ) -> tuple[Scalar, LossTerms]:
        """The loss of a picture and its terms (for `jax.value_and_grad(..., has_aux=True)`)."""
        statistics = self._statistics(image, variables, targets)
        content = {
            name: weights.content * weights.content_layers[name] * term
            for name, term in self._content_terms(statistics.distances, targets, image).items()
        }
        style = {
            name: weights.style * weights.style_layers[name] * term
            for name, term in self._style_terms(
                statistics.moments, targets, image, weights.style_blend
            ).items()
        }
        variation = TOTAL_VARIATIONS[self.total_variation_form]
        terms = LossTerms(
            content=jnp.sum(jnp.stack(list(content.values()))),
            style=jnp.sum(jnp.stack(list(style.values()))),
            total_variation=weights.total_variation * variation(image),
            content_layers=content,
            style_layers=style,
        )
        return terms.content + terms.style + terms.total_variation, terms

    def _moments(self, features: Features, weights: Any = None) -> dict[str, Moments]:
        """Moments of the style layers; of several regions where `weights` has such."""
        if weights is None:
            return {name: feature_moments(features[name]) for name in self.style_layers}
        of_regions = jax.vmap(feature_moments, (None, 0))
        return {name: of_regions(features[name], weights[name]) for name in self.style_layers}

    def _statistics(self, image: Image, variables: Variables, targets: Targets) -> _Statistics:
        """What the loss compares, of the whole picture or summed over its strips."""
        regions = None if targets.regions is None else targets.regions.weights

        def of_strip(strip: Strip) -> tuple[_Statistics, tuple[()]]:
            features, moments = self._of_strip(variables, image, regions, strip)
            distances = {}
            for name in self.content_layers:
                own = strip.own_rows(targets.content[name], self._cut(name, image))
                distances[name] = content_loss(features[name], own)
            return _Statistics(distances, moments), ()

        if self.strips.count(image.shape[0]) > 1:
            return scan_strips(of_strip, list_strips(self.strips, image.shape[0]))[0]
        features = self.extract(variables, image)
        distances = {
            name: content_loss(features[name], targets.content[name])
            for name in self.content_layers
        }
        return _Statistics(distances, self._moments(features, regions))

    def _cut(self, name: str, image: OtherImage) -> Cut:
        """Rows of a layer's map: of the whole picture, and of a strip's cut."""
        return self.strips.cut(image.shape[0], dict(self.geometry)[name].stride)

    def _of_strip(
        self, variables: Variables, image: OtherImage, weights: Any, strip: Strip
    ) -> tuple[dict[str, FeatureMap], dict[str, Moments]]:
        """Feature maps of a strip's cut, 0 outside of its own rows, and its part of the moments."""
        maps = self.extract(variables, strip.cut(image, self.strips.cut(image.shape[0], 1)))
        cuts = {name: self._cut(name, image) for name in maps}
        features = {name: strip.own(maps[name], cuts[name]) for name in maps}
        if weights is not None:
            cut = lambda name: jax.vmap(lambda each: strip.cut(each, cuts[name]))(weights[name])
            return features, self._moments(features, {name: cut(name) for name in weights})
        # Moments are means: those of a cut are scaled to the whole picture's positions.
        moments = self._moments(features)
        for name, (mean, gram) in moments.items():
            share = cuts[name].rows / cuts[name].height
            moments[name] = Moments(share * mean, share * gram)
        return features, moments

    def _assembled(
        self, variables: Variables, image: OtherImage, weights: Any
    ) -> tuple[dict[str, FeatureMap], dict[str, Moments]]:
        """A picture's feature maps at the content layers, and its moments, strip by strip."""

        def of_strip(strip: Strip) -> tuple[dict[str, Moments], dict[str, Array]]:
            features, moments = self._of_strip(variables, image, weights, strip)
            return moments, {name: features[name] for name in self.content_layers}

        each = list_strips(self.strips, image.shape[0])
        moments, cuts = scan_strips(of_strip, each)
        return {
            name: join_strips(each, maps, self._cut(name, image)) for name, maps in cuts.items()
        }, (moments)

    def _content_terms(
        self, distances: Mapping[str, Scalar], targets: Targets, image: Image
    ) -> dict[str, Scalar]:
        terms: dict[str, Scalar] = {}
        for name, distance in distances.items():
            target = targets.content[name]
            unit = 1.0
            if self.form == "relative":
                # A blank content picture has no variance: its own energy is the unit then.
                floor = _SMALLEST_REFERENCE * content_loss(jnp.zeros_like(target), target)
                unit = _positive(jnp.maximum(content_spread(target), floor))
            sizes = _sizes(dict(self.geometry)[name].stride, target.shape[-1], image)
            factor = FORMS[self.form].content(sizes)
            terms[name] = factor * distance / unit
        return terms

    def _style_terms(
        self,
        moments: Mapping[str, Moments],
        targets: Targets,
        image: Image,
        blend: Float[Array, " styles"],
    ) -> dict[str, Scalar]:
        terms: dict[str, Scalar] = {}
        regions = targets.regions
        for name, ours in moments.items():
            style, content = targets.style[name], targets.content_moments[name]
            if regions is None:
                mixed = lambda each: jnp.tensordot(blend, each, axes=1)
                term = self._style_distance(ours, jax.tree.map(mixed, style), content)
            else:
                each = jax.vmap(self._style_distance)(ours, style, content)
                term = jnp.sum(len(blend) * blend * regions.areas * each)
            sizes = _sizes(dict(self.geometry)[name].stride, ours.mean.shape[-1], image)
            terms[name] = FORMS[self.form].style(sizes) * term
        return terms

    def _style_distance(self, moments: Moments, target: Moments, content: Moments) -> Scalar:
        """The style loss of a layer, in units of the content's own in the relative form."""
        losses = STYLE_LOSSES[self.style_loss]
        parts = jnp.stack(losses(moments, target))
        if self.form == "relative":
            nothing = losses(jax.tree.map(jnp.zeros_like, target), target)
            # Of all parts together: where a flat style has no covariance, its part is rounding.
            floor = _SMALLEST_REFERENCE * sum(nothing)
            unit = jnp.maximum(jnp.stack(losses(content, target)), floor)
            parts = parts / _positive(unit) / len(parts)
        return jnp.sum(parts)


def make_objective(
    weights: Weights,
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    *,
    pooling: Pooling = "max",
    precision: Precision = "float32",
    form: LossForm = "relative",
    total_variation_form: TotalVariationForm = "power",
    style_loss: StyleLoss = "gram",
    strip_rows: int = 0,
) -> Objective:
    """The objective on the network of a weight file.

    `strip_rows`, where it is not 0, has pictures of more rows (and two halos) than that go through
    the network strip by strip (`stylejax.losses.strips`).

    Raises:
        InputError: no content or style layer, or an unknown or repeated one.
    """
    for kind, layers in (("content", content_layers), ("style", style_layers)):
        if not layers:
            raise InputError(f"no {kind} layer: name at least one (a weight of 0 turns it off)")
        canonical_layers(layers, weights.architecture)
    # A layer may serve as content and as style, under two of its names.
    canonical = {
        name: canonical_layer(name, weights.architecture)
        for name in (*content_layers, *style_layers)
    }
    table = layer_table(weights.architecture)
    extract = feature_extractor(
        tuple(dict.fromkeys(canonical.values())),
        architecture=weights.architecture,
        epsilon=weights.epsilon,
        pooling=pooling,
        precision=precision,
    )

    def by_given_name(variables: Variables, image: OtherImage) -> Features:
        features = extract(variables, image)
        return {name: features[layer] for name, layer in canonical.items()}

    geometry = {name: table[layer] for name, layer in canonical.items()}
    return Objective(
        by_given_name,
        tuple(content_layers),
        tuple(style_layers),
        tuple(geometry.items()),
        form,
        total_variation_form,
        style_loss,
        layer_strips(strip_rows, geometry.values()),
    )
