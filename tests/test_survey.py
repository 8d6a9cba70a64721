"""Survey sheets: every chosen site has its page and its placemark, nothing of the data is formula, markup or path."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as Tree
from zipfile import ZipFile

import geopandas as gpd
import openpyxl
import pandas as pd
import pytest

from siteplan.errors import ExportError
from siteplan.export.master import PlanLayers
from siteplan.export.survey.facts import site_facts
from siteplan.export.survey.form import COLUMNS, LABEL_CELLS
from siteplan.export.survey.phone import slots
from siteplan.export.survey.sheet import safe_file_part, write_survey
from siteplan.tables import read_table

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
KML = "{http://www.opengis.net/kml/2.2}"
NASTY = ("=1+1", "<script>alert(1)</script>", "${x}", "`x`", "</script>", "../../x", "a\"b'c", "一\n二", "䶮𬭎㙍", "长" * 300,
         "<r><t>1</t></r>", "[x]:*?/\\", "'", "]]>", "&amp;", "\x01", "$[name]")


def row(**changes: Any) -> dict[str, Any]:
    """A chosen site in the words of the master."""
    known = {"name": "新城社区居民委员会", "rank_no": 1, "build_year": 2027, "kind": "宏站", "mount": "楼面抱杆", "build": "新建",
             "lon": 113.4182551, "lat": 22.4821666, "x_north_m": 2487308.715, "y_east_m": 440132.23, "ground_m": 62.5,
             "antenna_height_m": 21.6, "azimuths": "0|120|240", "venue_class": "社区居委会", "must_open": "是",
             "must_be_free": "是", "opens": "楼顶", "address": "榕树东路25号", "owner": "新城社区居民委员会", "department": "民政局",
             "networks": "移动|联通", "power_m": 101.0, "fibre_m": float("nan"), "town": "东门镇", "county": "溪东县",
             "unit_code": "XD-14", "reason": "第1位:短", "exposure_flag": "超过单站管理值"}
    return known | changes


def plan(*rows: dict[str, Any], more: dict[str, list[Any]] | None = None, **facts: Any) -> PlanLayers:
    """A plan of given sites; ``more``: columns that only the table of all sites has."""
    index = pd.Index([f"V-{number}" for number in range(len(rows))], name="site_id", dtype="str")
    places = gpd.points_from_xy([entry["y_east_m"] for entry in rows], [entry["x_north_m"] for entry in rows])
    sites = gpd.GeoDataFrame(pd.DataFrame(list(rows), index=index), geometry=places, crs="EPSG:4547")
    everything = gpd.GeoDataFrame(pd.DataFrame(more or {}, index=index), geometry=places, crs="EPSG:4547")
    study = {"name": "溪口市", "notices": ["合成数据"]} | facts
    return PlanLayers({"study": study, "parameters": {}}, {"sites": sites, "all_sites": everything})


def page_text(path: Path, sheet: str) -> list[str]:
    return [str(cell.value) for line in openpyxl.load_workbook(path)[sheet].iter_rows() for cell in line
            if cell.value is not None]


def form_slots() -> list[dict[str, Any]]:
    return [slot for block in read_table("survey_sheet")["blocks"] for line in block.get("rows", ()) for slot in line]


def placemarks(path: Path) -> list[Any]:
    with ZipFile(path) as parts:
        return list(Tree.fromstring(parts.read("doc.kml")).iter(f"{KML}Placemark"))


def test_a_page_tells_the_facts_and_leaves_room_for_the_rest(tmp_path: Path) -> None:
    layers = plan(row(), more={"choice_text": ["第1位:整段理由"], "evidence": ["公共设施 facilities.csv 第 494 行"],
                               "roof_area_m2": [198.8], "flags": ["bridge"]})
    assert [path.name for path in write_survey(layers, tmp_path)] == ["survey.xlsx", "survey.kmz"]
    book = openpyxl.load_workbook(tmp_path / "survey.xlsx")
    assert book.sheetnames == ["目录", "1 新城社区居民委员会"]
    told = page_text(tmp_path / "survey.xlsx", "1 新城社区居民委员会")
    for fact in ("2487308.715", "440132.23", "113.4182551", "21.6", "198.8", "移动、联通", "民政局", "第1位:整段理由", "120", "2027"):
        assert fact in told
    assert "不详" in told  # the distance to fibre is not known
    checks = next(text for text in told if text.startswith("□ ") and "电磁环境" in text)
    assert all(words in checks for words in ("桥上的杆", "超过单站管理值", "最近光缆", "facilities.csv 第 494 行"))
    assert any("EPSG:4547" in text for text in told)
    blank = [slot["label"] for slot in form_slots() if "value" not in slot]
    assert {"联系人", "联系电话", "可进场时间", "约定租金", "屋面承重", "引电功率", "光缆路由", "结论", "勘察人签字", "勘察日期"} <= set(blank)
    assert set(blank) <= set(told)
    assert {"北向全景", "建筑全貌", "进场通道"} <= set(told)
    assert "□ 可建      □ 需调整      □ 不可建" in told


def test_a_page_is_one_a4_sheet(tmp_path: Path) -> None:
    write_survey(plan(row()), tmp_path)
    sheet = openpyxl.load_workbook(tmp_path / "survey.xlsx").worksheets[1]
    assert (sheet.page_setup.paperSize, sheet.page_setup.orientation) == (9, "portrait")
    assert {sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight} <= {None, 1}  # 1 is what an absent one means
    assert sheet.sheet_properties.pageSetUpPr.fitToPage
    points = sum(sheet.row_dimensions[number].height or 15.0 for number in range(1, sheet.max_row + 1))
    inches = sheet.page_margins
    wide = 24 * 32 * 0.75  # points: 24 columns of 32 pixels
    scale = min((842 - 72 * (inches.top + inches.bottom)) / points, (595 - 72 * (inches.left + inches.right)) / wide)
    assert 0.85 < scale <= 1.0  # letters of 9 points are printed at 7.7 or more


@pytest.mark.parametrize(("secrecy", "left"), [
    ("2026年内部", "&8 2026年内部"), ("a&b", "&8 a&&b"), ("x" * 59 + "&&", "&8 " + "x" * 59 + "&&")],
    ids=["digits are no size", "no code", "cut before it is doubled"])
def test_the_footer_holds_the_words_of_the_study(tmp_path: Path, secrecy: str, left: str) -> None:
    layers = plan(row())
    layers.facts["parameters"]["deliver"] = {"title": {"secrecy": secrecy}}
    write_survey(layers, tmp_path)
    with ZipFile(tmp_path / "survey.xlsx") as parts:
        footer = Tree.fromstring(parts.read("xl/worksheets/sheet2.xml")).find(f".//{SHEET}oddFooter")
    assert footer is not None
    assert footer.text == f"&L{left}&R&8&A"


def test_a_page_has_few_cells(tmp_path: Path) -> None:
    """Columns stand only where a slot begins: 24 narrow ones made 1,400 cells a page, and half of the time."""
    write_survey(plan(row()), tmp_path)
    with ZipFile(tmp_path / "survey.xlsx") as parts:
        page = Tree.fromstring(parts.read("xl/worksheets/sheet2.xml"))
    assert sum(1 for _ in page.iter(f"{SHEET}c")) < 450
    wide = [float(column.get("width", "0")) * (int(column.get("max", "0")) - int(column.get("min", "0")) + 1)
            for column in page.iter(f"{SHEET}col")]
    assert sum(wide) == pytest.approx(24 * 32 / 7, rel=0.02)  # letters of 7 pixels: as wide as the form


def test_every_row_of_the_form_is_as_wide_as_the_form() -> None:
    table = read_table("survey_sheet")
    for block in table["blocks"]:
        for line in block.get("rows", ()):
            assert sum(LABEL_CELLS + slot["cells"] for slot in line) == COLUMNS, line
    assert sum(slot["cells"] for slot in table["sectors"]["columns"]) == COLUMNS


@pytest.mark.parametrize("duty", [("社区居委会", True), ("没有这一类", False)])
def test_duties_say_what_they_rest_on(duty: tuple[str, bool]) -> None:
    facts = site_facts(plan(row(venue_class=duty[0])))[0]
    assert bool(facts.text("basis")) == duty[1]


@pytest.mark.parametrize(("azimuths", "expected"), [
    ("0|120|240", ["0", "120", "240"]), ("全向", ["全向"]), ("", [""]), ("10|20|30|40", ["10", "20", "30", "40"])])
def test_sectors_follow_the_directions(azimuths: str, expected: list[str], tmp_path: Path) -> None:
    layers = plan(row(azimuths=azimuths, bands="n78|n28"))
    sectors = site_facts(layers)[0].sectors
    assert [sector["azimuth"] for sector in sectors] == expected
    assert {sector["bands"] for sector in sectors} == {"n78、n28"}
    write_survey(layers, tmp_path)
    assert page_text(tmp_path / "survey.xlsx", "1 新城社区居民委员会").count("n78、n28") == len(expected)


def test_columns_that_the_plan_lacks_are_not_known(tmp_path: Path) -> None:
    """Only names and ranks: the page is there, what is not known says so."""
    layers = plan({"name": "甲", "rank_no": 3, "x_north_m": 2487308.0, "y_east_m": 440132.0})
    write_survey(layers, tmp_path)
    told = page_text(tmp_path / "survey.xlsx", "3 甲")
    assert "2487308" in told
    assert told.count("不详") > 10
    assert len(placemarks(tmp_path / "survey.kmz")) == 1


def test_hostile_names_stay_text_on_every_page(tmp_path: Path) -> None:
    layers = plan(*(row(name=name, town=name, owner=name, reason=name, rank_no=number)
                    for number, name in enumerate(NASTY, 1)))
    write_survey(layers, tmp_path)
    book = openpyxl.load_workbook(tmp_path / "survey.xlsx")
    assert len(book.sheetnames) == len(NASTY) + 1
    assert {cell.data_type for sheet in book for line in sheet.iter_rows() for cell in line} <= {"s", "n"}
    names = [cell.value for cell in book["目录"]["C"]]
    assert all(name in names or f"{name} " in names or "\x01" in name for name in NASTY)
    links = [cell.hyperlink for line in book["目录"].iter_rows() for cell in line if cell.hyperlink]
    assert len({link.location for link in links}) == len(NASTY)
    assert not any(link.target for link in links)  # nothing leads out of the workbook


def test_the_phone_file_has_facts_and_empty_fields(tmp_path: Path) -> None:
    layers = plan(*(row(name=name, rank_no=number, town=name) for number, name in enumerate(NASTY, 1)))
    write_survey(layers, tmp_path)
    marks = placemarks(tmp_path / "survey.kmz")
    assert len(marks) == len(NASTY)
    names = {mark.findtext(f"{KML}name") for mark in marks}
    assert {f"{number} {name}" for number, name in enumerate(NASTY, 1) if name != "\x01"} <= names
    first = next(mark for mark in marks if (mark.findtext(f"{KML}name") or "").startswith("2 "))
    assert first.findtext(f"{KML}Point/{KML}coordinates") == "113.4182551,22.4821666"
    data = {entry.findtext(f"{KML}displayName"): entry.findtext(f"{KML}value") for entry in first.iter(f"{KML}Data")}
    assert (data["挂高(米)"], data["站址名称"]) == ("21.6", NASTY[1])
    assert {"联系人", "联系电话", "照片:北向全景"} <= {label for label, value in data.items() if not value}
    description = str(first.findtext(f"{KML}description"))
    assert "<script" not in description
    assert html.escape(NASTY[1]) in description


def test_icons_bear_the_number_of_the_site(tmp_path: Path) -> None:
    from PIL import Image

    write_survey(plan(row(), row(rank_no=2, kind="微站")), tmp_path)
    with ZipFile(tmp_path / "survey.kmz") as parts:
        icons = [name for name in parts.namelist() if name.endswith(".png")]
        asked = [mark.findtext(f"{KML}Style/{KML}IconStyle/{KML}Icon/{KML}href")
                 for mark in placemarks(tmp_path / "survey.kmz")]
        assert sorted(icons) == sorted(str(name) for name in asked) == ["icons/macro_1.png", "icons/micro_2.png"]
        with parts.open(icons[0]) as one, parts.open(icons[1]) as two:
            assert Image.open(one).convert("RGB").getpixel((24, 6)) != Image.open(two).convert("RGB").getpixel((24, 6))


def test_many_sites_are_split_by_town_and_none_is_lost(tmp_path: Path) -> None:
    """16 sites, 4 a workbook at most: a town of 9 in three parts, two of the same name in two counties."""
    towns = [("溪东县", "东门镇")] * 9 + [("溪东县", "城关镇")] * 3 + [("溪西县", "城关镇")] * 3 + [("", "")]
    layers = plan(*(row(rank_no=number, county=county, town=town) for number, (county, town) in enumerate(towns, 1)))
    names = [path.name for path in write_survey(layers, tmp_path, 4)]
    assert names == ["survey.xlsx", "survey_未注明镇街.xlsx", "survey_东门镇.xlsx", "survey_东门镇_2.xlsx", "survey_东门镇_3.xlsx",
                     "survey_城关镇.xlsx", "survey_溪西县_城关镇.xlsx", "survey.kmz"]
    counts = [len(openpyxl.load_workbook(tmp_path / name, read_only=True).sheetnames) - 1 for name in names[1:-1]]
    assert counts == [1, 4, 4, 1, 3, 3]
    index = openpyxl.load_workbook(tmp_path / "survey.xlsx")["目录"]
    files = [cell.value for line in index.iter_rows() for cell in line if str(cell.value).startswith("survey_")]
    assert {name: files.count(name) for name in names[1:-1]} == dict(zip(names[1:-1], counts, strict=True))


def test_a_town_without_sites_now_leaves_no_pages(tmp_path: Path) -> None:
    write_survey(plan(row(), row(rank_no=2, town="西门镇")), tmp_path, 1)
    assert (tmp_path / "survey_西门镇.xlsx").is_file()
    write_survey(plan(row(), row(rank_no=2)), tmp_path, 1)
    names = sorted(path.name for path in tmp_path.glob("*.xlsx"))
    assert names == ["survey.xlsx", "survey_东门镇.xlsx", "survey_东门镇_2.xlsx"]


def test_what_somebody_filled_in_is_never_replaced(tmp_path: Path) -> None:
    write_survey(plan(row()), tmp_path)
    write_survey(plan(row(owner="另一单位")), tmp_path)  # as the run wrote it: replaced
    book = openpyxl.load_workbook(tmp_path / "survey.xlsx")
    book["目录"]["M9"] = "2027-03-01"
    book.save(tmp_path / "survey.xlsx")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(ExportError, match="已被填写"):
        write_survey(plan(row()), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", NASTY)
def test_file_names_of_towns_lead_nowhere(name: str) -> None:
    part = safe_file_part(name)
    assert 0 < len(part) <= 40
    assert not set(part) & set("/\\.:*?\"<>|\n'`$&")


def test_same_plan_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        write_survey(plan(row()), tmp_path / name)
    for name in ("survey.xlsx", "survey.kmz"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_every_slot_is_on_the_phone_too() -> None:
    labels = [label for _, label, _ in slots(site_facts(plan(row()))[0])]
    assert {slot["label"] for slot in form_slots()} <= set(labels)
