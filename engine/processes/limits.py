"""What the operating system and the interpreter let a process have."""

from __future__ import annotations

import gc
import resource


def raise_open_files(wanted: int) -> int:
    """Raise the limit of open files to its hard value; how many calls may then be in flight:
    ``wanted``, but at most half of the files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (OSError, ValueError):  # a system whose hard limit isn't one it grants
        pass
    if soft == resource.RLIM_INFINITY:
        return wanted
    return max(1, min(wanted, soft // 2))


def no_core_dumps() -> None:
    """Let a crash leave no image of the memory behind: opened secrets stand in it.

    A limit of one byte: no file is written for that, and it is the one limit by which Linux also
    starts no program that would take the image (a ``core_pattern`` with a pipe ignores zero).
    """
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (0 if hard == 0 else 1, hard))
    except (OSError, ValueError):
        pass


def spare_the_collector() -> None:
    """Take what is loaded out of garbage collection, and let it look less often: a worker makes
    millions of objects that die by themselves, and looking at the rest took a sixth of its time.
    """
    gc.freeze()  # not collected before: next to nothing of it is garbage
    gc.set_threshold(100_000, 50, 100)
