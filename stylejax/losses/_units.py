"""What the losses of layers are divided by, of a content picture and its styles."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from stylejax.losses._reader import Reader
from stylejax.losses.content import ContentDistance
from stylejax.losses.forms import Form
from stylejax.losses.moments import Moments, StyleDistance
from stylejax.types import Features, OtherImage, Scalar


@dataclass(frozen=True)
class Units:
    """The units of an objective's layers; its attributes are the objective's own."""

    reader: Reader
    form: Form
    content_loss: ContentDistance
    style_loss: StyleDistance

    def of_style(
        self, name: str, image: OtherImage, content: Moments, style: Moments
    ) -> Float[Array, "*parts"]:
        """Of the parts of a style layer's loss."""
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
        content_units, style_units = {}, {}
        for name, feature_map in maps.items():
            sizes = self.reader.sizes(name, image)
            unit = self.form.content(self.content_loss, feature_map, sizes)
            content_units[name] = jnp.asarray(unit)
        for name, target in style.items():
            ours = content[name]
            regions = ours.mean.ndim == 2
            if len(target.mean) > 1 and not regions:
                return style, content_units, None
            unit = partial(self.of_style, name, image)
            style_units[name] = jax.vmap(unit, (0 if regions else None, 0))(ours, target)
        return style, content_units, style_units
