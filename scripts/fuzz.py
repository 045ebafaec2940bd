"""Feed the readers of files with changed bytes, guided by coverage: only InputError may come out.

    python scripts/fuzz.py pictures | metadata | checkpoints | weights [--minutes 10]

Needs atheris: pip install "stylejax[fuzz]". The last line is JSON: target, executions, findings
(kinds of exception, each once), seconds. Inputs that failed are kept in the folder that is named;
exit code 1 where there is one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from fuzzing import NAMES

SECONDS_FOR_ONE, MEGABYTES = 300, 3000
LONGEST = 2**14
"""Bytes of an input."""


def _fuzz(name: str, folder: Path, minutes: float) -> None:
    """Fuzz in this process, which ends with it; `state.json` in the folder says how far it is."""
    import atheris

    with atheris.instrument_imports(  # pyright: ignore[reportAttributeAccessIssue]
        include=["stylejax", "PIL"]
    ):
        from fuzzing.targets import TARGETS, repacked, run_target

    target, corpus = TARGETS[name], folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(target.seeds()):
        (corpus / f"{number}").write_bytes(seed)
    state = {"executions": 0, "findings": []}

    def save() -> None:
        (folder / "state.json").write_text(json.dumps(state))

    def test(data: bytes) -> None:
        state["executions"] += 1
        if state["executions"] % 200 == 1:
            save()
        try:
            run_target(target, folder / "input", data)
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            kind = f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}: {error}"
            kind = kind.splitlines()[0][:200]
            if kind not in state["findings"]:
                (folder / f"finding-{len(state['findings'])}").write_bytes(data)
                state["findings"].append(kind)
                traceback.print_exc()
                save()

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        change = lambda part: atheris.Mutate(bytes(part), min(len(part) + 64, most))
        changed = repacked(data, change, seed) if seed % 2 else None
        return (changed or change(data))[:most]

    options = [f"-max_total_time={int(60 * minutes)}", f"-timeout={SECONDS_FOR_ONE}"]
    options += [f"-rss_limit_mb={MEGABYTES}", f"-max_len={LONGEST}", "-verbosity=0"]
    options += [f"-artifact_prefix={folder}/native-"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], test, custom_mutator=mutate)
    atheris.Fuzz()


def main() -> int:
    """Run the fuzzer in a process of its own, which may be killed by what it finds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=NAMES)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--folder", type=Path, default=None, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.folder is not None:
        _fuzz(given.target, given.folder, given.minutes)
        return 0
    began, folder = time.monotonic(), Path(tempfile.mkdtemp(prefix=f"fuzz-{given.target}-"))
    command = [sys.executable, __file__, given.target, "--minutes", str(given.minutes)]
    ended = subprocess.run([*command, "--folder", str(folder)], stdout=sys.stderr)
    try:
        state = json.loads((folder / "state.json").read_text())
    except FileNotFoundError:
        print("the fuzzer did not start: pip install 'stylejax[fuzz]'", file=sys.stderr)
        return 2
    findings = state["findings"]
    if ended.returncode:
        findings.append(f"the process ended with {ended.returncode}")
    if findings:
        print(f"what failed is kept in {folder}", file=sys.stderr)
    seconds = round(time.monotonic() - began, 1)
    print(json.dumps({"target": given.target, **state, "seconds": seconds}))
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
