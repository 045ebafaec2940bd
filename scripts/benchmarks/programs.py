"""What one run of `stylejax transfer` compiles, and what each program costs.

The run is the command itself, in this process; JAX says what is traced, lowered and compiled, and
what is found in its cache. Programs that stylejax reads from its own files are none of JAX's: they
are listed with the seconds of reading. Compiling runs in threads beside the solve, so that seconds
do not add up to those of the run; `cpu_seconds` are of all threads.
"""

import argparse
import contextlib
import io
import json
import resource
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import jax

from benchmarks.memory import needed
from benchmarks.solver import SHALLOW, sample_pairs
from benchmarks.workers import device_peak_bytes, peak_bytes
from stylejax.cli.entry import main
from stylejax.images.read import read_picture_file
from stylejax.runs.program_shelf import READ_EVENT

_PARTS = {
    "jaxpr_trace_duration": "trace",
    "jaxpr_to_mlir_module_duration": "lower",
    "backend_compile_duration": "compile",
}


class Listener:
    """The programs that JAX has spoken of so far, in the order in which they were ready."""

    def __init__(self) -> None:
        """Listen from now on; there is no way to stop."""
        self.programs: list[dict[str, Any]] = []
        self._open: dict[int, dict[str, Any]] = {}
        jax.monitoring.register_event_duration_secs_listener(self._took)
        jax.monitoring.register_event_listener(self._happened)

    def _current(self) -> dict[str, Any]:
        return self._open.setdefault(threading.get_ident(), {"cached": False})

    def _took(self, event: str, duration_secs: float, **about: Any) -> None:
        if event == READ_EVENT:
            self.programs.append({"name": about["name"], "read": duration_secs})
            return
        part = _PARTS.get(event.rpartition("/")[2])
        if part is None:
            return
        program = self._current()
        # A trace may hold those of others; the last one is of all.
        program[part] = duration_secs
        if part == "compile":
            name = str(about.get("fun_name", ""))
            self.programs.append({"name": name, **self._open.pop(threading.get_ident())})

    def _happened(self, event: str, **about: Any) -> None:
        if event.endswith("/cache_hits"):
            self._current()["cached"] = True


def _command(arguments: argparse.Namespace, output: Path) -> list[str]:
    given = ["transfer", *map(str, arguments.pair), "-o", str(output)]
    given += ["--size", str(arguments.size), "--json", "--quiet"]
    given += ["--precision", arguments.precision]
    if arguments.iterations:
        given += ["--iterations", str(arguments.iterations)]
    if arguments.levels:
        given += ["--levels", str(arguments.levels)]
    if arguments.shallow:
        given += ["--content-layers", ",".join(SHALLOW.content_layers)]
        given += ["--style-layers", ",".join(SHALLOW.style_layers)]
    return given


def benchmark_programs(arguments: argparse.Namespace) -> dict[str, Any]:
    """The summary of the run, its programs and what they took."""
    listener, said = Listener(), io.StringIO()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(said):
        output = arguments.output or Path(folder) / "out.png"
        code = main(_command(arguments, output))
        if code:
            sys.exit(code)
        picture = read_picture_file(output)
    used = resource.getrusage(resource.RUSAGE_SELF)
    for program in listener.programs:
        parts = " ".join(f"{part} {program.get(part, 0.0):6.2f}" for part in _PARTS.values())
        whence = "stored" if "read" in program else "cached" if program["cached"] else ""
        sys.stderr.write(f"{program['name'][:48]:48} {parts} {whence}\n")
    total = lambda part: sum(program.get(part, 0.0) for program in listener.programs)
    on_cpu = jax.default_backend() == "cpu"
    return {
        **json.loads(said.getvalue()),
        "programs": listener.programs,
        "compiled": sum("compile" in program for program in listener.programs),
        "trace_seconds": total("trace"),
        "lower_seconds": total("lower"),
        "compile_seconds": total("compile"),
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "estimated_memory_bytes": needed(
            (picture.height, picture.width), loss=SHALLOW if arguments.shallow else None
        ),
        "peak_memory_bytes": peak_bytes() if on_cpu else device_peak_bytes(ours=True),
    }


def add_parser(commands: Any) -> None:
    """Register the subcommand."""
    parser = commands.add_parser("programs", help="what a run compiles, and what each costs")
    number = {"type": int, "metavar": "N"}
    parser.add_argument("--size", **number, default=512, help="longest side in pixels (512)")
    parser.add_argument("--iterations", **number, default=0, help="in all (the default's)")
    parser.add_argument("--levels", **number, default=0, help="of the pyramid (the default's)")
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--pair", nargs=2, type=Path, default=sample_pairs()[1])
    parser.add_argument("--shallow", action="store_true", help="the network's first layers alone")
    parser.add_argument("-o", "--output", type=Path, help="keep the picture here")
    parser.set_defaults(run=benchmark_programs)
