"""Files are written into a temporary folder, then moved into place: no half of a deliverable is left.

`write_files` moves them one by one; `write_parts` moves whole folders, so that nothing of an earlier export stays mixed
with a new one. Both hold the output folder meanwhile.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from siteplan.errors import ExportError
from siteplan.export._folder_lock import PREFIX, locked

_NO_SYNC = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP}
"""What file systems say that cannot be asked to write to the disk."""


@contextmanager
def staging_in(target: Path) -> Iterator[Path]:
    """A temporary folder inside the output folder, which is made when absent and held against other programs.

    Raises
    ------
    ExportError
        The folder cannot be made or written to, or another program writes into it.
    """
    with ExitStack() as stack:
        try:
            target.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(target))
            staging = Path(tempfile.mkdtemp(prefix=PREFIX, dir=target))
        except OSError as error:
            if isinstance(error, ExportError):
                raise
            raise ExportError(f"成果目录 {target} 不能写入:{error.strerror or error}") from error
        stack.callback(shutil.rmtree, staging, ignore_errors=True)
        yield staging


def check_folder(out: Path) -> None:
    """Raise ExportError when the output folder cannot be written to; leaves nothing behind."""
    new = [path for path in (out, *out.parents) if not path.exists()]
    with staging_in(out):
        pass
    for path in new:
        path.rmdir()


def write_files(out: Path, writers: Sequence[tuple[str, Callable[[Path], Any]]],
                own_old: Sequence[str] = ()) -> dict[str, Path]:
    """Write files into a folder, all or none.

    Parameters
    ----------
    out : Path
        Folder; made when absent. Files of an earlier run are replaced when all new ones are ready.
    writers : sequence of (file name, writer)
        A writer is given the path to write to; it may write further files beside it.
    own_old : sequence of str
        Patterns of names at the top of ``out`` that only this writer gives: those of an earlier run that were not
        written again are removed.

    Returns
    -------
    dict
        File name -> path.

    Raises
    ------
    ExportError
        A file could not be written or did not read back, or another program writes into the folder; ``out`` is as it
        was. A process killed while moving leaves each file old or new, whole.
    """
    with staging_in(out) as staging, _told(out):
        new, old = _halves(staging)
        for name, writer in writers:
            draft = new / name
            draft.parent.mkdir(parents=True, exist_ok=True)
            writer(draft)
        ready = sorted(path.relative_to(new) for path in new.rglob("*") if path.is_file())
        in_the_way = [path.name for path in ready if (out / path).is_dir()]
        if in_the_way:
            raise ExportError(f"成果目录 {out} 中有同名文件夹,无法写入:{'、'.join(in_the_way)}")
        for folder in {path.parent for path in ready}:
            (out / folder).mkdir(parents=True, exist_ok=True)
            (old / folder).mkdir(parents=True, exist_ok=True)
        _move_all(ready, new, out, old)
        for pattern in own_old:
            for path in sorted(out.glob(pattern)):
                if path.is_file() and path.relative_to(out) not in ready:
                    path.unlink()
    return {name: out / name for name, _ in writers}


def write_parts(out: Path, writer: Callable[[Path], Any],
                check: Callable[[Path], None] | None = None, first: str = "") -> tuple[Path, ...]:
    """Write files and folders into a temporary folder, then move each entry at its top into place as a whole.

    Parameters
    ----------
    out : Path
        Folder; made when absent.
    writer : callable
        Is given the temporary folder to write into.
    check : callable, optional
        Is given the temporary folder when all is written; raises where something in ``out`` must not be replaced.
    first : str, optional
        Name of the entry that is moved before the others.

    Returns
    -------
    tuple of Path
        The files as they stand in ``out``.

    Raises
    ------
    ExportError
        Something could not be written, or is open elsewhere; ``out`` is as it was. Where the process is killed while
        moving, each folder is the old or the new one, whole (on Linux; elsewhere, between two renames, the old one may
        lie in a folder ``.siteplan-*`` beside it).
    """
    with staging_in(out) as staging, _told(out):
        new, old = _halves(staging)
        writer(new)
        if check is not None:
            check(new)
        files = sorted(path.relative_to(new) for path in new.rglob("*") if path.is_file())
        parts = sorted((path.relative_to(new) for path in new.iterdir()), key=lambda part: (part.name != first, part))
        in_the_way = [part.name for part in parts
                      if (out / part).exists() and (out / part).is_dir() != (new / part).is_dir()]
        if in_the_way:
            raise ExportError(f"成果目录 {out} 中有同名的文件或文件夹,无法写入:{'、'.join(in_the_way)}")
        _move_all(parts, new, out, old)
    return tuple(out / file for file in files)


def _halves(staging: Path) -> tuple[Path, Path]:
    """The folder of what is written, and that of what it replaces."""
    new, old = staging / "new", staging / "old"
    new.mkdir()
    old.mkdir()
    return new, old


@contextmanager
def _told(out: Path) -> Iterator[None]:
    """Errors of the system in a sentence."""
    try:
        yield
    except OSError as error:
        if isinstance(error, ExportError):
            raise
        hint = ";文件是否正被其他程序打开?" if isinstance(error, PermissionError) else ""
        raise ExportError(f"写出成果失败:{error.strerror or error}({error.filename or out}){hint}") from error


def _move_all(parts: Sequence[Path], new: Path, out: Path, old: Path) -> None:
    """Move parts into place, what stood there into another folder; all are put back where one cannot be moved.

    Parts are paths inside ``new``. They reach the disk before they move: a power cut leaves no empty files.
    """
    for path in new.rglob("*"):
        _to_disk(path)
    done: list[Path] = []
    try:
        for part in parts:
            _put(new / part, out / part, old / part)
            done.append(part)
    except OSError:
        for part in reversed(done):
            if (old / part).exists():
                _put(old / part, out / part, new / part)
            else:
                os.replace(out / part, new / part)
        raise
    for folder in {out, *((out / part).parent for part in parts)}:
        _to_disk(folder)


def _to_disk(path: Path) -> None:
    """Have a file or folder written to the disk, where the system can be asked to."""
    if path.is_symlink() or (path.is_dir() and os.name != "posix"):
        return
    handle = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
    finally:
        os.close(handle)


def _put(part: Path, place: Path, kept: Path) -> None:
    """One file or folder into place; what stood there is kept."""
    if not place.exists():
        os.replace(part, place)
    elif _exchanged(part, place):
        os.replace(part, kept)
    else:
        os.replace(place, kept)
        try:
            os.replace(part, place)
        except OSError:
            os.replace(kept, place)
            raise


def _exchanged(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    here, exchange = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    try:
        call = ctypes.CDLL(None).renameat2
    except (OSError, AttributeError):
        return False
    return bool(call(here, os.fsencode(one), here, os.fsencode(other), exchange) == 0)
