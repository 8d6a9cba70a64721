"""Survey sheets (勘察表): workbooks with a printed page for each chosen site, and a file for the phone."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import BadZipFile, ZipFile

from siteplan.crs import crs_zh
from siteplan.errors import ExportError, Problem
from siteplan.export._staging import write_files
from siteplan.export._workbook import add_sheet, open_book, without_markup
from siteplan.export.exchange.formats.workbook import sheet_cells, sheet_names
from siteplan.export.master import PlanLayers
from siteplan.export.survey.facts import SiteFacts, site_facts
from siteplan.export.survey.form import add_form
from siteplan.export.survey.phone import write_phone_file
from siteplan.tables import read_table

WORKBOOK, PHONE = "survey.xlsx", "survey.kmz"
_INDEX = "目录"
_STAMP = b">2000-01-01T00:00:00Z</dcterms:modified>"
"""What a workbook of ours says of its last change; whoever saves it writes the time of day."""
_NO_TOWN = "未注明镇街"


def write_survey(layers: PlanLayers, out: Path, most_sites: int | None = None) -> tuple[Path, ...]:
    """Write the survey sheets of all chosen sites, all or none; a workbook that somebody filled in is never replaced.

    Parameters
    ----------
    layers : PlanLayers
    out : Path
        Folder; made when absent. ``survey.xlsx`` has an index and a page for each site; where there are more than
        ``most_sites`` it has the index, and ``survey_<town>.xlsx`` have the pages. ``survey.kmz`` has the same facts
        for a phone.
    most_sites : int, optional
        Pages of one workbook; that of ``tables/survey_sheet.toml`` when absent.

    Returns
    -------
    tuple of Path
        What was written, the index first.

    Raises
    ------
    ExportError
        A file could not be written, did not read back whole, or one in the way was changed since it was written.

    Examples
    --------
    >>> write_survey(read_plan_layers(Path("plan")), Path("plan/survey"))  # doctest: +SKIP
    (PosixPath('plan/survey/survey.xlsx'), PosixPath('plan/survey/survey.kmz'))
    """
    sites, head = site_facts(layers), _head(layers)
    most = read_table("survey_sheet")["most_sites"] if most_sites is None else most_sites
    parts = {} if len(sites) <= most else _by_town(sites, most)
    files = {number: name for name, numbers in parts.items() for number in numbers}
    books: dict[str, Callable[[Path], None]] = {
        WORKBOOK: lambda path: _write_book(path, sites, head, files if parts else None)}
    for name, numbers in parts.items():
        books[name] = partial(_write_book, sites=[sites[number] for number in numbers], head=head, files=None)
    old = _earlier(out)
    filled = [Problem("survey", name, "", "", "上次写出的勘察表已被填写或改动,不能覆盖", "换一个输出文件夹,或先把填写的表移走")
              for name in books if old.get(name) is False]
    if filled:
        raise ExportError("勘察表没有写出:", filled)
    write_files(out, [*books.items(), (PHONE, lambda path: write_phone_file(sites, head, path))])
    for name in (name for name, is_ours in old.items() if is_ours and name not in books):
        (out / name).unlink()  # a town without sites now: its pages would be taken for valid ones
    return tuple(out / name for name in (*books, PHONE))


def _earlier(out: Path) -> dict[str, bool]:
    """Names of survey workbooks in a folder -> whether they are as a run wrote them (nobody saved them since)."""
    found = {}
    for path in sorted(out.glob("survey*.xlsx")):
        try:
            with ZipFile(path) as parts:
                found[path.name] = _STAMP in parts.read("docProps/core.xml")
        except (OSError, KeyError, BadZipFile):
            found[path.name] = False
    return found


def safe_file_part(text: str) -> str:
    """A name as part of a file name: letters, digits and Chinese alone, 40 at most.

    >>> safe_file_part("溪口镇"), safe_file_part("../../x<y>"), safe_file_part("=|")
    ('溪口镇', 'x_y', '_')
    """
    plain = re.sub(r"[^0-9A-Za-z㐀-䶿一-鿿-]+", "_", text).strip("_")
    return plain[:40] or "_"


def _head(layers: PlanLayers) -> dict[str, str]:
    """What every page says of the plan."""
    study, deliver = layers.facts.get("study", {}), layers.facts.get("parameters", {}).get("deliver") or {}
    title = deliver.get("title") or {}
    crs = layers.layers["sites"].crs
    code = crs.to_epsg() if crs is not None else None
    return {"project": str(title.get("project") or study.get("name", "")),
            "secrecy": str(title.get("secrecy") or "内部资料"), "crs": f"{crs_zh(crs)},EPSG:{code}" if code else "坐标系未知",
            "notice": ";".join(str(notice) for notice in study.get("notices", ()))}


def _by_town(sites: Sequence[SiteFacts], most: int) -> dict[str, list[int]]:
    """Names of workbooks -> numbers of their sites: one for each town, parts of it where it has too many."""
    towns: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, site in enumerate(sites):
        towns[site.text("county"), site.text("town")].append(number)
    parts: dict[str, list[int]] = {}
    taken: set[str] = set()
    for (county, town), numbers in sorted(towns.items()):
        for start in range(0, len(numbers), most):
            plain = safe_file_part(town or _NO_TOWN)
            name, again = plain, 2
            if name.casefold() in taken and county and not start:
                name = f"{safe_file_part(county)}_{plain}"
            while name.casefold() in taken:
                name, again = f"{plain}_{again}", again + 1
            taken.add(name.casefold())
            parts[f"survey_{name}.xlsx"] = numbers[start:start + most]
    return parts


def _cell(value: Any) -> Any:
    return without_markup(value) if isinstance(value, str) else value


def _write_book(path: Path, sites: Sequence[SiteFacts], head: Mapping[str, str],
                files: Mapping[int, str] | None) -> None:
    """An index, and a page for each site unless they stand in other files; read back.

    Raises
    ------
    ExportError
        The file has not every site, or not every page.
    """
    names = sheet_names([f"{site.text('rank_no')} {site.text('name') or site.text('site_id')}" for site in sites])
    _draw_book(path, sites, head, names, files)
    index, pages = dict(sheet_cells(path, lambda name: name == _INDEX))[_INDEX], _page_names(path)
    ids = [site.text("site_id") for site in sites]
    column = [entry.get("value") for entry in read_table("survey_sheet")["index"]["columns"]].index("site_id")
    listed = [row[column] for row in index if column in row][1:]
    if listed != [str(_cell(name)) for name in ids] or pages != [_INDEX, *(names if files is None else [])]:
        raise ExportError(f"{path.name} 读回检查未通过:目录或页数与写出的不同")


def _page_names(path: Path) -> list[str]:
    """Names of all sheets of a workbook, each of which is read to its end."""
    from xml.etree import ElementTree as Tree
    from xml.parsers.expat import ExpatError, ParserCreate

    try:
        with ZipFile(path) as parts:
            for name in parts.namelist():
                if name.startswith("xl/worksheets/sheet"):
                    ParserCreate().Parse(parts.read(name), True)
            root = Tree.fromstring(parts.read("xl/workbook.xml"))
    except (ExpatError, Tree.ParseError, BadZipFile) as error:
        raise ExportError(f"{path.name} 读回检查未通过:{error}") from error
    return [str(sheet.get("name")) for sheet in root.iter() if sheet.tag.endswith("}sheet")]


def _draw_book(path: Path, sites: Sequence[SiteFacts], head: Mapping[str, str], names: Sequence[str],
               files: Mapping[int, str] | None) -> None:
    table = read_table("survey_sheet")["index"]
    with open_book(path, head["project"], is_small=True) as book:
        columns = table["columns"]
        last = "页" if files is None else "文件"
        where = names if files is None else [files[number] for number in range(len(sites))]
        rows = [[*(_cell(site.values.get(column.get("value", ""), "")) for column in columns), place]
                for site, place in zip(sites, where, strict=True)]
        notes = [f"{head['project']} {table['title']}", f"密级:{head['secrecy']};坐标为 CGCS2000 经纬度", head["notice"]]
        widths = {number: float(column["width"]) for number, column in enumerate(columns)}
        first = add_sheet(book, _INDEX, [*(column["label"] for column in columns), last], rows, notes,
                          {**widths, len(columns): 34.0})
        if files is not None:
            return
        index = book.get_worksheet_by_name(_INDEX)
        link = book.add_format({"border": 1, "valign": "top", "font_color": "#0563C1", "underline": 1})
        formats: dict[tuple[Any, ...], Any] = {}
        for number, (name, site) in enumerate(zip(names, sites, strict=True)):
            target = name.replace("'", "''")
            index.write_url(first + number, len(columns), f"internal:'{target}'!A1", link, name)
            add_form(book, book.add_worksheet(name), site, head, formats)
