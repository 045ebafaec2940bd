"""Many solves that differ in numbers only, as one program: lanes of `jax.vmap`.

Lanes have their own weights, seed and start and share pictures, network and targets. On several
devices each has some of the lanes, and no lane needs anything of another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from stylejax.losses.objective import LossWeights
from stylejax.options import Options
from stylejax.solvers.solver import CHUNK, Solver
from stylejax.transfer.problem import Problem, loss_weights
from stylejax.transfer.pyramid import Level, level_options

_LANES = "lanes"
_SHARED, _APART = PartitionSpec(), PartitionSpec(_LANES)


@dataclass(frozen=True)
class LaneSolver:
    """A solver whose params and some of whose arguments have a leading axis of lanes.

    `init` and `advance` are those of `Solver`, over all lanes. Every lane takes the same number of
    iterations unless it has ended, and costs as many evaluations as the slowest of its device.

    Attributes:
        solver: of a single lane.
        apart: of each argument, whether lanes have their own.
        devices: over which lanes are spread; they must divide the number of lanes.
    """

    solver: Solver
    apart: tuple[bool, ...]
    devices: tuple[Any, ...]

    @cached_property
    def init(self) -> Any:
        """`init(params, *args)`: the states before the first step; nothing is evaluated."""
        begin = lambda params, *args: self.solver.begin(params, args)
        return jax.jit(self._over_lanes(begin, (True, *self.apart)))

    @cached_property
    def advance(self) -> Any:
        """`advance(states, iterations, *args)`: further iterations of all lanes, and their traces.

        The states given are donated.
        """
        run = lambda state, iterations, *args: self.solver.iterate(state, iterations, CHUNK, args)
        return jax.jit(self._over_lanes(run, (True, False, *self.apart)), donate_argnums=0)

    def _over_lanes(self, function: Callable, apart: tuple[bool, ...]) -> Callable:
        """The function over all lanes; `apart` says which arguments have an axis of them."""
        lanes = jax.vmap(function, [0 if each else None for each in apart])
        if len(self.devices) == 1:
            return lanes
        places = tuple(_APART if each else _SHARED for each in apart)
        return jax.shard_map(
            lanes, mesh=self._mesh, in_specs=places, out_specs=_APART, check_vma=False
        )

    @property
    def _mesh(self) -> Mesh:
        return Mesh(np.asarray(self.devices), (_LANES,))

    def place(self, tree: Any, *, apart: bool) -> Any:
        """Arrays on the devices: each lane's on its own, or all on every one."""
        if len(self.devices) == 1:
            return jax.device_put(tree, self.devices[0])
        place = NamedSharding(self._mesh, _APART if apart else _SHARED)
        return jax.device_put(jax.device_get(tree), place)

    def compile(self, params: Any, *args: Any) -> tuple[Any, Any]:
        """`init` and `advance`, compiled for arguments like these but not run."""
        init = self.init.lower(params, *args).compile()
        states = jax.eval_shape(self.init, params, *args)
        if len(self.devices) > 1:
            place = NamedSharding(self._mesh, _APART)
            placed = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place)
            states = jax.tree.map(placed, states)
        return init, self.advance.lower(states, np.int32(1), *args).compile()


def over_lanes(problem: Problem, devices: Sequence[Any]) -> LaneSolver:
    """The solver of a problem over lanes that have weights and a start of their own."""
    return LaneSolver(problem.solver, (False, False, True), tuple(devices))


def lane_weights(lanes: Sequence[Options], level: Level, styles: int) -> LossWeights:
    """The weights pytree of each lane at a level, stacked: every leaf has an axis of lanes."""
    each = [loss_weights(level_options(lane, level), styles) for lane in lanes]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


def program_bytes(compiled: Any) -> int:
    """Bytes that a compiled program takes on each device, by XLA's own account."""
    of = compiled.memory_analysis()
    aliased = of.alias_size_in_bytes
    return of.temp_size_in_bytes + of.argument_size_in_bytes + of.output_size_in_bytes - aliased


def batch_size(lanes: int, at_once: int, devices: int) -> int:
    """Lanes of a batch: as many as memory holds, or fewer where batches can be more even.

    Args:
        lanes: how many there are in all.
        at_once: how many memory holds, 1 or more.
        devices: over which a batch is spread; they divide its size.
    """
    most = max(at_once // devices, 1) * devices
    batches = -(-lanes // most)
    return -(-lanes // (batches * devices)) * devices
