"""The losses' tuned forms against their textbook forms, value and gradient."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from feature_maps import noise

from stylejax.losses.gram import gram_matrix
from stylejax.losses.named import FAST, PLAIN

WEIGHTS = np.random.default_rng(1).dirichlet(np.ones(9 * 7)).reshape(9, 7).astype(np.float32)
VARIATIONS = {
    name: (FAST.total_variations[name], PLAIN.total_variations[name], (noise((9, 7, 3)),))
    for name in PLAIN.total_variations
}
FORMS: dict[str, tuple] = VARIATIONS | {
    # Rows that are and that are no multiple of the padding; few, odd and many channels.
    f"gram {shape}": (FAST.gram_matrix, gram_matrix, (noise(shape),))
    for shape in [(9, 7, 3), (8, 5, 16), (9, 7, 17), (16, 4, 40)]
}
FORMS["weighted gram"] = (FAST.gram_matrix, gram_matrix, (noise((9, 7, 20)), WEIGHTS))
FORMS["weighted gram of few"] = (FAST.gram_matrix, gram_matrix, (noise((9, 7, 3)), WEIGHTS))


@pytest.mark.parametrize("name", FORMS)
def test_a_tuned_form_has_value_and_gradients_of_its_textbook_form(name):
    fast, plain, arguments = FORMS[name]
    arguments = tuple(map(jnp.asarray, arguments))
    # All directions of the result count, with weights of no symmetry.
    cotangent = jnp.asarray(noise(jax.eval_shape(fast, *arguments).shape, seed=2))

    def value_and_gradients(function):
        value, pull = jax.vjp(function, *arguments)
        return value, pull(cotangent)

    (value, gradients), (expected, plain_gradients) = (
        jax.jit(value_and_gradients, static_argnums=0)(form) for form in (fast, plain)
    )
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    for got, want in zip(gradients, plain_gradients, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("name", ["power", "plain"])
def test_where_a_picture_is_even_both_have_no_gradient(name):
    image = noise((9, 7, 3))
    image[3:7, 2:6] = 0.5
    fast, plain, _ = FORMS[name]
    got, want = (np.asarray(jax.grad(function)(jnp.asarray(image))) for function in (fast, plain))
    assert not got[4:6, 3:5].any() and not want[4:6, 3:5].any()
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-6)


def test_the_tuned_gram_matrix_has_forward_derivatives_too():
    feature_map, tangent = (jnp.asarray(noise((6, 5, 18), seed)) for seed in (0, 1))
    both = [jax.jvp(form, (feature_map,), (tangent,)) for form in (FAST.gram_matrix, gram_matrix)]
    for got, want in zip(*both, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)
