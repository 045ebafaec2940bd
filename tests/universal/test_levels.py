"""A picture in strips of rows, by the encoder that ships."""

from typing import Any

import numpy as np
import pytest
from small_decoders import make_decoders, picture

from stylejax.images.masks import Masks
from stylejax.universal.options import UniversalOptions
from stylejax.universal.run import universal_transfer
from stylejax.weights.read import read_weights


@pytest.mark.default_emitters
def test_strips_give_the_whole():
    weights = read_weights()
    networks = {"weights": weights, "decoders": make_decoders(weights.sha256)}
    # With 8 rows that pad it; at the deepest level a strip of 160 is cut out with 592.
    content, styles = picture(0, 632, 64), [picture(1), picture(2)]
    upper = np.linspace(1.0, 0.0, 632, dtype=np.float32)[:, None].repeat(64, axis=1)
    cases: tuple[dict[str, Any], ...] = (
        {"options": UniversalOptions(alpha=0.7)},
        {"masks": Masks((upper, 1.0 - upper))},
    )
    for given in cases:
        whole = universal_transfer(content, styles, **networks, **given)
        strips = universal_transfer(content, styles, strip_rows=160, **networks, **given)
        np.testing.assert_allclose(strips, whole, atol=1e-6)
