"""What the operating system lets a worker have."""

from __future__ import annotations

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
