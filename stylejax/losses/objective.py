"""The objective: content, style, total variation and further terms of one picture, in one sum.

`Objective` holds structure only (which layers, which functions); everything with a number in it is
an argument: `loss(image, variables, targets, weights)`. So a new target, a changed weight or
another placement recompiles nothing, and `jax.vmap` and `jax.grad` have arguments to name.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial

import jax
import jax.numpy as jnp
from jaxtyping import PyTree

from stylejax.images.masks import Mask, Masks, as_mask, as_masks
from stylejax.images.pictures import PictureLike, PicturesLike, as_picture, as_pictures
from stylejax.losses._look import Against, look_at_layers
from stylejax.losses._named import FORMS, STYLE_LOSSES, loss_kernels, named_or_given
from stylejax.losses._reader import Beside, Reader, Seen, make_reader
from stylejax.losses._regions import carried_regions
from stylejax.losses._units import Units
from stylejax.losses.content import ContentDistance, check_sum_over_positions, content_loss
from stylejax.losses.forms import Form
from stylejax.losses.gram import GramMatrix
from stylejax.losses.moments import StyleDistance
from stylejax.losses.placement import (
    compared_with,
    energy_mismatch,
    find_placement,
    matched_layers,
    mean_mismatch,
)
from stylejax.losses.targets import Call, Targets, Term, View, as_term, just_call
from stylejax.losses.variation import Regularizer
from stylejax.losses.weights import LossTerms, LossWeights, Number, sum_of_terms
from stylejax.networks.layers import AnyNetwork
from stylejax.options import Kernels, LossOptions, Pooling, Precision
from stylejax.types import OtherImage, Scalar, Variables

# So that a call of the library and the command line mean the same.
_DEFAULTS = LossOptions()
_NOTHING = Against()


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

        Further terms weigh 1 unless `term_weights` says so. `others` are fields of `LossWeights`.
        """
        alike = lambda layers: {name: jnp.float32(1.0 / len(layers)) for name in layers}
        return LossWeights(
            content_weight=content_weight,
            style_weight=style_weight,
            tv_weight=tv_weight,
            content_layer_weights=alike(self.content_layers),
            style_layer_weights=alike(self.style_layers),
            style_blend=jnp.full(styles, 1.0 / styles, jnp.float32),
            term_weights={name: 1.0 for name, _ in self.terms} | dict(term_weights or {}),
        )._replace(**others)

    def targets(
        self,
        variables: Variables,
        content: PictureLike,
        styles: PicturesLike,
        masks: Masks | None = None,
        call: Call = just_call,
        *,
        placement: bool = False,
        keep: Mask | None = None,
    ) -> Targets:
        """Compute the targets from a content picture and style pictures of any sizes.

        `call` calls a jitted function, one for each size of picture and one for all together.
        With `placement` positions are matched, for weights that ask for it; `keep` masks the
        content picture where it counts more.

        Raises:
            InputError: what is no picture, no style picture, or masks that do not fit them.
        """
        content, styles = as_picture(content, "content"), as_pictures(styles, "styles")
        masks = as_masks(masks, content.shape, [each.shape for each in styles])
        keep = None if keep is None else as_mask(keep, "keep", content.shape)
        solved = self.reader.of_solved
        carried = partial(solved.carried_masks, self.style_layers, variables)
        of_style = partial(self.reader.carried_masks, self.style_layers, variables)
        regions, of_styles = carried_regions(carried, of_style, content, styles, masks)
        matched = self._matched_layers if placement else ()
        kept = (*self.content_layers, *self._kept, *matched)
        see, join = self._targets_programs(kept)
        of_content = call(see, variables, content, regions.weights if regions else {})
        seen = [call(see, variables, *each) for each in zip(styles, of_styles, strict=True)]
        maps = {name: of_content.maps[name] for name in self.content_layers}
        moments = of_content.moments, tuple(each.moments for each in seen)
        style, content_units, style_units = call(join, content, maps, *moments)

        view, *views = map(View, (content, *styles), (each.maps for each in (of_content, *seen)))

        def of_term(term: Term) -> PyTree:
            first, *rest = (term.view(*each) for each in (view, *views))
            return term.target(first, rest)

        return Targets(
            maps,
            content_units,
            style,
            style_units,
            of_content.moments,
            regions,
            {name: of_term(term) for name, term in self.terms},
            find_placement(matched, view, views, of_styles, regions, call),
            keep if keep is None else solved.carried_keep(self.content_layers, content, keep),
        )

    def __call__(
        self, image: PictureLike, variables: Variables, targets: Targets, weights: LossWeights
    ) -> tuple[Scalar, LossTerms]:
        """The loss of a picture, which may go beyond [0, 1], and its terms (`has_aux=True`)."""
        image = as_picture(image, "image", bounded=False)
        regions = targets.regions.weights if targets.regions else {}
        against = compared_with(targets, weights)
        solving = replace(self, reader=self.reader.of_solved)
        seen = solving._see(variables, image, regions, against, kept=self._kept)
        content, style, further = {}, {}, {}
        for name in self.content_layers:
            weight = weights.content_weight * weights.content_layer_weights[name]
            content[name] = weight * (seen.distances[name] / targets.content_units[name])
        for name in self.style_layers:
            weight = weights.style_weight * weights.style_layer_weights[name]
            ours = seen.moments[name]
            style[name] = weight * self._units.style_term(name, ours, targets, weights, image)
        for name, term in self.terms:
            value = term.value(term.view(image, seen.maps), targets.terms[name])
            further[name] = weights.term_weights[name] * value
        if seen.matched and weights.placement_weight is not None:
            mismatch = mean_mismatch(seen.matched, self.reader.grids(image))
            further["matched"] = weights.placement_weight * mismatch
        if targets.placement is not None and weights.energy_weight is not None:
            mismatch = energy_mismatch(image, targets, weights.style_blend)
            further["local_energy"] = weights.energy_weight * mismatch
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
    def _targets_programs(
        self,
    ) -> Callable[[tuple[str, ...]], tuple[jax.stages.Wrapped, jax.stages.Wrapped]]:
        """`_see` and `Units.join` for targets, made once: each size of picture is traced once."""
        join = jax.jit(self._units.join)

        def programs(kept: tuple[str, ...]) -> tuple[jax.stages.Wrapped, jax.stages.Wrapped]:
            def see(variables: Variables, image: OtherImage, regions: Beside) -> Seen:
                return self._see(variables, image, regions, kept=kept)

            # A program is known by its name: what it keeps belongs to it.
            see.__name__ = "_".join(("see", *kept))
            return jax.jit(see), join

        return cache(programs)

    @property
    def _kept(self) -> tuple[str, ...]:
        return tuple(name for _, term in self.terms for name in term.layers)

    def _see(
        self,
        variables: Variables,
        image: OtherImage,
        regions: Beside,
        against: Against = _NOTHING,
        *,
        kept: tuple[str, ...] = (),
    ) -> Seen:
        """Distances from what is given, moments, and the maps that are to be kept."""
        functions = (self.content_loss, self.gram_matrix)
        look = partial(look_at_layers, functions, self.style_layers, against.aims, kept)
        beside = (regions, against.content, against.emphasis, against.directions)
        (distances, moments, matched), maps = self.reader.look(look, variables, image, *beside)
        return Seen(distances, moments, matched, maps)

    @property
    def _matched_layers(self) -> tuple[str, ...]:
        table = dict(self.reader.layers)
        return matched_layers({name: table[name] for name in self.style_layers})

    @property
    def _units(self) -> Units:
        return Units(self.reader, self.form, self.content_loss, self.style_loss)


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
    seamless: bool = _DEFAULTS.seamless,
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
        terms: further terms by name: functions of the picture, or `Term`s of feature maps.
        strip_rows: where it is not 0, pictures of more rows (and two halos) than that go through
            the network strip by strip (`stylejax.losses.strips`).
        kernels: `fast` or `plain` forms; the plain ones are differentiable in forward mode too.
        seamless: whether the picture tiles (its content and styles need not).

    Raises:
        InputError: no content or style layer, an unknown or repeated one, an unknown name, or a
            content loss that cannot be added up over strips.
    """
    made = {name: as_term(term) for name, term in (terms or {}).items()}
    asked = {"content": content_layers, "style": style_layers}
    asked |= {f"{name} (a term)": term.layers for name, term in made.items() if term.layers}
    tuned = loss_kernels(kernels, seamless)
    make = partial(make_reader, network, asked, strip_rows=strip_rows, seamless=seamless)
    reader = make(pooling=pooling, precision=precision, kernels=kernels)
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
