"""What a container may take of the host's memory: limits of Linux's control groups.

Source: the kernel's documentation, admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class MemoryLimit(NamedTuple):
    """Bytes that a group of processes may have in all, and that it may still take."""

    total: int
    available: int


def _number(path: Path) -> int | None:
    """The number in a file, None where there is none (`max`, no such file)."""
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _reclaimable(folder: Path) -> int:
    """Bytes of files that the kernel keeps in memory for as long as there is room."""
    try:
        entries = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 0
    return int(entries.get("total_inactive_file", entries.get("inactive_file", 0)))


def memory_limits(root: Path = Path("/")) -> Iterator[MemoryLimit]:
    """The limits of this process's control group and of those around it; none but on Linux.

    Args:
        root: of the file system.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    mounted = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        base, limit, usage = mounted / controllers, "memory.max", "memory.current"
        if controllers:
            limit, usage = "memory.limit_in_bytes", "memory.usage_in_bytes"
        own = base / group.strip("/")
        for folder in (own, *own.parents):
            total = _number(folder / limit)
            if total is not None:
                taken = (_number(folder / usage) or 0) - _reclaimable(folder)
                yield MemoryLimit(total, max(0, total - max(0, taken)))
            if folder == base:
                break
