"""Compiled programs in the user's cache folder, under a key of our own.

JAX's own cache is keyed by what a program was lowered to, so that it has to be traced and lowered
first, which takes longer than to read it. Here the key is what it is made of: the versions and the
text of what it is traced from, what the program depends on besides, and the shapes of its
arguments. Files are trusted as JAX's are: the folder is the user's own.
"""

import hashlib
import json
import os
import pickle
import platform
import time
import zlib
from collections.abc import Sequence
from functools import cache
from importlib import metadata, resources
from pathlib import Path

import jax
from jax.experimental import serialize_executable
from jaxtyping import PyTree

from stylejax.devices.memory import Device
from stylejax.errors import InputError
from stylejax.images.files import replace_file
from stylejax.solvers.state import SolverState
from stylejax.solvers.steps import Program
from stylejax.transfer.compiler import Signature
from stylejax.version import VERSION

MOST_BYTES = 2**28
"""Of all programs on a shelf; those that have not been used for longest go first."""
READ_EVENT = "/stylejax/program_read"
"""What JAX's monitoring is told with the seconds, and the program's name."""
_SUFFIX = ".program"
_TRACED = ("networks", "losses", "solvers", "transfer")
"""Packages that programs are traced from."""
_PACKAGES = ("jax", "jaxlib", "flax", "optax", "jaxopt", "numpy")
_SETTINGS = ("XLA_FLAGS", "LIBTPU_INIT_ARGS", "JAX_PLATFORMS")
_OTHER_MODES = ("cache", "log", "traceback", "platforms", "dump", "debug", "distributed", "pgle")
"""What names of JAX's modes have in them that leave programs as they are."""


@cache
def _source_digest() -> str:
    """Of the text of all that programs are traced from."""
    digest, package = hashlib.sha256(), Path(str(resources.files("stylejax")))
    for name in _TRACED:
        for path in sorted((package / name).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


@cache
def _processor() -> str:
    """What programs for this CPU may use: its model and its instructions."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    kinds = ("model name", "flags", "Features", "CPU part")
    return "\n".join(sorted({line for line in lines if line.startswith(kinds)}))


def surroundings(device: Device) -> str:
    """All that decides what a program is compiled to besides the program, as one line."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    facts = {
        "stylejax": VERSION,
        "source": _source_digest(),
        "versions": {package: metadata.version(package) for package in _PACKAGES},
        "device": [device.platform, device.device_kind, device.id, len(device.client.devices())],
        "platform": device.client.platform_version,
        "processor": [_processor(), cores],
        "settings": {name: os.environ.get(name) for name in _SETTINGS},
        "modes": {
            name: str(value)
            for name, value in jax.config.values.items()
            if not any(word in name for word in _OTHER_MODES)
        },
    }
    return json.dumps(facts, sort_keys=True)


def _packed(tree: PyTree) -> PyTree:
    """With the method's own part of a solver's state as a flat tuple.

    Its classes are a library's, which takes longer to import than a program to read.
    """

    def flat(node: PyTree) -> PyTree:
        if isinstance(node, SolverState):
            return node._replace(inner=tuple(jax.tree.leaves(node.inner)))
        return node

    return jax.tree.map(flat, tree, is_leaf=lambda node: isinstance(node, SolverState))


class _Stored:
    """A program read from a file, called as it was before."""

    def __init__(self, compiled: jax.stages.Compiled, structure: PyTree, path: Path) -> None:
        self.compiled, self.structure, self.path = compiled, structure, path
        self.has_run = False

    def __call__(self, *arguments: PyTree) -> PyTree:
        try:
            results = self.compiled(*jax.tree.leaves(arguments))
            if not self.has_run:
                # What is wrong with a program is said when its results are there.
                jax.block_until_ready(results)
                self.has_run = True
        except jax.errors.JaxRuntimeError:
            # Should it be the file's fault, the next run compiles it anew.
            self.path.unlink(missing_ok=True)
            raise
        return jax.tree.unflatten(self.structure, results)


def _dumped(program: Program) -> tuple[bytes, int, PyTree]:
    """The bytes of a program, how many arguments it takes, and the form of its result."""
    assert isinstance(program, jax.stages.Compiled)
    content, given, result = serialize_executable.serialize(program)
    form = jax.tree.unflatten(result, range(result.num_leaves))
    return content, given.num_leaves, _packed(form)


def _loaded(path: Path, device: Device, content: bytes, count: int, form: PyTree) -> Program:
    given = jax.tree.structure(((0,) * count, {}))
    structure = jax.tree.structure(form)
    result = jax.tree.structure((0,) * structure.num_leaves)
    compiled = serialize_executable.deserialize_and_load(
        content, given, result, device.client, [device]
    )
    return _Stored(compiled, structure, path)


class ProgramShelf:
    """The programs of one structure: an objective and a solver, but for shapes and numbers."""

    def __init__(self, folder: Path, device: Device, structure: str) -> None:
        """Read nothing yet."""
        self.folder, self.device = folder, device
        self.kept = f"{surroundings(device)}\n{structure}"

    def _path(self, name: str, signature: Signature) -> Path:
        text = "\n".join((self.kept, name, signature[0], *signature[1]))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()}{_SUFFIX}"

    def load(self, name: str, signature: Signature) -> Sequence[Program] | None:
        """The programs of this name for arguments of this signature; None where there are none."""
        path, began = self._path(name, signature), time.monotonic()
        # Whatever is wrong with a file, the program can be compiled.
        try:
            held = pickle.loads(zlib.decompress(path.read_bytes()))
            programs = [_loaded(path, self.device, *each) for each in held]
            os.utime(path)
            jax.monitoring.record_event_duration_secs(
                READ_EVENT, time.monotonic() - began, name=name
            )
        except Exception:
            return None
        return programs

    def save(self, name: str, signature: Signature, programs: Sequence[Program]) -> None:
        """Keep programs; where that cannot be done, nothing is kept."""
        try:
            held = zlib.compress(pickle.dumps([_dumped(program) for program in programs]), 1)
            self.folder.mkdir(parents=True, exist_ok=True)
            self._make_room(len(held))
            replace_file(self._path(name, signature), held)
        except (InputError, OSError, ValueError, NotImplementedError, RuntimeError):
            return

    def _make_room(self, wanted: int) -> None:
        files = [(path.stat(), path) for path in self.folder.glob(f"*{_SUFFIX}")]
        held = wanted + sum(status.st_size for status, _ in files)
        for status, path in sorted(files, key=lambda each: each[0].st_mtime):
            if held <= MOST_BYTES:
                return
            path.unlink(missing_ok=True)
            held -= status.st_size


def shelf_folder() -> Path | None:
    """The folder of programs: in that of JAX's own cache, if it keeps one on this machine."""
    modes = jax.config.values
    cache_folder = modes["jax_compilation_cache_dir"]
    if not cache_folder or "://" in cache_folder or not modes["jax_enable_compilation_cache"]:
        return None
    return Path(cache_folder) / "stylejax"
