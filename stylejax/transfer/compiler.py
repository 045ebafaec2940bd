"""Programs compiled once each, some ahead of their use in threads, and kept between runs.

XLA lets go of Python's lock while it compiles. So while one level of the pyramid is solved, the
programs of the finer ones are compiled, on what of the CPU is free; and what a run has compiled, a
later one with pictures of the same sizes reads from a file, without tracing anything.
"""

import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import numpy as np
from jaxtyping import PyTree

from stylejax.devices.memory import Device
from stylejax.solvers.compile_options import (
    compiler_options,
    known_options,
    picture_positions,
)
from stylejax.solvers.steps import Program

Signature = tuple[str, tuple[str, ...]]
_Key = tuple[str, Signature]
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
    """Programs to be had: a name that says what they are, the arguments they are for, how made.

    `lower` traces them, which holds Python's lock, and returns what compiles each, which does not.
    With `keep_at_once` they are on the shelf before they run, since XLA cannot store a sort that
    has run; whoever waits for them waits for that, too.
    """

    name: str
    arguments: PyTree
    lower: Callable[[], Sequence[Callable[[], Program]]]
    keep_at_once: bool = False


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

    def lower() -> Sequence[Callable[[], Program]]:
        options = compiler_options(platform, picture_positions(arguments))
        return [partial(function.lower(*arguments).compile, known_options(options))]

    # What it does, with what it keeps of it: another function may have arguments of these shapes.
    name = f"call {getattr(function, '__name__', '')}"
    return Task(name, arguments, lower, keep_at_once=True)


def _nothing() -> None:
    """What is left to do for programs that are there, or another thread's."""


class Compiler:
    """Compiles for one device, or for whatever devices the arguments are on.

    What is compiled is kept as long as this object, and on the shelf.

    Attributes:
        seconds_waited: that callers have waited for programs.
    """

    def __init__(self, device: Device = None, shelf: Shelf | None = None) -> None:
        """Compile nothing yet; threads compile for `device`."""
        self._device, self._shelf = device, shelf
        self._made: dict[_Key, Future[Sequence[Program]]] = {}
        self._lock, self._tracing = threading.Lock(), threading.Lock()
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
        device = jax.config.values["jax_default_device"] if self._device is None else self._device
        return getattr(device, "platform", device or jax.default_backend())

    def programs(self, task: Task) -> Sequence[Program]:
        """The programs of a task: made now, read, or waited for where a thread is at it."""
        began = time.monotonic()
        programs = self._had(task)
        self.seconds_waited += time.monotonic() - began
        return programs

    def _had(self, task: Task) -> Sequence[Program]:
        future, finish = self._begun(task)
        finish()
        return future.result()

    def _begun(self, task: Task) -> tuple[Future[Sequence[Program]], Callable[[], None]]:
        """The programs of a task, on the shelf or lowered, and what compiles them."""
        signature = signature_of(task.arguments)
        key = task.name, signature
        with self._lock:
            future = self._made.get(key)
            is_ours = future is None
            future = self._made[key] = Future() if future is None else future
        if not is_ours:
            return future, _nothing
        with self._told(key, future):
            programs = None if self._shelf is None else self._shelf.load(task.name, signature)
            if programs is not None:
                future.set_result(programs)
                return future, _nothing
            self._begin_plan()
            # In turn: two threads that trace at once are both done when the second one is.
            with self._tracing:
                lowered = task.lower()
        return future, partial(self._compile, key, future, lowered, task.keep_at_once)

    def _compile(
        self,
        key: _Key,
        future: Future[Sequence[Program]],
        lowered: Sequence[Callable[[], Program]],
        keep_at_once: bool,
    ) -> None:
        with self._told(key, future):
            before = _cache_hits()
            programs = [compile_it() for compile_it in lowered]
            # XLA gives a program that it has read itself back with parts missing.
            is_whole = _cache_hits() == before
            if is_whole and keep_at_once and self._shelf is not None:
                self._shelf.save(*key, programs)
            future.set_result(programs)
            if is_whole and not keep_at_once:
                self._later(*key, programs)

    @contextmanager
    def _told(self, key: _Key, future: Future[Sequence[Program]]) -> Iterator[None]:
        """Tell whoever waits of an error; whoever comes later may have more luck."""
        try:
            yield
        except BaseException as error:
            if not future.done():
                del self._made[key]
                future.set_exception(error)
            raise

    def plan(self, stages: Callable[[], Iterable[Callable[[], Sequence[Task]]]]) -> None:
        """Say what will be needed, in this order; begun when a first program is not to be had.

        Args:
            stages: returns functions that make tasks. Those of the first are lowered at once and
                compiled in threads, those of any other are made one after the other in one.
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
            # What whoever asks will wait for in the end: lowered before all else. Where that
            # fails, whoever needs it is told.
            with suppress(Exception):
                _, finish = self._begun(task)
                self._threads.submit(self._on_device, finish)
        for stage in others:
            self._threads.submit(self._on_device, self._begin_stage, stage)

    def _begin_stage(self, stage: Callable[[], Sequence[Task]]) -> None:
        with self._tracing:
            tasks = stage()
        for task in tasks:
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
