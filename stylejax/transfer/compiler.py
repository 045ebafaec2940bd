"""Programs compiled once each, some ahead of their use in threads, and kept between runs.

XLA lets go of Python's lock while it compiles. So while one level of the pyramid is solved, the
programs of the finer ones are compiled, on what of the CPU is free; and what a run has compiled, a
later one with pictures of the same sizes reads from a file, without tracing anything.
"""

import os
import threading
import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from typing import NamedTuple, Protocol, cast, runtime_checkable

import jax
import numpy as np
from jaxtyping import PyTree

from stylejax.devices.memory import Device
from stylejax.solvers.steps import Program

Signature = tuple[str, tuple[str, ...]]
_MOST_THREADS = 4


_read = threading.local()


def _count_hits(event: str, **about: object) -> None:
    if event == "/jax/compilation_cache/cache_hits":
        _read.count = _cache_hits() + 1


def _cache_hits() -> int:
    """How many programs this thread has had from JAX's own cache."""
    return getattr(_read, "count", 0)


jax.monitoring.register_event_listener(_count_hits)


@runtime_checkable
class Shelf(Protocol):
    """Where compiled programs are kept between runs."""

    def load(self, name: str, signature: Signature) -> Sequence[Program] | None:
        """The programs of this name for arguments of this signature; None where there are none."""
        ...

    def save(self, name: str, signature: Signature, programs: Sequence[Program]) -> None:
        """Keep programs, if that can be."""
        ...


class Task(NamedTuple):
    """Programs to be had: a name that says what they are, the arguments they are for, how made."""

    name: str
    arguments: PyTree
    make: Callable[[], Sequence[Program]]


def signature_of(arguments: PyTree) -> Signature:
    """Structure, types and shapes of arguments, in words."""
    leaves, structure = jax.tree.flatten(arguments)
    kinds = (f"{np.dtype(leaf.dtype)}{list(np.shape(leaf))}" for leaf in leaves)
    return str(structure), tuple(kinds)


def shapes_of(arguments: PyTree) -> PyTree:
    """Arguments without their numbers."""
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), arguments)


def task_of_call(function: jax.stages.Wrapped, arguments: PyTree, platform: str) -> Task:
    """The program of a function that is called once a picture."""
    # What runs once is done sooner where a CPU's compiler does not try to make it fast.
    quick = {"xla_backend_optimization_level": 0} if platform == "cpu" else {}
    options = cast(dict[str, str | bool], quick) or None
    # What it does, with what it keeps of it: another function may have arguments of these shapes.
    name = f"call {getattr(function, '__name__', '')}"
    return Task(name, arguments, lambda: [function.lower(*arguments).compile(options)])


class Compiler:
    """Compiles for one device, or for whatever devices the arguments are on.

    What is compiled is kept as long as this object, and on the shelf.

    Attributes:
        seconds_waited: that callers have waited for programs.
    """

    def __init__(self, device: Device = None, shelf: Shelf | None = None) -> None:
        """Compile nothing yet; threads compile for `device`."""
        self._device, self._shelf = device, shelf
        self._made: dict[Hashable, Future[Sequence[Program]]] = {}
        self._lock = threading.Lock()
        self._plan: Callable[[], Iterable[Callable[[], Sequence[Task]]]] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self.seconds_waited = 0.0

    def call(self, function: jax.stages.Wrapped, *arguments: PyTree) -> PyTree:
        """Call a jitted function by a program that was quick to compile."""
        (program,) = self.programs(task_of_call(function, arguments, self.platform))
        return program(*arguments)

    @property
    def platform(self) -> str:
        """The kind of device that is compiled for."""
        return jax.default_backend() if self._device is None else self._device.platform

    def programs(self, task: Task) -> Sequence[Program]:
        """The programs of a task: made now, read, or waited for where a thread is at it."""
        began = time.monotonic()
        programs = self._had(task)
        self.seconds_waited += time.monotonic() - began
        return programs

    def _had(self, task: Task) -> Sequence[Program]:
        signature = signature_of(task.arguments)
        key = task.name, signature
        with self._lock:
            future = self._made.get(key)
            is_ours = future is None
            future = self._made[key] = Future() if future is None else future
        if is_ours:
            try:
                future.set_result(self._make(task, signature))
            except BaseException as error:
                # Whoever waits is told; whoever comes later may have more luck.
                del self._made[key]
                future.set_exception(error)
                raise
        return future.result()

    def _make(self, task: Task, signature: Signature) -> Sequence[Program]:
        programs = None if self._shelf is None else self._shelf.load(task.name, signature)
        if programs is None:
            self._begin_plan()
            before = _cache_hits()
            programs = task.make()
            # XLA gives a program that it has read itself back with parts missing.
            if _cache_hits() == before:
                self._later(task.name, signature, programs)
        return programs

    def plan(self, stages: Callable[[], Iterable[Callable[[], Sequence[Task]]]]) -> None:
        """Say what will be needed, in this order; begun when a first program is not to be had.

        Args:
            stages: returns functions that make tasks. Those of the first, which is called at once,
                are done in threads each, those of any other one after the other in one.
        """
        self._plan = stages

    def _begin_plan(self) -> None:
        with self._lock:
            plan, self._plan = self._plan, None
        if plan is None:
            return
        # One core is for whoever asks.
        count = min(max((os.cpu_count() or 1) - 1, 1), _MOST_THREADS)
        self._threads = ThreadPoolExecutor(count, "compiling")
        first, *others = plan()
        for task in first():
            self._threads.submit(self._on_device, self._had, task)
        for stage in others:
            self._threads.submit(self._on_device, self._begin_stage, stage)

    def _begin_stage(self, stage: Callable[[], Sequence[Task]]) -> None:
        for task in stage():
            self._had(task)

    def _on_device(self, function: Callable[..., object], *arguments: object) -> None:
        # Which is the default is each thread's own.
        with nullcontext() if self._device is None else jax.default_device(self._device):
            function(*arguments)

    def _later(self, name: str, signature: Signature, programs: Sequence[Program]) -> None:
        """Put programs on the shelf: in a thread, where there still are some."""
        if self._shelf is None:
            return
        try:
            if self._threads is not None:
                self._threads.submit(self._shelf.save, name, signature, programs)
                return
        except RuntimeError:
            # Closed meanwhile.
            pass
        self._shelf.save(name, signature, programs)

    def close(self, *, keep: bool) -> None:
        """Begin nothing more ahead; with `keep` wait until the shelf has all that is made."""
        self._plan, threads, self._threads = None, self._threads, None
        if threads is not None:
            threads.shutdown(wait=keep, cancel_futures=not keep)
