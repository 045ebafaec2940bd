"""Several devices: how many share a picture, what lies where, and what programs exchange."""

import jax
import numpy as np
import pytest

from stylejax.devices.mesh import communication, devices_for_height, placed, places_on
from stylejax.errors import InputError


def test_too_few_rows_are_not_split():
    devices = list(range(8))
    assert devices_for_height(devices, 1024, asked=True) == devices
    assert devices_for_height(devices, 100, asked=False) == [0, 1, 2]
    assert devices_for_height(devices, 16, asked=False) == [0]
    with pytest.raises(InputError, match="--devices 8: 192 rows.*give 6 or less"):
        devices_for_height(devices, 192, asked=True)


def test_what_devices_exchange_is_counted_from_the_program():
    text = """
      %x = f32[2,3]{1,0} collective-permute(%a), channel_id=1
      %y = (f32[64,64]{1,0}, f32[], /*index=2*/bf16[8]{0}) all-reduce(%b, %c), to_apply=%add
      %z = f32[10]{0} add(%x, %x)
      %w = (f32[4]{0}, f32[4]{0}) all-gather-start(%d)
    """
    assert communication(text) == {
        "collective-permute": 24,
        "all-reduce": 4 * (64 * 64 + 1) + 16,
        "all-gather": 32,
    }
    lowered = jax.jit(lambda x: x * 2).lower(np.zeros(3, np.float32))
    assert communication(str(lowered.compile().as_text())) == {}


def test_what_lies_where_it_belongs_is_not_moved():
    whole, split = places_on(jax.devices()[:1], "rows")
    once = placed({"a": np.arange(4.0), "b": np.ones(2)}, whole)
    assert {leaf.sharding for leaf in once.values()} == {whole}
    again = placed(once, places_on(jax.devices()[:1], "rows")[0])
    assert all(again[name] is once[name] for name in once)
    moved = placed(once, {"a": split, "b": whole})
    assert moved["b"] is once["b"] and moved["a"].sharding == split
    assert np.array_equal(moved["a"], np.arange(4.0))
    # An axis of another name is another place.
    assert placed(once, places_on(jax.devices()[:1], "lanes")[0])["a"] is not once["a"]
