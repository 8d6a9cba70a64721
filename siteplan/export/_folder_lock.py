"""One program at a time writes into a folder; what a killed one left there is removed by the next."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from siteplan.errors import ExportError

PREFIX = ".siteplan-"
"""Temporary folders inside an output folder. They are made under its lock only."""
LOCK = ".siteplan.lock"
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
"""What file systems say that know no locks."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold a folder against other programs of this toolkit; temporary folders of killed ones are cleared first.

    On file systems without locks nothing is held, and nothing is cleared. The system gives a lock back when its
    program ends, however it ends.

    Raises
    ------
    ExportError
        Another program writes into the folder now.
    OSError
        The folder cannot be written to.
    """
    path = folder / LOCK
    handle = _taken(path)
    if handle is None:
        yield
        return
    try:
        _clear(folder)
        yield
    finally:
        if os.name == "posix":
            with suppress(OSError):
                path.unlink()  # still held: nobody else can have taken this very file
        os.close(handle)


def _taken(path: Path) -> int | None:
    """Handle of the lock file, held; None where there are no locks."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if not _held(handle):
                os.close(handle)
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(handle), path.stat()):
                    return handle
        except BlockingIOError:
            os.close(handle)
            raise ExportError(f"另一个 siteplan 程序正在写 {path.parent},没有写出任何文件:等它结束后再运行,或换一个目录") from None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # the one before us removed the file between our opening and our lock


def _held(handle: int) -> bool:
    """Lock an open file at once; False where the system or the file system cannot."""
    if sys.platform == "win32":
        import msvcrt

        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(error.errno, error.strerror) from error
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return False
        raise
    return True


def _clear(folder: Path) -> None:
    """Remove what killed programs left; an old part whose place is empty goes back there."""
    for stale in sorted(folder.glob(f"{PREFIX}*")):
        if stale.is_symlink() or not stale.is_dir():
            continue
        for part in sorted((stale / "old").glob("*")):
            if not os.path.lexists(folder / part.name):
                os.replace(part, folder / part.name)
        shutil.rmtree(stale, ignore_errors=True)
