"""A scratch folder where files stand under plain names: no library sees an odd name, or writes beside user files."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that is removed when done.

    >>> with scratch_folder() as folder:
    ...     folder.is_dir()
    True
    """
    with tempfile.TemporaryDirectory(prefix="siteplan-", ignore_cleanup_errors=True) as name:
        yield Path(name)


def stand_in(path: Path, folder: Path, name: str) -> Path:
    """The file (or folder) under another name in a scratch folder: a link where the system allows it, else a copy."""
    place = folder / name
    try:
        os.symlink(path.absolute(), place, target_is_directory=path.is_dir())
    except (OSError, NotImplementedError):
        if path.is_dir():
            shutil.copytree(path, place)
        else:
            shutil.copyfile(path, place)
    return place


def siblings(path: Path) -> dict[str, Path]:
    """Files of the same folder and stem by lower-case ending; of several spellings the one that matches best.

    A stem that differs in case counts only where no other does: ``A.SHP`` and ``a.dbf`` belong together.
    """
    found: dict[str, Path] = {}
    for item in sorted(path.parent.iterdir(), key=lambda item: (item.stem != path.stem, item.name)):
        if item.stem.casefold() == path.stem.casefold() and item.is_file():
            found.setdefault(item.suffix.lower(), item)
    found[path.suffix.lower()] = path
    return found
