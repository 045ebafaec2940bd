"""What the layers' losses are divided by, for a pair of pictures, and style losses in it."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.losses._reader import Reader
from stylejax.losses.content import ContentDistance
from stylejax.losses.forms import Form, style_term
from stylejax.losses.moments import Moments, StyleDistance
from stylejax.losses.targets import Targets
from stylejax.losses.weights import LossWeights
from stylejax.types import FeatureMap, Features, Image, OtherImage, Scalar


class Units(NamedTuple):
    """The units of the layers' losses: a form, its distances, and the layers' sizes."""

    reader: Reader
    form: Form
    content_loss: ContentDistance
    style_loss: StyleDistance

    def of_content(self, name: str, image: OtherImage, content: FeatureMap) -> Scalar:
        """That of a content layer."""
        sizes = self.reader.sizes(name, image)
        return jnp.asarray(self.form.content(self.content_loss, content, sizes))

    def of_style(
        self, name: str, image: OtherImage, content: Moments, style: Moments
    ) -> Float[Array, "*parts"]:
        """That of a style layer, or of each part of its loss."""
        sizes = self.reader.sizes(name, image)
        return jnp.asarray(self.form.style(self.style_loss, content, style, sizes))

    def join(
        self,
        image: OtherImage,
        maps: Features,
        content: Mapping[str, Moments],
        styles: tuple[Mapping[str, Moments], ...],
    ) -> tuple[dict[str, Moments], dict[str, Scalar], dict[str, Array] | None]:
        """The moments of all styles, and the units of the content and the style layers.

        The latter are None where several styles are blended.

        Args:
            image: the content picture.
            maps: its feature maps at the content layers.
            content: its moments at the style layers.
            styles: those of each style picture.
        """
        # The moments of a masked style picture have an axis of one region already.
        is_masked = all(each.mean.ndim == 2 for each in styles[0].values())
        join = jnp.concatenate if is_masked else jnp.stack
        style = jax.tree.map(lambda *each: join(each), *map(dict, styles))
        units, style_units = {name: self.of_content(name, image, maps[name]) for name in maps}, {}
        for name, target in style.items():
            ours = content[name]
            regions = ours.mean.ndim == 2
            if len(target.mean) > 1 and not regions:
                return style, units, None
            unit = partial(self.of_style, name, image)
            style_units[name] = jax.vmap(unit, (0 if regions else None, 0))(ours, target)
        return style, units, style_units

    def style_term(
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
        # A blend's does not depend on the picture: XLA computes it outside of the solver's loop
        # (tests/transfer/test_blended_units.py).
        unit = units[name][0] if units else self.of_style(name, image, content, target)
        return term(ours, target, unit)
