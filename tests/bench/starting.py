"""A small process that starts a command and tells what it took.

``python -I -S starting.py FOLDER COMMAND...`` prints exit code, seconds of wall and of CPU, and KiB
of memory at most; the command's output goes to ``FOLDER/out`` and ``FOLDER/err``. A process counts
as its own memory what that one held which started it, hence one that imports nothing.
"""

import os
import sys
import time

folder, *words = sys.argv[1:]
begun = time.perf_counter()
child = os.fork()
if not child:
    for number, name in ((1, "out"), (2, "err")):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(f"{folder}/{name}", flags, 0o600), number)
    os.execv(words[0], words)
_, status, usage = os.wait4(child, 0)
took = time.perf_counter() - begun
print(os.waitstatus_to_exitcode(status), took, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
