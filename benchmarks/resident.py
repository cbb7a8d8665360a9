"""How much memory a process has in use."""

import os
from pathlib import Path


def resident_kb(pid: int | str = "self") -> int:
    """As the system counts it (VmRSS), with what the process's allocators keep for later."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024
