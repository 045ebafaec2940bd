"""The compiled programs of a training, compiled side by side while the pictures are decoded."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from training import distillation
from training.archives import Pictures
from training.distillation import Numbers, Student
from training.heads import moments
from training.options import Options
from training.pictures import Crops, Plan, crops, varied

OPTIONS = {
    "cpu": {},
    # Both try out many kernels for each product and each fusion, and there are hundreds.
    "gpu": {
        "xla_gpu_enable_triton_gemm": False,
        "xla_gpu_experimental_enable_fusion_autotuner": False,
    },
}
"""Of the compiler, by platform."""


class Programs(NamedTuple):
    """Programs in the making; `.result()` waits for one.

    `draw` cuts crops out of the pictures to learn from, varied or not, `held_out` plain ones out of
    the others; both take a seed and a number. `step` is `distillation.training_step`, the same of
    all stages, `statistics` is `distillation.batch_statistics`, `moments` is `heads.moments`.
    """

    draw: Future
    held_out: Future
    moments: Future
    statistics: Future
    step: Future


def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()), ("batch",))


def replicated() -> NamedSharding:
    """A copy on every device."""
    return NamedSharding(_mesh(), PartitionSpec())


def spread() -> NamedSharding:
    """The first axis shared out among all devices."""
    return NamedSharding(_mesh(), PartitionSpec("batch"))


def everywhere(tree: Any) -> Any:
    """A copy of all of it on every device."""
    return jax.device_put(tree, replicated())


def _shapes(tree: Any, sharding: NamedSharding | None = None) -> Any:
    sharding = sharding or replicated()
    describe = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding)
    return jax.tree.map(describe, tree)


def _key(seed: Any, number: Any) -> Any:
    # Of the generators the fastest on accelerators, and the slowest on a CPU.
    kind = "threefry2x32" if jax.default_backend() == "cpu" else "rbg"
    return jax.random.fold_in(jax.random.key(seed, impl=kind), number)


def _drawn(plan: Plan) -> Callable[..., Crops]:
    def draw(pictures: Pictures, seed: Any, number: Any, vary: Any) -> Crops:
        cut, change = jax.random.split(_key(seed, number))
        plain = crops(cut, pictures, plan)
        return jnp.where(vary, varied(change, plain), plain)

    return draw


def _held_out(plan: Plan) -> Callable[..., Crops]:
    return lambda pictures, seed, number: crops(_key(seed, number), pictures, plan)


def compiled(
    function: Callable[..., Any], inputs: tuple, out: NamedSharding, donate: int | tuple = ()
) -> Any:
    """A function compiled for inputs of these shapes."""
    lowered = jax.jit(function, out_shardings=out, donate_argnums=donate).lower(*inputs)
    try:
        return lowered.compile(OPTIONS.get(jax.default_backend(), {}))
    except jax.errors.JaxRuntimeError:
        # XLA drops options between its versions; what it is left with compiles longer.
        return lowered.compile()


def compile_programs(
    options: Options,
    student: Student,
    teacher: Any,
    deviations: Any,
    pictures: tuple[Pictures, Pictures],
    plans: tuple[Plan, Plan],
) -> Programs:
    """Begin to compile everything in threads.

    Args:
        options: as they were checked.
        student: a student with heads, teacher, deviations and pictures (to learn from, held out):
            arrays, or their shapes and types.
        teacher: see there.
        deviations: see there.
        pictures: see there.
        plans: of the batches of both kinds of pictures.
    """
    state = _shapes(jax.eval_shape(distillation.begin, student))
    student, teacher, deviations, learning, held_out = _shapes(
        (student, teacher, deviations, *pictures)
    )
    number, whole = (jax.ShapeDtypeStruct((), kind) for kind in (np.float32, np.uint32))
    flag = jax.ShapeDtypeStruct((), np.bool_)
    weights = jax.ShapeDtypeStruct((len(distillation.TAPS),), np.float32)
    numbers = Numbers(number, number, weights, flag)
    side, dtype = options.size, jnp.dtype(options.precision)
    images = jax.ShapeDtypeStruct((options.batch, side, side, 3), np.float32, sharding=spread())
    # A compilation keeps about two processors busy.
    pool = ThreadPoolExecutor(max_workers=max(2, min(6, (os.cpu_count() or 1) // 2)))

    def program(function: Any, *inputs: Any, out: Any = None, donate: Any = ()) -> Future:
        return pool.submit(compiled, function, inputs, out or replicated(), donate)

    step = distillation.training_step(student, dtype)
    known = (state, student.batch_stats, teacher, deviations, images, numbers)
    place = (whole, whole)
    # In the order in which they are needed.
    found = Programs(
        draw=program(_drawn(plans[0]), learning, *place, flag, out=spread()),
        moments=program(moments, student, teacher, deviations, images),
        held_out=program(_held_out(plans[1]), held_out, *place, out=spread()),
        step=program(step, *known, donate=0),
        statistics=program(distillation.batch_statistics, student, images),
    )
    pool.shutdown(wait=False)
    return found
