"""Many solves that differ in numbers only, as one program: lanes.

Lanes have their own weights, seed and start and share pictures, network and targets. On several
devices each has some of the lanes, and no lane needs anything of another. An accelerator takes all
steps of its lanes at once (`jax.vmap`). A CPU, which one lane keeps busy, takes a chunk of one lane
after the other: so none waits for another that needs more evaluations, each runs in the very forms
that are tuned for a single picture, and the memory is that of one lane at work.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding
from jaxtyping import PyTree

from stylejax.devices.hosts import on_host
from stylejax.devices.memory import Device
from stylejax.devices.mesh import placed, places_on
from stylejax.losses.weights import LossWeights
from stylejax.options import Options
from stylejax.solvers.compile_options import known_options
from stylejax.solvers.solver import Solver
from stylejax.solvers.state import SolverState
from stylejax.solvers.steps import Pace, Program, Programs, Step, longest_chunks, take_steps
from stylejax.transfer.problem import Problem
from stylejax.transfer.pyramid import Level

_LANES = "lanes"
_CHUNK = 64
"""Most iterations between two looks: the states of all lanes are copied then, on a CPU."""


def _at_once(function: Callable, apart: tuple[bool, ...]) -> Callable:
    """A function over all lanes; `apart` says which arguments have an axis of them."""
    return jax.vmap(function, [0 if each else None for each in apart])


def _one_by_one(function: Callable, apart: tuple[bool, ...]) -> Callable:
    """The same, lane after lane."""

    def over_lanes(*arguments: PyTree) -> PyTree:
        def one(own: tuple) -> PyTree:
            left = iter(own)
            return function(
                *(
                    next(left) if each else whole
                    for whole, each in zip(arguments, apart, strict=True)
                )
            )

        own = tuple(whole for whole, each in zip(arguments, apart, strict=True) if each)
        return jax.lax.map(one, own)

    return over_lanes


@dataclass(frozen=True)
class LaneSolver:
    """A solver whose params and some of whose arguments have a leading axis of lanes.

    `init`, `advance`, `compile` and `steps` are those of `Solver`, over all lanes. Every lane takes
    the same number of iterations unless it has ended, and on an accelerator costs as many
    evaluations as the slowest of its device.

    Attributes:
        solver: of a single lane.
        apart: of each argument, whether lanes have their own.
        devices: over which lanes are spread; they must divide the number of lanes.
    """

    solver: Solver
    apart: tuple[bool, ...]
    devices: tuple[Device, ...]

    @cached_property
    def init(self) -> jax.stages.Wrapped:
        """`init(params, *args)`: the states before the first step; nothing is evaluated."""
        begin = lambda params, *args: self.solver.begin(params, args)
        return jax.jit(self._over_lanes(begin, (True, *self.apart)))

    @cached_property
    def advance(self) -> jax.stages.Wrapped:
        """`advance(states, iterations, *args)`: further iterations of all lanes, and their traces.

        The states given are donated.
        """
        run = lambda state, iterations, *args: self.solver.iterate(state, iterations, _CHUNK, args)
        options = known_options(self.solver.compiler_options)
        lanes = self._over_lanes(run, (True, False, *self.apart))
        return jax.jit(lanes, donate_argnums=0, compiler_options=options)

    def _over_lanes(self, function: Callable, apart: tuple[bool, ...]) -> Callable:
        """The function over all lanes; `apart` says which arguments have an axis of them."""
        on_cpu = self.devices[0].platform == "cpu"
        lanes = (_one_by_one if on_cpu else _at_once)(function, apart)
        if len(self.devices) == 1:
            return lanes
        whole, split = self._places
        return jax.shard_map(
            lanes,
            mesh=split.mesh,
            in_specs=tuple(split.spec if each else whole.spec for each in apart),
            out_specs=split.spec,
            check_vma=False,
        )

    @property
    def _places(self) -> tuple[NamedSharding, NamedSharding]:
        return places_on(self.devices, _LANES)

    def place(self, tree: PyTree, *, apart: bool) -> PyTree:
        """Arrays on the devices: each lane's on its own, or all on every one."""
        if len(self.devices) == 1:
            return jax.device_put(tree, self.devices[0])
        return placed(tree, self._places[apart])

    def shapes(self, params: PyTree, *args: PyTree) -> SolverState:
        """The states' shapes, types and places, for arguments like these."""
        states = jax.eval_shape(self.init, params, *args)
        if len(self.devices) == 1:
            return states
        apart = self._places[True]
        at = lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=apart)
        return jax.tree.map(at, states)

    def compile(self, params: PyTree, *args: PyTree) -> Programs:
        """`init` and `advance`, compiled for arguments like these but not run."""
        init = self.init.lower(params, *args).compile()
        states = self.shapes(params, *args)
        return Programs(init, self.advance.lower(states, np.int32(1), *args).compile())

    def steps(
        self,
        starts: PyTree,
        iterations: int,
        *args: PyTree,
        pace: Pace = longest_chunks,
        programs: Programs | None = None,
    ) -> Iterator[Step]:
        """Solve all lanes chunk by chunk (`Solver.steps`); what a step says is of each lane."""
        programs = programs or Programs(self.init, self.advance)
        states = starts if isinstance(starts, SolverState) else programs.init(starts, *args)
        return take_steps(
            programs.advance, states, iterations, args, pace=pace, fetch=on_host, most=_CHUNK
        )


def over_lanes(problem: Problem, devices: Sequence[Device]) -> LaneSolver:
    """The solver of a problem over lanes that have weights and a start of their own."""
    return LaneSolver(problem.solver, (False, False, True), tuple(devices))


def lane_weights(lanes: Sequence[Options], level: Level, styles: int) -> LossWeights:
    """The weights pytree of each lane at a level, stacked: every leaf has an axis of lanes."""
    factors = {"content_factor": level.content_weight, "tv_factor": level.tv_weight}
    each = [LossWeights.from_options(lane.loss, styles, **factors) for lane in lanes]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *each)


def shared_options(lanes: Sequence[Options]) -> Options:
    """The options to make the lanes' common program of: those of the lane with most placement.

    Where any lane asks for placement, all of them have its targets; their weights say how much.
    """
    return max(lanes, key=lambda lane: lane.loss.placement)


def program_bytes(program: Program) -> int:
    """Bytes that a compiled program takes on each device, by XLA's own account."""
    assert isinstance(program, jax.stages.Compiled), "compile it first"
    of = program.memory_analysis()
    assert of is not None
    # Donated arguments become outputs: counted among both, they take their place once.
    aliased = of.alias_size_in_bytes
    return of.temp_size_in_bytes + of.argument_size_in_bytes + of.output_size_in_bytes - aliased


def batch_size(lanes: int, at_once: int, devices: int) -> int:
    """Lanes of a batch: as many as memory holds, or fewer where batches can be more even.

    Args:
        lanes: how many there are in all.
        at_once: how many memory holds, 1 or more.
        devices: over which a batch is spread; they divide its size.
    """
    # A device without a lane would wait for the others all the same.
    most = max(at_once // devices, 1) * devices
    batches = -(-lanes // most)
    return -(-lanes // (batches * devices)) * devices
