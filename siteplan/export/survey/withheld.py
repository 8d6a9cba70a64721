"""What of a plan may not leave the bureau (不得外传清单): every file of its folders, what in it, why, who may have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from siteplan.errors import ExportError
from siteplan.export._folder_lock import LOCK, PREFIX
from siteplan.export._staging import write_files
from siteplan.export._workbook import add_sheet, open_book, without_markup
from siteplan.export.exchange.formats.workbook import sheet_cells
from siteplan.export.master import PlanLayers
from siteplan.tables import read_table

_SHEET = "不得外传清单"
UNVERIFIED = "依据须核实"
LEFTOVER = "leftover"
"""The level of what a killed program left: it may be a copy of everything."""
_HEAD = ("文件", "所在文件夹", "处理", "其中不得外传(或可公开)的内容", "可以提供给", "依据")
_WIDTHS = {0: 36.0, 1: 30.0, 2: 15.0, 3: 60.0, 4: 46.0, 5: 46.0}


class Handling(NamedTuple):
    """What is to be done with one file.

    Attributes
    ----------
    file : str
        Path inside the folder; a File GDB is one.
    level : str
        Key of ``levels`` of ``tables/withheld.toml``; ``unknown`` where no rule knows the file.
    content, who : str
    bases : tuple of str
        Keys of ``bases``.
    folder : str
        The folder that ``file`` lies in, as it was given.
    """

    file: str
    level: str
    content: str
    who: str
    bases: tuple[str, ...]
    folder: str = ""


def handling_of(files: Iterable[str], folder: str = "") -> list[Handling]:
    """What is to be done with files, by their names; none is left out.

    Examples
    --------
    >>> [(row.file, row.level) for row in handling_of(["public_list.csv", "certificate/surface.tif", "x.bin"])]
    [('certificate/surface.tif', 'withheld'), ('public_list.csv', 'public'), ('x.bin', 'unknown')]
    """
    rules = read_table("withheld")["rules"]
    found = []
    for file in sorted({_as_one(name) for name in files}):
        rule = next((rule for rule in rules
                     if any(fnmatchcase(file.lower(), pattern.lower()) for pattern in rule["files"])), None)
        found.append(Handling(file, "unknown", "规则没有列入这一文件:核对内容后确定", "确定之前不得外传", (), folder) if rule is None else
                     Handling(file, rule["level"], rule["content"], rule["who"], tuple(rule["bases"]), folder))
    return found


def _as_one(file: str) -> str:
    """Path of a file; of one inside a File GDB or the temporary folder of a run that of this folder."""
    parts = PurePosixPath(file).parts
    inside = next((number for number, part in enumerate(parts)
                   if part.lower().endswith(".gdb") or part.startswith(PREFIX)), len(parts))
    return "/".join(parts[:inside + 1])


def files_of(folder: Path, but: Sequence[Path] = ()) -> list[str]:
    """Paths of all files of an output folder; of the temporary folder of a run that is no more its own.

    Parameters
    ----------
    folder : Path
    but : sequence of Path
        Folders that are left out.

    Raises
    ------
    ExportError
        The folder cannot be read.
    """
    if not folder.is_dir():
        raise ExportError(f"成果目录 {folder} 不存在或不是文件夹")
    place, out = folder.resolve(), [path.resolve() for path in but]
    found = []
    for path in sorted(place.rglob("*")):
        is_left = path.name.startswith(PREFIX) and path.is_dir()
        if (is_left or (path.is_file() and path.name != LOCK)) and not any(path.is_relative_to(one) for one in out):
            found.append(_as_one(path.relative_to(place).as_posix()))
    return list(dict.fromkeys(found))


def handling_in(folders: Sequence[Path], path: Path, but: Sequence[Path] = ()) -> list[Handling]:
    """What is to be done with all files of some folders, the list itself at ``path`` among them; each is told once.

    Raises
    ------
    ExportError
        A folder cannot be read.
    """
    known: set[Path] = set()
    rows: list[Handling] = []
    for folder in folders:
        names = {name: folder.resolve() / name for name in files_of(folder, but)}
        if path.resolve().is_relative_to(folder.resolve()):
            names[path.resolve().relative_to(folder.resolve()).as_posix()] = path.resolve()
        rows += handling_of([name for name, place in names.items() if place not in known], str(folder))
        known |= set(names.values())
    return rows if path.resolve() in known else rows + handling_of([path.name], str(path.parent))


def write_withheld(layers: PlanLayers, folders: Path | Sequence[Path], path: Path) -> list[Handling]:
    """Write the list of what may not leave the bureau.

    Parameters
    ----------
    layers : PlanLayers
    folders : Path or sequence of Path
        The output folder, and those of exports, survey sheets and prints.
    path : Path
        The ``.xlsx``.

    Returns
    -------
    list of Handling
        One for each file, the list itself included; what a killed program left is one too.

    Raises
    ------
    ExportError
        A folder cannot be read, the list not written or not read back whole.

    Examples
    --------
    >>> write_withheld(read_plan_layers(Path("plan")), [Path("plan"), Path("survey")],
    ...                Path("survey/withheld.xlsx"))  # doctest: +SKIP
    """
    rows: list[Handling] = []
    given = [folders] if isinstance(folders, Path) else list(folders)

    def write(draft: Path) -> None:
        own = path.parent / draft.relative_to(path.parent).parts[0]  # the temporary folder that we write into now
        rows.extend(handling_in(given, path, [own]))
        _write_list(layers, given, rows, draft)

    handling_in(given, path)  # a folder that cannot be read is told before one is made
    write_files(path.parent, [(path.name, write)])
    return rows


def _write_list(layers: PlanLayers, folders: Sequence[Path], rows: Sequence[Handling], path: Path) -> None:
    table = read_table("withheld")
    levels, bases = table["levels"], table["bases"]
    first = [LEFTOVER, "unknown"]
    order = {level: number for number, level in enumerate([*first, *(name for name in levels if name not in first)])}
    listed = sorted(rows, key=lambda row: order[row.level])
    cells = [(without_markup(row.file), without_markup(row.folder), levels[row.level]["zh"], row.content, row.who,
              _bases_text(row.bases, bases))
             for row in listed]
    marks = {(number, 2): levels[row.level]["mark"] for number, row in enumerate(listed) if levels[row.level]["mark"]}
    marks |= {(number, 0): "bad" for number, row in enumerate(listed) if row.level in first}
    with open_book(path) as book:
        add_sheet(book, _SHEET, _HEAD, cells, _notes(layers, folders, rows), _WIDTHS, marks)
        told = [(entry["short"], entry["zh"], "已见文本" if entry["verified"] else UNVERIFIED, entry["source"])
                for key, entry in bases.items()]
        add_sheet(book, "依据", ["依据", "内容", "核实情况", "来源"], told, ["清单所列依据", f"标“{UNVERIFIED}”的未见到可引用的文本"],
                  {0: 40.0, 1: 70.0, 2: 14.0, 3: 60.0},
                  {(number, 2): "warn" for number, row in enumerate(told) if row[2] == UNVERIFIED})
    read = dict(sheet_cells(path, lambda name: name == _SHEET))[_SHEET]
    if [(row.get(0), row.get(1)) for row in read][-len(cells):] != [row[:2] for row in cells]:
        raise ExportError(f"{path.name} 读回检查未通过:所列文件与写出的不同")


def _bases_text(names: Sequence[str], bases: Mapping[str, Any]) -> str:
    """The bases of a rule in short, a line each; those without a citable text say so."""
    return "\n".join(bases[name]["short"] + ("" if bases[name]["verified"] else f"({UNVERIFIED})") for name in names)


def _notes(layers: PlanLayers, folders: Sequence[Path], rows: Sequence[Handling]) -> list[str]:
    """Lines over the list: how many files of each kind, what the plan holds, what is still missing."""
    study, levels = layers.facts.get("study", {}), read_table("withheld")["levels"]
    counts = Counter(row.level for row in rows)
    told = "、".join(f"{levels[level]['zh']} {counts[level]} 个" for level in levels if counts[level])
    sites, places = layers.layers["sites"], layers.layers["all_sites"].geometry
    hidden = int((places.isna() | places.is_empty).sum())
    number = str(study.get("map_approval_no") or "")
    return [f"{study.get('name', '')} 不得外传清单", f"共 {len(rows)} 项:{told}",
            without_markup(f"只列这些文件夹的文件:{'、'.join(map(str, folders))};写到别处的导出、图册、地图没有列入"),
            f"入选站址 {len(sites)} 处有精确坐标;候选表中 {hidden} 行涉密单位或无位置的站址已隐去名称或位置,不得凭其他资料补全后外传",
            f"审图号:{number}" if number else "审图号:未填写;任何地图公开之前须送审取得审图号",
            "本表按文件名列出处理建议,不替代定密;密级由本单位保密机构依法确定",
            *(str(notice) for notice in study.get("notices", ()))]
