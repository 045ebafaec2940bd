"""The form of a network that enlarges: what is fixed before it has any numbers."""

from typing import Literal, NamedTuple

Body = Literal["residual", "johnson"]
"""The body that stylejax has, or that of Johnson et al. (2016)."""

JOHNSON_BLOCKS = 4
"""Residual blocks of the latter, whose form is fixed but for its channels."""
MARGIN = 4
"""Pixels of a small crop's border that are looked at in training but not judged: beyond them
nothing is known, and the network sees zeros there that it never meets in use."""
_JOHNSON_FRAME = 16
"""Pixels: 4 of the first convolution, 8 of the blocks, 2 at most of those beyond, and 2 more."""


class Enlarger(NamedTuple):
    """The network's form.

    Attributes:
        factor: how many times larger the result is.
        channels: of the maps.
        blocks: how many residual blocks there are.
        body: which network it is.
    """

    factor: int = 4
    channels: int = 24
    blocks: int = 4
    body: Body = "residual"

    @property
    def frame(self) -> int:
        """How many pixels of the small picture around its own a pixel depends on."""
        return 2 * self.blocks + 2 if self.body == "residual" else _JOHNSON_FRAME
