"""Files are written into a temporary folder, then moved into place one by one: no half of a deliverable is left."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from siteplan.errors import ExportError


def open_folder(target: Path) -> Path:
    """A new temporary folder inside the output folder, which is made when absent.

    Raises
    ------
    ExportError
        The folder cannot be made or written to.
    """
    try:
        target.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=".siteplan-", dir=target))
    except OSError as error:
        raise ExportError(f"成果目录 {target} 不能写入:{error.strerror or error}") from error


def check_folder(out: Path) -> None:
    """Raise ExportError when the output folder cannot be written to; leaves nothing behind."""
    new = [path for path in (out, *out.parents) if not path.exists()]
    open_folder(out).rmdir()
    for path in new:
        path.rmdir()


def write_files(out: Path, writers: Sequence[tuple[str, Callable[[Path], Any]]]) -> dict[str, Path]:
    """Write files into a folder, all or none.

    Parameters
    ----------
    out : Path
        Folder; made when absent. Files of an earlier run are replaced one by one when all new ones are ready.
    writers : sequence of (file name, writer)
        A writer is given the path to write to; it may write further files beside it.

    Returns
    -------
    dict
        File name -> path.

    Raises
    ------
    ExportError
        A file could not be written or did not read back; nothing in ``out`` was touched.
    """
    staging = open_folder(out)
    try:
        for name, writer in writers:
            draft = staging / name
            draft.parent.mkdir(parents=True, exist_ok=True)
            writer(draft)
        ready = sorted(path for path in staging.rglob("*") if path.is_file())
        in_the_way = [path.name for path in ready if (out / path.relative_to(staging)).is_dir()]
        if in_the_way:
            raise ExportError(f"成果目录 {out} 中有同名文件夹,无法写入:{'、'.join(in_the_way)}")
        for path in ready:
            place = out / path.relative_to(staging)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, place)
    except OSError as error:
        if isinstance(error, ExportError):
            raise
        raise ExportError(f"写出成果失败:{error.strerror or error}({error.filename or out})") from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return {name: out / name for name, _ in writers}
