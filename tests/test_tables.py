"""Plain tables: CSV in every habit, workbooks with titles, merged headers, formulas, hidden sheets, hostile parts."""

from __future__ import annotations

import datetime as dt
import re
import struct
import time
import zipfile

import numpy as np
import pytest
from openpyxl import Workbook

from siteplan.input_ledger import InputLedger
from siteplan.layers import read_layers
from siteplan.layers.file_log import FileLog
from siteplan.layers.formats import archives, delimited, spreadsheets
from siteplan.layers.formats.encodings import judge, mojibake
from siteplan.layers.formats.opening import open_tables
from siteplan.layers.formats.table_cells import find_header, known_words
from siteplan.params import LayerSource
from tests.pace import allowed_s

HEAD = "杆号,经度,纬度,杆高"
ROWS = "一号杆,113.38,22.52,9\n二号杆,113.39,22.53,8\n"


def open_all(path, layer="poles", **words):
    log = FileLog(layer, path.name, InputLedger())
    return list(open_tables(path, LayerSource(path=path.name, **words), log)), log


def table(path, layer="poles", **words):
    (raw,), log = open_all(path, layer, **words)
    assert not log.problems
    return raw, log


def fault(path, layer="poles", **words):
    raws, log = open_all(path, layer, **words)
    assert raws == []
    (problem,) = log.problems
    assert problem.remedy
    return problem


def told(log, action=None):
    return [line.reason for line in log.ledger if action in (None, line.action)]


def csv_of(path, text, encoding="utf-8"):
    path.write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return path


def book_of(path, sheets):
    """A workbook of titles and rows."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    book.save(path)
    book.close()
    return path


# ---------------------------------------------------------------- encodings

@pytest.mark.parametrize(("codec", "shown", "guessed"), [
    ("utf-8", "utf-8", False), ("utf-8-sig", "utf-8-sig", False), ("gbk", "gb18030", True),
    ("gb18030", "gb18030", True), ("utf-16", "utf-16", False), ("utf-16-le", "utf-16-le", True),
    ("utf-16-be", "utf-16-be", True),
])
def test_encodings_are_found_and_told_when_guessed(tmp_path, codec, shown, guessed):
    raw, log = table(csv_of(tmp_path / "a.csv", f"{HEAD}\n{ROWS}", codec))
    assert raw.encoding == shown
    assert raw.frame["杆号"].tolist() == ["一号杆", "二号杆"]
    assert [line.value for line in log.ledger if line.field == "encoding"] == ([shown] if guessed else [])
    assert raw.rows.tolist() == ["2", "3"]


def test_the_study_file_names_the_encoding(tmp_path):
    path = csv_of(tmp_path / "a.csv", f"{HEAD}\n{ROWS}", "gbk")
    raw, log = table(path, encoding="GBK")
    assert raw.encoding == "GBK"
    assert not list(log.ledger)
    problem = fault(path, encoding="utf-8")
    assert problem.field == "encoding"
    assert "第 1 行" in problem.reason
    log = open_all(path, encoding="GBKK")[1]
    assert log.mistakes[0].reason == "没有叫“GBKK”的编码"


def test_lines_of_two_encodings(tmp_path):
    path = csv_of(tmp_path / "a.csv", f"{HEAD}\n一号杆,113,22,9\n".encode() + "二号镇杆,113,22,8\n".encode("gb18030"))
    raw, log = table(path)
    assert raw.frame["杆号"].tolist() == ["一号杆", "二号镇杆"]
    assert [(line.row, line.action) for line in log.ledger] == [("3", "repaired")]
    assert "第 3 行" in fault(csv_of(tmp_path / "b.csv", f"{HEAD}\n一号杆,1,2,3\n".encode() + b"\xff\xff,1,2,3\n")).reason


def test_nulls_are_dropped_and_told(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", f"{HEAD}\n{ROWS}三号杆\0\0,113,22,8\n"))
    assert raw.frame["杆号"].tolist()[2] == "三号杆"
    assert any("2 个空字节（最先在第 4 行）" in reason for reason in told(log, "repaired"))


# ---------------------------------------------------------------- delimiters and lines

@pytest.mark.parametrize(("delimiter", "line"), [(",", 0), ("\t", 0), (";", 0), ("|", 0), ("，", 1), ("  ", 1)])
def test_delimiters_are_found(tmp_path, delimiter, line):
    raw, log = table(csv_of(tmp_path / "a.txt", f"{HEAD}\n{ROWS}".replace(",", delimiter)))
    assert raw.frame.columns.tolist() == HEAD.split(",")
    assert raw.frame["经度"].tolist() == ["113.38", "113.39"]
    assert len(told(log)) == line


def test_semicolons_with_decimal_commas(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", "杆号;经度;纬度;备注\nA;113,3801;22,52;1,234\nB;113,39;22,53;5,678\n"))
    assert raw.frame["经度"].tolist() == ["113.3801", "113.39"]
    assert raw.frame["纬度"].tolist() == ["22.52", "22.53"]
    assert raw.frame["备注"].tolist() == ["1,234", "5,678"]  # thousands, or decimals: not for the reader to say
    (line,) = log.ledger
    assert line.field == "经度、纬度"


def test_titles_blank_lines_and_line_numbers(tmp_path):
    text = f"西口市灯杆台账,,,\n\n{HEAD}\n一号杆,113,22,9\n,,,\n\n二号杆,113,22,8\n".replace("\n", "\r\n")
    raw, log = table(csv_of(tmp_path / "a.csv", text))
    assert raw.rows.tolist() == ["4", "7"]
    assert told(log) == ["表头在第 3 行，其上的标题行未读"]
    assert table(csv_of(tmp_path / "b.csv", f"sep=;\n{HEAD}\n{ROWS}".replace(",", ";")))[0].rows.tolist() == ["3", "4"]
    assert table(csv_of(tmp_path / "c.csv", f"{HEAD}\r{ROWS}".replace("\n", "\r")))[0].rows.tolist() == ["2", "3"]


def test_quotes(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", f'{HEAD},备注\n"一,号""杆",113,22,9,"第一行\n第二行"\n二号杆, "113.5",22,8,5" 管\n'))
    assert raw.frame["杆号"].tolist() == ['一,号"杆', "二号杆"]
    assert raw.frame["备注"].tolist() == ["第一行\n第二行", '5" 管']
    assert raw.frame["经度"].tolist() == ["113", "113.5"]
    assert raw.rows.tolist() == ["2", "4"]
    assert not list(log.ledger)


@pytest.mark.parametrize("broken", [
    '"三号杆,113,22,9\n', '三号杆,113,22,"9\n四号杆,113,22,8\n五号"杆,113,22,8\n',
    '"三号杆,113,22,9\n' + ROWS * 60, '"三号杆,113,22,9\n四号杆,113,22,8\n"五号杆",113,22,8\n'])
def test_an_unmatched_quote_swallows_nothing_silently(tmp_path, broken):
    problem = fault(csv_of(tmp_path / "a.csv", f"{HEAD}\n{ROWS}{broken}六号杆,113,22,8\n"))
    assert "第 4 行的引号没有成对" in problem.reason


def test_ragged_rows(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", f"{HEAD}\n一号杆,113,22\n二号杆,113,22,8,多,出\n三号杆,113,22,8,,\n"))
    assert raw.frame["杆高"].tolist() == [None, "8", "8"]
    assert [(line.row, line.value) for line in log.ledger] == [("3", "多")]


def test_long_lines_empty_files_and_headers_alone(tmp_path):
    assert "第 2 行超过" in fault(csv_of(tmp_path / "a.csv", f"{HEAD}\n{'x' * (1 << 21)}\n")).reason
    assert "没有任何内容" in fault(csv_of(tmp_path / "b.csv", "\ufeff\n\n , \n")).reason
    raw, _ = table(csv_of(tmp_path / "c.csv", HEAD))
    assert (len(raw.frame), raw.frame.columns.tolist()) == (0, HEAD.split(","))
    raw, _ = table(csv_of(tmp_path / "d.csv", f'{HEAD}\n"{"x" * 200_000}",1,2,3\n'))
    assert raw.frame["杆号"].tolist() == ["x" * 200_000]


def test_a_table_that_is_too_large(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "MAX_BYTES", 20)
    assert "大于" in fault(csv_of(tmp_path / "a.csv", f"{HEAD}\n{ROWS}")).reason


def test_formulas_in_text_are_text(tmp_path):
    text = f'{HEAD}\n=1+1,113,22,9\n@SUM(A1),113,22,8\n"=HYPERLINK(""http://x"",""点"")",1,2,3\n'
    raw, _ = table(csv_of(tmp_path / "a.csv", text))
    assert raw.frame["杆号"].tolist() == ["=1+1", "@SUM(A1)", '=HYPERLINK("http://x","点")']


def test_names_of_columns(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", "杆号, 经度 ,纬 度,杆高,杆高,,\n一号杆,1,2,3,4,,\n"))
    assert raw.frame.columns.tolist() == ["杆号", "经度", "纬 度", "杆高", "杆高#5"]
    assert told(log) == ["列名重复，采用前一列"]


def test_200000_rows_are_read_fast(tmp_path):
    rng = np.random.default_rng(7)
    lon, lat = 113.3 + rng.random(200_000) / 5, 22.4 + rng.random(200_000) / 5
    body = "".join(f"LP{n:07d},{x:.7f},{y:.7f},8,中山路,市城管局\n" for n, (x, y) in enumerate(zip(lon, lat, strict=True)))
    path = csv_of(tmp_path / "poles.csv", f"{HEAD},所在道路,权属单位\n{body}")
    began = time.process_time()
    raw, _ = table(path)
    spent = time.process_time() - began
    assert spent < allowed_s(4.0)  # some 0.6 s alone on a core; the whole ingest has 4
    assert len(raw.frame) == 200_000
    assert (raw.rows[0], raw.rows[-1]) == ("2", "200001")


# ---------------------------------------------------------------- headers

def test_headers_of_two_lines():
    known = known_words("stations", LayerSource(path="a.csv"))
    rows = [(1, ["工参表", None, None, None, None, None]), (2, ["小区号", "经纬度", None, "天线", None, "备注"]),
            (3, [None, "经度", "纬度", "挂高", "方位角", None]), (4, ["A", "113", "22", "30", "0", None])]
    header = find_header(rows, known)
    assert header.names == ["小区号", "经度", "纬度", "挂高", "方位角", "备注"]
    assert (header.lines, header.below) == ((2, 3), 3)
    repeated = find_header([(1, ["小区号", "一扇区", None, "二扇区", None]), (2, [None, "挂高", "方位角", "挂高", "方位角"])], known)
    assert repeated.names == ["小区号", "挂高", "方位角", "二扇区挂高", "二扇区方位角"]
    units = find_header([(1, ["小区号", "挂高", "方位角"]), (2, [None, "（米）", "度"]), (3, ["A", "30", "0"])], known)
    assert units.names == ["小区号", "挂高(米)", "方位角(度)"]
    assert units.below == 2
    data = find_header([(1, ["小区号", "名称"]), (2, ["宏站", "宏站"])], known)
    assert data.below == 1


def test_two_line_headers_of_a_workbook_go_through_the_ingest(tmp_path):
    path = tmp_path / "杆.xlsx"
    book = Workbook()
    sheet = book.active
    for row in (["灯杆普查表"], ["杆号", "经纬度", None, "杆高"], [None, "经度", "纬度", "（米）"], ["一号杆", 113.38, 22.52, 9]):
        sheet.append(row)
    for cells in ("A1:D1", "B2:C2", "A2:A3"):
        sheet.merge_cells(cells)
    book.save(path)
    book.close()
    (raw,), log = open_all(path)
    assert raw.frame.columns.tolist()[:3] == ["杆号", "经度", "纬度"]
    assert raw.rows.tolist() == ["4"]
    assert "表头由第 2、3 行合成（合并单元格或单位行）" in told(log, "assumed")


# ---------------------------------------------------------------- workbooks

def test_the_sheet_that_fits_is_read(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"说明": [["本表由城管局提供"]], "基站": [["小区号", "挂高", "方位角"], ["A", 30, 0]],
                                        "灯杆": [["台账"], HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]})
    raw, log = table(path)
    assert raw.rows.tolist() == ["3"]
    assert "读“灯杆”：列名最像这个图层" in told(log, "note")[0]
    assert table(path, "stations")[0].frame["挂高"].tolist() == [30]


def test_sheets_named_by_the_study_file(tmp_path):
    rows = [HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]
    path = book_of(tmp_path / "a.xlsx", dict.fromkeys(("东区", "西区", "南,区"), rows))
    log = FileLog("poles", "a.xlsx", InputLedger())
    raws = list(open_tables(path, LayerSource(path="a.xlsx", layer="东区, 西区"), log))
    assert [raw.rows.tolist() for raw in raws] == [["东区 2"], ["西区 2"]]
    assert len(list(open_tables(path, LayerSource(path="a.xlsx", layer="南,区"), log))) == 1
    assert not log.problems
    assert not list(open_tables(path, LayerSource(path="a.xlsx", layer="东曲"), log))
    assert log.problems[0].reason == "没有工作表“东曲”；有：东区、西区、南,区"
    assert "是否应为“东区”" in log.problems[0].remedy


def test_hidden_sheets_are_told(tmp_path):
    book = Workbook()
    for title, state in (("旧灯杆", "hidden"), ("灯杆", "visible"), ("密", "veryHidden")):
        sheet = book.create_sheet(title)
        sheet.append(HEAD.split(","))
        sheet.append([title, 113.38, 22.52, 9])
        sheet.sheet_state = state
    book.remove(book["Sheet"])
    book.save(tmp_path / "a.xlsx")
    book.close()
    raw, log = table(tmp_path / "a.xlsx")
    assert raw.frame["杆号"].tolist() == ["灯杆"]
    assert [(line.value, line.reason) for line in log.ledger] == [("旧灯杆、密", "隐藏的工作表未读")]
    log = FileLog("poles", "a.xlsx", InputLedger())
    (raw,) = open_tables(tmp_path / "a.xlsx", LayerSource(path="a.xlsx", layer="旧灯杆"), log)
    assert told(log) == ["读的是隐藏的工作表"]


def test_formulas_without_results_are_counted(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"灯杆": [[*HEAD.split(","), "备注"], ["一号杆", 113.38, 22.52, "=4+5", None],
                                                ["二号杆", "=113+0.39", 22.53, 8, "=A1"]]})
    raw, log = table(path)
    assert raw.frame["杆高"].tolist() == [None, 8]
    (line,) = log.ledger
    assert line.reason == "3 个公式没有保存结果，读作空"
    assert line.value == "D2、B3、E3"
    assert "保存一次" in line.remedy


def test_formulas_with_results_are_read(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"灯杆": [HEAD.split(","), ["一号杆", 113.38, 22.52, "=4+5"]]})
    rewrite(path, {"xl/worksheets/sheet1.xml": lambda text: re.sub(rb"<v></v>|<v ?/>", b"<v>9</v>", text)})
    raw, log = table(path)
    assert raw.frame["杆高"].tolist() == [9]
    assert not list(log.ledger)


def rewrite(path, parts):
    """Change parts of a workbook: name -> function of its bytes."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, parts[name](data) if name in parts else data)
    return path


def test_cells_of_every_kind(tmp_path):
    book = Workbook()
    sheet = book.active
    sheet.append(["杆号", "经度", "纬度", "杆高", "安装日期", "是否通电", "完好率"])
    sheet.append([1001, 113.38, 22.52, "#N/A", dt.date(2023, 5, 1), True, 0.95])
    sheet.append(["1002", 113.39, 22.53, 8, "2023年6月", "是", 0.9])
    sheet["D2"].data_type = "e"
    sheet["G2"].number_format = "0.0%"
    book.save(tmp_path / "a.xlsx")
    book.close()
    raw, log = table(tmp_path / "a.xlsx")
    assert raw.frame["杆高"].tolist() == [None, 8]
    assert raw.frame["是否通电"].tolist() == [True, "是"]
    assert raw.frame["安装日期"].tolist()[0] == dt.datetime(2023, 5, 1)  # noqa: DTZ001
    repaired = [(line.row, line.field, line.value) for line in log.ledger if line.action == "repaired"]
    assert repaired == [("2", "杆高", "#N/A")]
    assert any("百分比" in reason for reason in told(log, "note"))


def test_a_workbook_under_another_name_is_read_with_a_line(tmp_path):
    book_of(tmp_path / "a.xlsx", {"灯杆": [HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]})
    for name in ("b.xls", "b.csv", "b.et", "b.txt"):
        (tmp_path / name).write_bytes((tmp_path / "a.xlsx").read_bytes())
        raw, log = table(tmp_path / name)
        assert raw.frame["杆号"].tolist() == ["一号杆"]
        (line,) = log.ledger
        assert line.remedy == "改名为 .xlsx"
    raw, log = table(csv_of(tmp_path / "c.xls", f"{HEAD}\n{ROWS}".replace(",", "\t"), "gbk"))
    assert len(raw.frame) == 2
    assert any("扩展名是 .xls，内容是普通文本" in reason for reason in told(log, "note"))


def test_a_workbook_with_entities_is_refused(tmp_path):
    bomb = b"<!DOCTYPE a [<!ENTITY a 'x'><!ENTITY b '&a;&a;&a;'>]>"
    for part in ("xl/worksheets/sheet1.xml", "xl/workbook.xml", "xl/styles.xml", "[Content_Types].xml"):
        path = book_of(tmp_path / "a.xlsx", {"灯杆": [HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]})
        rewrite(path, {part: lambda text: text[:text.find(b"?>") + 2] + bomb + text[text.find(b"?>") + 2:]
                       if text.startswith(b"<?xml") else bomb + text})
        problem = fault(path)
        assert "DOCTYPE" in problem.reason
        assert part in problem.reason


def test_bombs_and_huge_claims(tmp_path, monkeypatch):
    rows = [HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]
    path = book_of(tmp_path / "a.xlsx", {"灯杆": rows})
    rewrite(path, {"xl/worksheets/sheet1.xml": lambda text: text.replace(b"A1:D2", b"A1:XFD1048576")})
    assert len(table(path)[0].frame) == 1  # the claim is not believed
    rewrite(path, {"xl/worksheets/sheet1.xml": lambda text: text.replace(b'r="2"', b'r="2000000000"')
                   .replace(b'"A2"', b'"A2000000000"')})
    assert "超过" in fault(path).reason
    path = book_of(tmp_path / "b.xlsx", {"灯杆": rows})
    rewrite(path, {"xl/worksheets/sheet1.xml": lambda text: text + b" " * (60 << 20)})
    assert "压缩炸弹" in fault(path).reason
    path = book_of(tmp_path / "c.xlsx", {"灯杆": rows * 20})
    monkeypatch.setattr(spreadsheets, "MAX_CELLS", 50)
    assert "超过 50 个单元格" in fault(path).reason
    assert "部件" in archives.office_fault(path, archives.Limits(members=2)).reason


def test_broken_workbooks(tmp_path):
    path = book_of(tmp_path / "a.xlsx", {"灯杆": [HEAD.split(","), ["一号杆", 113.38, 22.52, 9]]})
    data = path.read_bytes()
    for cut in (200, len(data) // 2, len(data) - 30):
        (tmp_path / "cut.xlsx").write_bytes(data[:cut])
        assert fault(tmp_path / "cut.xlsx")
    for part in ("xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml", "[Content_Types].xml"):
        for change in (lambda text: text[:len(text) // 2], lambda text: b"", lambda text: b"<a/>",
                       lambda text: b"\0" * 50):
            (tmp_path / "b.xlsx").write_bytes(data)
            rewrite(tmp_path / "b.xlsx", {part: change})
            raws, log = open_all(tmp_path / "b.xlsx")
            assert bool(raws) or bool(log.problems), part


def test_flipped_bits_of_tables_end_in_tables_or_problems(tmp_path):
    rows = [HEAD.split(","), ["一号杆", 113.38, 22.52, "=9"], ["二号杆", 1, 2, 3]]
    book = book_of(tmp_path / "a.xlsx", {"灯杆": rows}).read_bytes()
    text = f'{HEAD}\n"一,号杆",113.38,22.52,9\n{ROWS}'.encode("gbk")
    rng = np.random.default_rng(11)
    for name, data in (("m.xlsx", book), ("m.csv", text)):
        for _ in range(60):
            changed = bytearray(data)
            for place in rng.integers(0, len(changed), rng.integers(1, 12)):
                changed[place] ^= 1 << int(rng.integers(0, 8))
            (tmp_path / name).write_bytes(changed[:int(rng.integers(len(changed) // 2, len(changed) + 1))])
            raws, log = open_all(tmp_path / name)
            assert len(raws) <= 1
            assert bool(raws) or bool(log.problems)


# ---------------------------------------------------------------- through the ingest

def test_counts_of_the_ingest(tmp_path):
    import geopandas as gpd
    import rasterio
    import shapely
    from affine import Affine

    east, north, crs = 437000.0, 2491000.0, "EPSG:4547"
    with rasterio.open(tmp_path / "dem.tif", "w", driver="GTiff", height=9, width=9, count=1, dtype="float32", crs=crs,
                       transform=Affine(500, 0, east - 1000, 0, -500, north + 3000)) as data:
        data.write(np.full((9, 9), 5.0, np.float32), 1)
    square = shapely.box(east, north, east + 900, north + 900)
    area = gpd.GeoDataFrame({"id": ["b"], "村代码": ["01"]}, geometry=[square], crs=crs)
    area.to_file(tmp_path / "b.gpkg")
    lines = [f"{n},{east + n},{north + n},8" for n in range(5)]
    members = {"北/杆.csv": "\n".join(["编号,x,y,杆高", *lines]), "南/杆.csv": "\n".join(["编号,x,y,杆高", "9,,,8", *lines[:2]])}
    with zipfile.ZipFile(tmp_path / "杆.zip", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    found = read_layers({"boundary": LayerSource(path="b.gpkg"), "villages": LayerSource(path="b.gpkg"),
                         "ground": LayerSource(path="dem.tif"),
                         "poles": LayerSource(path="杆.zip", member="*.csv", crs=crs)}, crs, tmp_path)
    file = next(file for file in found.files if file.layer == "poles")
    refused = {line.row for line in found.ledger if line.layer == "poles" and line.action == "refused"}
    assert file.rows_in + file.rows_made == file.rows_kept + file.rows_refused == 8
    assert len(refused) == file.rows_refused
    assert "南/杆.csv 2" in refused


@pytest.mark.shared
@pytest.mark.parametrize(("path", "rows"), [
    ("chengdu/radio/cells.csv", 3313), ("shanghai/shanghai_school.csv", None),
    ("badinput/generated/cell_table_nasty.csv", 5), ("badinput/terragraph-planner/test_csv_with_latlon_strings.csv", 3),
    ("chengdu/facilities_population/demand_grids.xlsx", None), ("street_lamps/ansan_streetlights.csv", 43553),
    ("badinput/mapshaper/gbk.dbf", None), ("shanghai/base_stations_all.csv", None),
])
def test_real_tables(shared, path, rows):
    raw, _ = table(shared("data") / path, "stations")
    assert len(raw.frame) == len(raw.rows) > 0
    assert rows in (None, len(raw.frame))


def dbf_of(path, fields, rows, encoding="gbk"):
    """A .dbf of (name, type, width) and rows of text; a row that begins with * is deleted."""
    width = 1 + sum(size for _, _, size in fields)
    head = bytes([3, 123, 5, 1]) + struct.pack("<IHH", len(rows), 33 + 32 * len(fields), width) + bytes(20)
    for name, kind, size in fields:
        head += name.encode(encoding)[:10].ljust(11, b"\0") + kind.encode() + bytes(4) + bytes([size]) + bytes(15)
    body = b"".join((b"*" if row[0] == "*" else b" ") + b"".join(
        cell.encode(encoding).ljust(size) for cell, (_, _, size) in zip(row[-len(fields):], fields, strict=True))
        for row in rows)
    path.write_bytes(head + b"\r" + body + b"\x1a")
    return path


def test_a_dbf_alone_is_a_table(tmp_path):
    fields = [("杆号", "C", 12), ("经度", "N", 12), ("纬度", "N", 12), ("备注", "M", 10)]
    rows = [["一号路灯杆", "113.38", "22.52", ""], ["*", "废杆", "1", "2", ""], ["二号路灯杆", "113.39", "", ""]]
    path = dbf_of(tmp_path / "a.dbf", fields, rows)
    raw, log = table(path)
    assert raw.frame["杆号"].tolist() == ["一号路灯杆", "二号路灯杆"]
    assert raw.frame["纬度"].tolist() == ["22.52", None]
    assert raw.rows.tolist() == ["1", "3"]
    assert {"1 行标记为已删除，未读", "备注字段未读"} <= set(told(log, "note"))
    path.write_bytes(path.read_bytes()[:-30])
    assert any("只有 2 行完整" in reason for reason in told(table(path)[1]))
    path.write_bytes(path.read_bytes()[:100])
    assert fault(path)


# ---------------------------------------------------------------- GBK that is UTF-8 too, UTF-16 without BOM

@pytest.mark.parametrize("word", ["学校", "住宅", "小学", "医院", "微站", "住宅楼", "农贸", "A学校", "砖2"])
def test_gbk_words_that_are_valid_utf8_are_not_read_as_letters(tmp_path, word):
    raw, log = table(csv_of(tmp_path / "a.csv", f"id,x,y,name\n1,113,22,{word}\n", "gbk"))
    assert raw.frame["name"].tolist() == [word]
    (line,) = [line for line in log.ledger if line.field == "encoding"]
    assert (line.value, line.action) == ("gb18030", "assumed")
    assert re.search("[一-龥]+", word)[0] in line.reason
    raw, log = table(dbf_of(tmp_path / "a.dbf", [("ID", "C", 4), ("NAME", "C", 12)], [["1", word]]))
    assert raw.frame["NAME"].tolist() == [word]
    assert any(line.action == "assumed" and word in line.reason for line in log.ledger)
    assert mojibake([word]) == ""


@pytest.mark.parametrize("word", ["é", "ü", "Ω", "µΩ", "5°С", "м²", "Привет", "Ελλάδα", "Zürich", "šķīvis", "café"])
def test_real_utf8_letters_are_not_read_as_hanzi(tmp_path, word):
    raw, log = table(csv_of(tmp_path / "a.csv", f"id,x,y,name\n1,113,22,{word}\n"))
    assert raw.frame["name"].tolist() == [word]
    assert not list(log.ledger)
    assert judge([word.encode()]).encoding == "utf-8"


def test_letters_that_could_be_hanzi_as_well_are_told(tmp_path):
    raw, log = table(csv_of(tmp_path / "a.csv", "id,x,y,name\n1,113,22,зона\n"))
    assert raw.frame["name"].tolist() == ["зона"]
    assert any("按 GB18030 则是" in reason for reason in told(log, "assumed"))


def test_a_mif_of_gbk_words_that_are_valid_utf8(tmp_path):
    (tmp_path / "a.mif").write_bytes(b'Version 300\nCharset "Neutral"\nDelimiter ","\nCoordSys Earth Projection 1, 0\n'
                                     b"Columns 1\n  NAME Char(20)\nData\n\nPoint 113.38 22.52\n")
    (tmp_path / "a.mid").write_bytes('"学校"\n'.encode("gbk"))
    raw, log = table(tmp_path / "a.mif")
    assert raw.frame["NAME"].tolist() == ["学校"]
    assert any("学校" in reason for reason in told(log, "assumed"))
    assert not any("乱码" in reason for reason in told(log))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("body", [
    ROWS, "".join(f"人民中路与建设大道交叉口东北侧第{n}号一体化路灯杆,113,22,九米\n" for n in "一二三四五六七八九十")])
def test_utf16_without_bom_is_not_taken_for_binary(tmp_path, codec, body):
    path = csv_of(tmp_path / "a.csv", f"{HEAD}\n{body}", codec)
    raw, _ = table(path)
    assert raw.encoding == codec
    assert raw.frame["杆号"].tolist() == [line.split(",")[0] for line in body.splitlines()]
    assert table(path, encoding=codec)[0].frame.equals(raw.frame)


def test_binary_with_nulls_is_still_no_table(tmp_path):
    rng = np.random.default_rng(3)
    for data in (rng.integers(0, 300, 4000).astype("<u2").tobytes(), rng.integers(0, 50, 4000).astype("<u4").tobytes(),
                 rng.normal(size=2000).tobytes(), rng.integers(0, 9000, 4000).astype(">u2").tobytes()):
        assert fault(csv_of(tmp_path / "a.csv", data))


# ---------------------------------------------------------------- merged cells, sheets alike

def merged_book(path, rows, ranges):
    book = Workbook()
    sheet = book.active
    for row in rows:
        sheet.append(row)
    for cells in ranges:
        sheet.merge_cells(cells)
    book.save(path)
    book.close()
    return path


def test_merged_data_cells_are_filled_down(tmp_path):
    rows = [["基站工参", None, None, None, None], ["站名", "经度", "纬度", "小区号", "方位角"], ["甲站", 113.38, 22.52, "A1", 0],
            [None, None, None, "A2", 120], [None, None, None, "A3", 240], ["乙站", 113.39, 22.53, "B1", 0],
            ["以上为 2024 年底数据", None, None, None, None], ["丙站", 113.4, 22.54, "C1", None]]
    path = merged_book(tmp_path / "a.xlsx", rows, ["A1:E1", "A3:A5", "B3:B5", "C3:C5", "A7:E7"])
    raw, log = table(path, "stations")
    assert raw.frame["站名"].tolist()[:4] == ["甲站", "甲站", "甲站", "乙站"]
    assert raw.frame["经度"].tolist() == [113.38, 113.38, 113.38, 113.39, None, 113.4]
    assert raw.frame["方位角"].tolist() == [0, 120, 240, 0, None, None]
    assert raw.rows.tolist() == ["3", "4", "5", "6", "7", "8"]
    assert told(log, "repaired") == ["3 处合并单元格，2 行的空格按合并区的首格补上"]


def test_hostile_merged_ranges_neither_hang_nor_spread(tmp_path, monkeypatch):
    rows = [HEAD.split(","), ["一号杆", 113.38, 22.52, 9], ["二号杆", 113.39, 22.53, None]]
    path = merged_book(tmp_path / "a.xlsx", rows, ["D2:D3"])
    for ref, good in ((b"D2:XFD1048576", True), (b"D2:D2000000000", False), (b"D3:D2", False), (b"nonsense", False)):
        rewrite(path, {"xl/worksheets/sheet1.xml": lambda text, ref=ref: re.sub(
            rb'(<mergeCell ref=)"[^"]*"', rb'\1"' + ref + b'"', text)})
        assert table(path)[0].frame["杆高"].tolist() == [9, 9] if good else "不是可读的 XLSX" in fault(path).reason
    path = merged_book(tmp_path / "b.xlsx", [HEAD.split(","), ["一号杆", 1, 2, 9], ["二号杆", 1, 2, 3]], ["A2:A3", "D2:D3"])
    monkeypatch.setattr(spreadsheets, "_MAX_MERGED", 1)
    assert "合并单元格超过" in fault(path).reason


def test_sheets_of_the_same_header_are_all_read(tmp_path):
    head = ["站名", "经度", "纬度", "挂高"]
    sheets = {name: [head, [f"{name}一站", 113.38, 22.52, 30]] for name in ("移动", "电信", "联通")}
    path = book_of(tmp_path / "a.xlsx", {"说明": [["本表由三家提供"]], **sheets, "模板": [head]})
    raws, log = open_all(path, "stations")
    assert [raw.rows.tolist() for raw in raws] == [["移动 2"], ["电信 2"], ["联通 2"]]
    (line,) = [line for line in log.ledger if line.action == "assumed"]
    assert line.value == "移动、电信、联通"
    assert line.remedy == "只要其中一个时写明 layer"
    log = FileLog("stations", "a.xlsx", InputLedger())
    (raw,) = open_tables(path, LayerSource(path="a.xlsx", layer="电信"), log)
    assert raw.rows.tolist() == ["2"]
    assert not told(log)
