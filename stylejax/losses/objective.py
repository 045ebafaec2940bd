"""The objective: content, style, total variation and further terms of one picture, in one sum.

`Objective` holds structure only (which layers, which functions); everything with a number in it is
an argument: `loss(image, variables, targets, weights)`. So a new target, a changed weight or
another placement recompiles nothing, and `jax.vmap` and `jax.grad` have arguments to name.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from stylejax.images.masks import Masks, as_masks
from stylejax.images.pictures import PictureLike, PicturesLike, as_picture, as_pictures
from stylejax.losses._named import FORMS, STYLE_LOSSES, loss_kernels, named_or_given
from stylejax.losses._reader import Beside, Reader, Seen, make_reader
from stylejax.losses._units import Units
from stylejax.losses.content import ContentDistance, check_sum_over_positions, content_loss
from stylejax.losses.forms import Form, style_term
from stylejax.losses.gram import GramMatrix
from stylejax.losses.moments import Moments, StyleDistance, layer_moments
from stylejax.losses.targets import Call, Regions, Targets, Term, as_term, just_call
from stylejax.losses.variation import Regularizer
from stylejax.losses.weights import LossTerms, LossWeights, Number, sum_of_terms
from stylejax.networks.layers import AnyNetwork
from stylejax.options import Kernels, LossOptions, Pooling, Precision
from stylejax.types import Features, Image, OtherImage, Scalar, Variables

# So that a call of the library and the command line mean the same.
_DEFAULTS = LossOptions()


@dataclass(frozen=True)
class Objective:
    """The loss of equation 7 in Gatys et al. (2015), plus total variation and further terms.

    Attributes:
        reader: the network, giving at least the layers below.
        content_layers: where content is compared (equation 1).
        style_layers: where moments are compared (equations 3 to 5).
        content_loss: of a feature map and that of the content picture.
        style_loss: of a layer's moments and those of the style.
        regularizer: of the picture; its weight is `tv_weight`.
        form: what a layer's losses are divided by.
        gram_matrix: its textbook form or a tuned one.
        terms: further terms by their names.
    """

    reader: Reader
    content_layers: tuple[str, ...]
    style_layers: tuple[str, ...]
    content_loss: ContentDistance
    style_loss: StyleDistance
    regularizer: Regularizer
    form: Form
    gram_matrix: GramMatrix
    terms: tuple[tuple[str, Term], ...] = ()

    def weights(
        self,
        *,
        content_weight: Number = _DEFAULTS.content_weight,
        style_weight: Number = _DEFAULTS.style_weight,
        tv_weight: Number = _DEFAULTS.tv_weight,
        term_weights: Mapping[str, Number] | None = None,
        styles: int = 1,
        **others: Number | Mapping[str, Number],
    ) -> LossWeights:
        """Weights that treat all layers of a kind, and all of `styles` style pictures, alike.

        Further terms weigh 1 unless `term_weights` says otherwise. `others` are other fields of
        `LossWeights`, or former names.
        """
        alike = lambda layers: {name: jnp.float32(1.0 / len(layers)) for name in layers}
        weights = LossWeights(
            content_weight=content_weight,
            style_weight=style_weight,
            tv_weight=tv_weight,
            content_layer_weights=alike(self.content_layers),
            style_layer_weights=alike(self.style_layers),
            style_blend=jnp.full(styles, 1.0 / styles, jnp.float32),
            term_weights={name: 1.0 for name, _ in self.terms} | dict(term_weights or {}),
        )
        return weights._replace(**others)

    def targets(
        self,
        variables: Variables,
        content: PictureLike,
        styles: PicturesLike,
        masks: Masks | None = None,
        call: Call = just_call,
    ) -> Targets:
        """Compute the targets from a content picture and style pictures of any sizes.

        `call` calls a jitted function, one for each size of picture and one for all together.

        Raises:
            InputError: what is no picture, no style picture, or masks that do not fit them.
        """
        content, styles = as_picture(content, "content"), as_pictures(styles, "styles")
        regions, of_styles = None, [{} for _ in styles]
        masks = as_masks(masks, content.shape, [each.shape for each in styles])
        if masks is not None:
            carried = partial(self.reader.carried_masks, self.style_layers, variables)
            areas = jnp.asarray([mask.mean() for mask in masks.content], jnp.float32)
            regions = Regions(carried(content, masks.content), areas)
            if masks.styles:
                of_styles = list(map(carried, styles, [[mask] for mask in masks.styles]))
        see, join = self._targets_programs
        of_content = call(see, variables, content, regions.weights if regions else {})
        seen = [call(see, variables, *each) for each in zip(styles, of_styles, strict=True)]
        maps = {name: of_content.maps[name] for name in self.content_layers}
        moments = of_content.moments, tuple(each.moments for each in seen)
        style, content_units, style_units = call(join, content, maps, *moments)

        def of_term(term: Term) -> PyTree:
            pictures = zip((content, *styles), (of_content, *seen), strict=True)
            first, *rest = (term.view(picture, each.maps) for picture, each in pictures)
            return term.target(first, rest)

        return Targets(
            maps,
            content_units,
            style,
            style_units,
            of_content.moments,
            regions,
            {name: of_term(term) for name, term in self.terms},
        )

    def __call__(
        self, image: PictureLike, variables: Variables, targets: Targets, weights: LossWeights
    ) -> tuple[Scalar, LossTerms]:
        """The loss of a picture and its terms (for `jax.value_and_grad(..., has_aux=True)`).

        Floats may be beyond [0, 1], where a solver can be.
        """
        image = as_picture(image, "image", bounded=False)
        regions = targets.regions.weights if targets.regions else {}
        seen = self._see(variables, image, regions, targets.content, self._layers_of_terms)
        content, style, further = {}, {}, {}
        for name in self.content_layers:
            weight = weights.content_weight * weights.content_layer_weights[name]
            content[name] = weight * (seen.distances[name] / targets.content_units[name])
        for name in self.style_layers:
            weight = weights.style_weight * weights.style_layer_weights[name]
            ours = seen.moments[name]
            style[name] = weight * self._style_term(name, ours, targets, weights, image)
        for name, term in self.terms:
            value = term.value(term.view(image, seen.maps), targets.terms[name])
            further[name] = weights.term_weights[name] * value
        terms = LossTerms(
            content=sum_of_terms(content),
            style=sum_of_terms(style),
            total_variation=weights.tv_weight * self.regularizer(image),
            content_layers=content,
            style_layers=style,
            terms=further,
        )
        loss = terms.content + terms.style + terms.total_variation
        return loss + sum_of_terms(further) if further else loss, terms

    @cached_property
    def _targets_programs(self) -> tuple[jax.stages.Wrapped, jax.stages.Wrapped]:
        """`_see` and `Units.join` for targets, made once: each size of picture is traced once."""
        see = partial(self._see, content={}, keep=(*self.content_layers, *self._layers_of_terms))
        return jax.jit(see), jax.jit(self._units.join)

    @property
    def _units(self) -> Units:
        return Units(self.reader, self.form, self.content_loss, self.style_loss)

    @property
    def _layers_of_terms(self) -> tuple[str, ...]:
        return tuple(name for _, term in self.terms for name in term.layers)

    def _see(
        self,
        variables: Variables,
        image: OtherImage,
        regions: Beside,
        content: Features,
        keep: tuple[str, ...],
    ) -> Seen:
        """Content losses where there is a target, moments, and the maps of the layers to keep."""

        def look(features, beside, shares):
            regions, content = beside
            distances = {
                name: self.content_loss(features[name], target) for name, target in content.items()
            }
            seen = {name: features[name] for name in self.style_layers}
            moments = layer_moments(seen, regions, shares, gram_matrix=self.gram_matrix)
            return (distances, moments), {name: features[name] for name in keep}

        (distances, moments), maps = self.reader.look(look, variables, image, regions, content)
        return Seen(distances, moments, maps)

    def _style_term(
        self, name: str, ours: Moments, targets: Targets, weights: LossWeights, image: Image
    ) -> Scalar:
        """A layer's style loss in its units, of a blend of styles or of all regions."""
        term = partial(style_term, self.style_loss)
        style, blend, units = targets.style[name], weights.style_blend, targets.style_units
        if targets.regions is not None and units is not None:
            each = jax.vmap(term)(ours, style, units[name])
            return jnp.sum(len(blend) * blend * targets.regions.areas * each)
        target = jax.tree.map(lambda each: jnp.tensordot(blend, each, axes=1), style)
        content = targets.content_moments[name]
        # That of a blend, which is a weight, does not depend on the picture: XLA computes it
        # outside of the solver's loop (tests/transfer/test_blended_units.py).
        unit = units[name][0] if units else self._units.of_style(name, image, content, target)
        return term(ours, target, unit)


def make_objective(
    network: AnyNetwork,
    content_layers: Sequence[str],
    style_layers: Sequence[str],
    *,
    pooling: Pooling = _DEFAULTS.pooling,
    precision: Precision = _DEFAULTS.precision,
    content_loss: ContentDistance = content_loss,
    style_loss: str | StyleDistance = _DEFAULTS.style_loss,
    loss_form: str | Form = _DEFAULTS.loss_form,
    tv_form: str | Regularizer = _DEFAULTS.tv_form,
    terms: Mapping[str, Term | Regularizer] | None = None,
    strip_rows: int = _DEFAULTS.strip_rows,
    kernels: Kernels | None = None,
) -> Objective:
    """The objective on a network; its defaults are the command line's.

    Args:
        network: what `read_weights` returns, or a `Network` of one's own.
        content_layers: where content is compared, in any naming scheme.
        style_layers: where style is compared.
        pooling: of the network, `max` or `average`.
        precision: of the network's interior, `float32` or `bfloat16`.
        content_loss: of a feature map and its target.
        style_loss: `gram`, `covariance`, `wasserstein`, or a function of a layer's `Moments` and
            their target, to one number or to a tuple of parts.
        loss_form: `relative`, `paper`, `mean`, `sum`, or a `Form` (`stylejax.losses.forms`).
        tv_form: `power`, `plain`, `power-sum`, `squared-sum`, or a function of the picture.
        terms: further terms by name: functions of the picture, or `Term`s, which see feature maps
            and have targets.
        strip_rows: where it is not 0, pictures of more rows (and two halos) than that go through
            the network strip by strip (`stylejax.losses.strips`).
        kernels: `fast` or `plain` forms of the functions that have both. The plain ones can be
            differentiated in forward mode too.

    Raises:
        InputError: no content or style layer, an unknown or repeated one, an unknown name, or a
            content loss that cannot be added up over strips.
    """
    made = {name: as_term(term) for name, term in (terms or {}).items()}
    asked = {"content": content_layers, "style": style_layers}
    asked |= {f"{name} (a term)": term.layers for name, term in made.items() if term.layers}
    tuned = loss_kernels(kernels)
    reader = make_reader(
        network, asked, pooling=pooling, precision=precision, kernels=kernels, strip_rows=strip_rows
    )
    if strip_rows:
        check_sum_over_positions(content_loss, reader.channels(content_layers))
    return Objective(
        reader,
        tuple(content_layers),
        tuple(style_layers),
        content_loss,
        named_or_given("style_loss", style_loss, STYLE_LOSSES),
        named_or_given("tv_form", tv_form, tuned.total_variations),
        named_or_given("loss_form", loss_form, FORMS),
        tuned.gram_matrix,
        tuple(made.items()),
    )
