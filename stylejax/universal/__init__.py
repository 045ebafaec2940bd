"""A picture and paintings come in, the picture in their style goes out, in one pass.

Its features are given the paintings' statistics (`transforms`) and decoded by networks trained once
for all paintings (`decoders`), level by level (`chain`), of large pictures in strips (`large`), as
Li, Fang, Yang, Wang, Lu and Yang do in "Universal Style Transfer via Feature Transforms" (2017,
arXiv 1705.08086).
"""

from typing import TYPE_CHECKING

from stylejax.lazy import lazy_names

if TYPE_CHECKING:
    from stylejax.universal.chain import Controls, Networks, Structure, restyled
    from stylejax.universal.decoder_weights import Decoders, read_decoders
    from stylejax.universal.options import LEVEL_NAMES, UniversalOptions
    from stylejax.universal.run import style_statistics, synthesize_texture, universal_transfer
    from stylejax.universal.statistics import Statistics, feature_statistics
    from stylejax.universal.style_file import read_style, write_style
    from stylejax.universal.transforms import barycenter, linear_map, transformed
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        "chain",
        "decoder_weights",
        "options",
        "run",
        "statistics",
        "style_file",
        "transforms",
    )

__all__ = [
    "Controls",
    "Decoders",
    "LEVEL_NAMES",
    "Networks",
    "Statistics",
    "Structure",
    "UniversalOptions",
    "barycenter",
    "feature_statistics",
    "linear_map",
    "read_decoders",
    "read_style",
    "restyled",
    "style_statistics",
    "synthesize_texture",
    "transformed",
    "universal_transfer",
    "write_style",
]
