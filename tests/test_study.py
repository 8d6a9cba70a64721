"""The study file: every problem told at once, in words that help."""

from __future__ import annotations

from pathlib import Path

import pytest

from siteplan.errors import StudyError
from siteplan.study import Study

GOOD = """
[study]
name = "试验"
crs = "EPSG:4547"
[layers.ground]
path = "dem.tif"
[layers.villages]
path = "villages.shp"
"""
HEAD = '[study]\nname = "试验"\ncrs = "EPSG:4547"\n'


def write(folder: Path, text: str) -> Path:
    file = folder / "study.toml"
    file.write_text(text, encoding="utf-8")
    return file


def test_defaults_are_filled_in(tmp_path: Path) -> None:
    study = Study.from_toml(write(tmp_path, GOOD))
    assert study.params.study.resolution_m == 10.0
    assert study.params.coverage.threshold_dbm == -105.0
    assert study.root == tmp_path
    assert len(study.sha256) == 64


def test_byte_order_mark_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(GOOD, encoding="utf-8-sig")
    assert Study.from_toml(file).params.study.name == "试验"


@pytest.mark.parametrize(("line", "nearest"), [
    ("[study]\nname='a'\nresolution = 5\n", "resolution_m"),
    ("[layers.vilages]\npath='v.shp'\n", "villages"),
    ("[layers.poles]\npath='p.csv'\nencodng='GBK'\n", "encoding"),
    ("[coverage]\nthreshold = -100\n", "threshold_dbm"),
    ("[gaps]\nvillage_rule = 'vilage_miit'\n", "village_miit_2025"),
    ("[coverag]\nthreshold_dbm = -100\n", "coverage"),
    ("[layers.facilities]\npath='f.csv'\ncolumns = { facilty_id = '编号' }\n", "是否应为 facility_id?"),
    ("[layers.poles]\npath='f.csv'\ncolumns = { '杆高' = '编号' }\n", "是否应为 height_m?"),
    ("[layers.poles]\npath='f.csv'\ncolumns = { qqq = '编号' }\n", "可用:pole_id"),
    ("[layers.heights]\npath='f.tif'\ncolumns = { height_m = 'b' }\n", "删去 columns"),
])
def test_unknown_key_suggests_the_nearest(tmp_path: Path, line: str, nearest: str) -> None:
    text = GOOD.replace(HEAD, "") if "[study]" in line else GOOD
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, text + line))
    assert any(nearest in problem.remedy for problem in caught.value.problems), caught.value


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    text = '[study]\nresolution_m = -3\n[layers.ground]\npath = 7\n[layers.pols]\npath="x"\n'
    text += "[selection]\nmax_sites = -1\n"
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, text))
    fields = {problem.field for problem in caught.value.problems}
    assert {"study.name", "study.resolution_m", "layers.pols", "layers", "selection.max_sites"} <= fields
    assert any(field.startswith("layers.ground.path") for field in fields)
    assert all(problem.file == "study.toml" and problem.remedy for problem in caught.value.problems)


def test_required_layers_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="ground 或 heights") as caught:
        Study.from_toml(write(tmp_path, '[study]\nname = "a"\n[layers.poles]\npath = "p.csv"\n'))
    assert "villages 或 zones" in str(caught.value)


@pytest.mark.parametrize("content", [b"[study\nname=1", b"\xff\xfe[study]", b'[study]\nname = "\xd6\xd0"\n'])
def test_unreadable_files_are_one_clear_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "study.toml"
    file.write_bytes(content)
    with pytest.raises(StudyError, match=r"study\.toml"):
        Study.from_toml(file)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(StudyError, match="打不开研究文件"):
            Study.from_toml(path)


def test_coordinates_are_columns_too(tmp_path: Path) -> None:
    text = GOOD + "[layers.poles]\npath='p.csv'\ncolumns = { pole_id = '号', lon = 'A', lat = 'B' }\n"
    assert Study.from_toml(write(tmp_path, text)).params.layers["poles"][0].columns["lon"] == "A"


@pytest.mark.parametrize(("line", "field", "words"), [
    ("[selection]\nmax_sites = 2.5", "selection.max_sites", "应为整数"),
    ("[selection]\nmax_sites = 'viele'", "selection.max_sites", "应为整数"),
    ("[selection]\nspacing_m = '5m'", "selection.spacing_m", '应为数(不加引号)(现为 "5m")'),
    ("[selection]\nspacing_m = nan", "selection.spacing_m", "应为有限的数"),
    ("[selection]\nmax_sites = -1", "selection.max_sites", "不得小于 0(现为 -1)"),
    ("[selection]\ndemand_cell_m = 5000", "selection.demand_cell_m", "不得大于 1000"),
    ("[gaps]\ngap_probability = 0.0", "gaps.gap_probability", "须大于 0"),
    ("[gaps]\ngap_probability = 1", "gaps.gap_probability", "须小于 1"),
    ("[candidates]\nserves = '*'", "candidates.serves", '应为列表,如 ["甲", "乙"](现为 "*")'),
    ("[candidates]\nserves = [true]", "candidates.serves.0", "应为文字(加引号)(现为 true)"),
    ("[coverage]\nmodel_macro = 'umi'", "coverage.model_macro", '只能写 "auto"、"uma"、"rma"'),
    ("[layers.poles]\npath = ''", "layers.poles.path", "不能为空"),
    ("[layers.poles]\npath = []", "layers.poles.path", "不能为空"),
    ("[layers.poles]\npath = 7", "layers.poles.path", "应为文件路径(加引号),或文件路径的列表(现为 7)"),
    ("[layers.poles]\npath = ['a', 7]", "layers.poles.path.1", "应为文件路径"),
    ("[layers.poles]\npath = 'a'\ncolumns = []", "layers.poles.columns", "应为表"),
    ("[layers]\npoles = 'a.csv'", "layers.poles", "应为表"),
    ("[coverage]\nindoor = 'no'", "coverage.indoor", '应为 true 或 false(不加引号)(现为 "no")'),
    ("[coverage]\nraise_above_roofs = 1", "coverage.raise_above_roofs", "应为 true 或 false(不加引号)(现为 1)"),
    ("[study]\nname = 'a'\nstand_in_5g = 'true'", "study.stand_in_5g", '应为 true 或 false(不加引号)(现为 "true")'),
])
def test_wrong_values_are_told_in_chinese(tmp_path: Path, line: str, field: str, words: str) -> None:
    text = GOOD.replace(HEAD, "") if line.startswith("[study]") else GOOD
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, line + text if line.startswith("[layers]") else text + line))
    (problem,) = caught.value.problems
    assert problem.field == field
    assert words in problem.reason
    assert not any(word in str(caught.value) for word in ("Input", "should", "valid", "Value", "must"))


def test_empty_name_and_yes_or_no(tmp_path: Path) -> None:
    text = GOOD.replace('name = "试验"', 'name = ""\nsynthetic = "maybe"')
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, text))
    assert {problem.field: problem.reason for problem in caught.value.problems} == {
        "study.name": '取值不对:不能为空,至少 1 个字(现为 "")',
        "study.synthetic": '取值不对:应为 true 或 false(不加引号)(现为 "maybe")'}


@pytest.mark.parametrize("fault", ["[coverage]\nthreshold_dbm = 'x'\n",
                                   "[equipment.antennas.macro_64t]\ngain_dbi = 'x'\n"])
def test_a_wrong_antenna_of_exposure_is_told_with_the_other_faults(tmp_path: Path, fault: str) -> None:
    """Neither faulty settings nor faulty equipment hide it; an antenna that a faulty entry adds is no second fault."""
    text = GOOD + fault + "[exposure.antennas.macro64t]\nfactor = 0.3\n[exposure.antennas.panel_x]\nfactor = 0.3\n"
    text += "[equipment.antennas.panel_x]\ngain_dbi = 15\nno_such_key = 1\n"
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, text))
    told = {problem.field: problem.remedy for problem in caught.value.problems}
    assert told["exposure.antennas.macro64t"] == "是否应为 macro_64t?"
    assert "exposure.antennas.panel_x" not in told
    assert any(field.startswith(("coverage.threshold", "equipment.antennas.macro_64t")) for field in told)


@pytest.mark.parametrize(("text", "told"), [
    ("[study]\nname = 试验", "第2行|等号右边的值"), ("[study\nname = 'a'", "第1行|节名缺少 ]"),
    ("[[layers.poles]\n", "第1行|节名缺少 ]]"), ("[study]\nname 'a'", "第2行|键后面缺少等号"),
    ("[study]\nname = 'a' crs = 'b'", "第2行|这里多了内容"), ("[study]\n名称 = 'a'", "第2行|这一行写法不对"),
    ('[layers.ground]\npath = "D:\\data\\dem.tif"', "第2行|双引号里的反斜杠"),
    ('[layers.ground]\npath = "D:\\Ufer\\a.tif"', "双引号里的反斜杠"),
    ('[study]\nname = "试验\ncrs = "EPSG:4547"\n', "第2行|文字缺少结尾的引号"), ("[study]\nname = 'a", "文件末尾"),
    ("[study]\nname = 'a'\nname = 'b'", "同一个键写了两次"), ("[study]\nname = 'a'\n[study]\n", "这一节已经写过"),
    ("[study]\nnotices = ['a', 'b'\n[gaps]\n", "列表缺少 ]"), ("[layers.poles]\ncolumns = { a = 'b'\n", "花括号"),
])
def test_syntax_errors_are_told_in_chinese(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(StudyError) as caught:
        Study.from_toml(write(tmp_path, text))
    (problem,) = caught.value.problems
    assert problem.reason.startswith("TOML 语法错误:")
    assert all(part in problem.reason for part in told.split("|"))
    assert not any(word in problem.reason for word in ("Invalid", "Expected", "line", "Cannot", "Un"))
