"""Which files of an output folder an export wrote, as it wrote them: only those are its own to replace."""

from __future__ import annotations

import csv
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from siteplan.errors import ExportError, Problem

LIST = "export-files.csv"
"""The list of our files, in each format's folder and in the output folder. No layer has such a name."""
_HEAD = ["文件", "字节", "SHA-256"]
_MOST_TOLD = 20
_CHUNK = 1 << 20
COMPANIONS = {
    "": r"\.aux\.xml|\.ovr|\.idx",
    ".shp": r"\.shp\.xml|\.sbn|\.sbx|\.qix|\.qpj|\.idm|\.ind|\.ain|\.aih|\.[a-z0-9_]{1,10}\.atx|\.shp\.[^/]*\.lock",
    ".dbf": r"\.dbf\.xml",
    ".gpkg": r"\.gpkg-(?:wal|shm|journal)",
    ".dxf": r"\.dwl2?",
}
"""Files that GIS and CAD programs make beside one of ours and can make again: by the ending of ours, what follows its
name. Those of every ending (``""``) follow the whole name or stand in place of the ending."""
_GDB_LOCK = re.compile(r"(?i)(?:.*/)?[^/]+\.gdb/[^/]*\.lock")
_UNSAVED = ("-wal", "-journal")
"""Companions that may hold what somebody has not yet saved: only empty ones are passed over."""


def write_list(folder: Path, *, over: Path | None = None) -> None:
    """The list of the files in a folder with their sizes and sums, into it: it is moved with them.

    Parameters
    ----------
    folder : Path
    over : Path, optional
        Where the files at the top of ``folder`` (only those are listed then) will be moved to, one by one, the list
        first. Those of our files that they replace are listed too: a program that is killed while moving leaves both.
    """
    found = [path for path in (folder.rglob("*") if over is None else folder.glob("*")) if path.is_file()]
    rows = {(path.relative_to(folder).as_posix(), *_print(path)) for path in found}
    known = {} if over is None else _listed(over)
    rows |= {(path.name, *_print(over / path.name)) for path in found if over is not None
             and _same(over / path.name, known.get(path.name))}
    with (folder / LIST).open("w", encoding="utf-8-sig", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(_HEAD)
        writer.writerows(sorted(rows))


def check_others(folder: Path, out: Path) -> None:
    """Refuse to replace what is not ours, or was changed since we wrote it.

    Parameters
    ----------
    folder : Path
        What is to be moved, its entries as they will stand in ``out``: folders are replaced whole.
    out : Path

    Raises
    ------
    ExportError
        Names the files that would be lost.
    """
    problems: list[Problem] = []
    at_top = _listed(out)
    for part in sorted(folder.iterdir()):
        place = out / part.name
        if place.is_dir():
            problems += [_problem(f"{part.name}/{name}", changed) for name, changed in _others(place)]
        elif os.path.lexists(place) and (part.name != LIST or not at_top) and not _same(place, at_top.get(part.name)):
            problems.append(_problem(part.name, part.name in at_top))
    if problems:
        more = f"(共 {len(problems)} 个,列出前 {_MOST_TOLD} 个)" if len(problems) > _MOST_TOLD else ""
        raise ExportError(f"导出目录 {out} 中有不能覆盖的文件,没有写出任何文件{more}:", problems[:_MOST_TOLD])


def _problem(name: str, changed: bool) -> Problem:
    reason = "导出之后被改动过,重新导出会丢失改动" if changed else "同名文件夹要整体替换,而这个文件不是导出写的"
    return Problem("export", name, "", "", reason, "把它移走,或换一个导出目录")


def _others(place: Path) -> Iterator[tuple[str, bool]]:
    """Files in a format's folder that we did not write (False), or that were changed since (True)."""
    ours = _listed(place)
    for path in sorted(place.rglob("*")):
        name = path.relative_to(place).as_posix()
        if (path.is_dir() and not path.is_symlink()) or (name == LIST and ours):
            continue
        if name in ours:
            if not _same(path, ours[name]):
                yield name, True
        elif not _is_companion(name, ours) or (name.endswith(_UNSAVED) and path.stat().st_size):
            yield name, False


def _is_companion(name: str, ours: dict[str, set[tuple[str, str]]]) -> bool:
    """Whether a GIS program made a file beside one of ours.

    >>> ours: dict[str, set[tuple[str, str]]] = {"gaps.shp": set(), "plan.gdb/gdb": set()}
    >>> [_is_companion(name, ours) for name in ("gaps.sbn", "gaps.shp.xml", "plan.gdb/_gdb.PC1.lock")]
    [True, True, True]
    >>> [_is_companion(name, ours) for name in ("gaps.docx", "x.sbn", "plan.gdb/notes.txt", "gaps/a.sbn")]
    [False, False, False, False]
    """
    if _GDB_LOCK.fullmatch(name):
        return any(own.startswith(f"{name.rsplit('/', 1)[0]}/") for own in ours)
    for own in ours:
        stem, ending = os.path.splitext(own)
        for start in (own, stem):
            rest = name[len(start):] if name.startswith(start) else ""
            if rest and (re.fullmatch(COMPANIONS[""], rest, re.IGNORECASE) or (
                    start == stem and re.fullmatch(COMPANIONS.get(ending.lower(), "(?!)"), rest, re.IGNORECASE))):
                return True
    return False


def _listed(folder: Path) -> dict[str, set[tuple[str, str]]]:
    """Size and sum of the files that the list of a folder names; empty where there is no list of ours."""
    try:
        with (folder / LIST).open(encoding="utf-8-sig", newline="") as handle:
            rows = list(csv.reader(handle))
    except (OSError, UnicodeDecodeError, csv.Error):
        return {}
    if not rows or rows[0] != _HEAD:
        return {}
    found: dict[str, set[tuple[str, str]]] = {}
    for row in rows[1:]:
        if len(row) == len(_HEAD):
            found.setdefault(row[0], set()).add((row[1], row[2]))
    return found


def _same(path: Path, known: set[tuple[str, str]] | None) -> bool:
    """Whether a file is as it was listed; sums are only taken where sizes agree."""
    if not known or not path.is_file() or str(path.stat().st_size) not in {size for size, _ in known}:
        return False
    size, found = _print(path)
    return (str(size), found) in known


def _print(path: Path) -> tuple[int, str]:
    """Size and SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as handle:
        while part := handle.read(_CHUNK):
            found.update(part)
    return path.stat().st_size, found.hexdigest()
