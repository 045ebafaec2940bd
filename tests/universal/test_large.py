"""A picture in strips of rows, by the encoder that ships: other ones round otherwise in parts."""

from typing import Any

import numpy as np
from small_decoders import make_decoders, picture

from stylejax.images.masks import Masks
from stylejax.universal.options import UniversalOptions
from stylejax.universal.run import universal_transfer
from stylejax.weights.read import read_weights


def test_strips_give_the_whole():
    weights = read_weights()
    content, styles = picture(0, 776, 64), [picture(1), picture(2)]
    upper = np.linspace(1.0, 0.0, 776, dtype=np.float32)[:, None].repeat(64, axis=1)
    given: dict[str, Any] = {
        "weights": weights,
        "decoders": make_decoders(weights.sha256),
        "masks": Masks((upper, 1.0 - upper)),
        "options": UniversalOptions(alpha=0.7),
    }
    whole = universal_transfer(content, styles, **given)
    strips = universal_transfer(content, styles, strip_rows=100, **given)
    np.testing.assert_allclose(strips, whole, atol=1e-6)
