"""The folder of letters: new drafts beside what the office has changed or added, never over it."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from siteplan.export._letters import write_letters
from siteplan.export._workbook import write_csv
from siteplan.opening import Letter

LIST = "letters.csv"
_NAME, _DIGEST = "文件", "摘要"
_COLUMNS = [_NAME, "主管部门", "场所数", "答复期限", _DIGEST, "备注"]
_BESIDE = "同名文件不是本程序写的或已被改动,原件未动,本稿另存"
_KEPT = "上次写的函件,本期不再需要;已被改动,保留未删"


@dataclass(frozen=True)
class EarlierLetters:
    """What a folder of letters holds before a run.

    Attributes
    ----------
    files : dict of str to str
        Names of all files but the list -> their digests.
    written : dict of str to str
        Names and digests in the list of the earlier run.
    """

    files: dict[str, str]
    written: dict[str, str]

    def is_ours(self, name: str) -> bool:
        """Whether a file is as the earlier run wrote it."""
        return name in self.files and self.files[name] == self.written.get(name)

    def dropped(self, names: Sequence[str]) -> list[str]:
        """Untouched letters of the earlier run that are not among ``names``."""
        return sorted(name for name in self.written if name not in names and self.is_ours(name))


NOTHING = EarlierLetters({}, {})


def digest_of(path: Path) -> str:
    """SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def earlier_letters(folder: Path) -> EarlierLetters:
    """What a folder holds; a list that cannot be read names nothing, so that every file there is left alone."""
    if not folder.is_dir():
        return NOTHING
    files = {path.name: digest_of(path) for path in folder.iterdir() if path.is_file() and path.name != LIST}
    try:
        with (folder / LIST).open(encoding="utf-8-sig", newline="") as listed:
            written = {row.get(_NAME) or "": row.get(_DIGEST) or "" for row in csv.DictReader(listed)}
    except (OSError, UnicodeDecodeError, csv.Error):
        written = {}
    return EarlierLetters(files, written)


def _free_names(name: str) -> Iterator[str]:
    """The name, then names beside it."""
    stem, _, kind = name.rpartition(".")
    yield name
    yield f"{stem}_新.{kind}"
    number = 2
    while True:
        yield f"{stem}_新{number}.{kind}"
        number += 1


def write_letter_files(letters: Sequence[Letter], draft: Path, template: bytes | None = None,
                       earlier: EarlierLetters = NOTHING) -> list[str]:
    """Write the letters and their list.

    Parameters
    ----------
    letters : sequence of Letter
    draft : Path
        Where the list is written; the letters beside it.
    template : bytes, optional
        A city's own template.
    earlier : EarlierLetters
        What stands where the drafts go to: a letter whose name is taken by a file that is not as the earlier run wrote
        it gets a name beside it (``_新``).

    Returns
    -------
    list of str
        Names of the letters.
    """
    rows: list[tuple[str, str, int | str, str, str, str]] = []
    names, plain = list[str](), set[str]()
    for letter, path in zip(letters, write_letters(letters, draft.parent, template).values(), strict=True):
        digest = digest_of(path)
        name = next(name for name in _free_names(path.name) if name not in earlier.files
                    or earlier.is_ours(name) or earlier.files[name] == digest)
        path.rename(path.with_name(name))
        names.append(name)
        plain.add(path.name)
        rows.append((name, letter.department, len(letter.venues), letter.reply_by, digest,
                     "" if name == path.name else _BESIDE))
    changed = [name for name in sorted(earlier.written) if name in earlier.files and not earlier.is_ours(name)]
    rows += [(name, "", "", "", "", _KEPT) for name in changed if name not in plain.union(names)]
    write_csv(pd.DataFrame(rows, columns=_COLUMNS), draft)
    return names
