"""Files mapped into memory, which hold no descriptor.

Python's own maps each keep one open for as long as they live: thousands, of a folder of segments.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import weakref

_FAILED = ctypes.c_void_p(-1).value
_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = ctypes.c_void_p
_libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]
_libc.munmap.restype = ctypes.c_int
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def map_file(descriptor: int, length: int) -> memoryview:
    """Return the first ``length`` bytes of a file, paged in when they are read; read-only.

    The descriptor may be closed. The map ends with the last array, or view, that is made of it.

    Raises:
        OSError: there is no memory left for it, or nothing to map.
    """
    address = _libc.mmap(None, length, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, _FAILED):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    held = (ctypes.c_ubyte * length).from_address(address)
    ending = weakref.finalize(held, _libc.munmap, address, length)
    ending.atexit = False  # threads may still read, and the process gives everything back
    return memoryview(held).cast("B").toreadonly()
