"""What a newcomer reads is true: links lead somewhere, tables agree with the code, the examples run."""

from __future__ import annotations

import importlib.util
import re
import runpy
import tomllib
from pathlib import Path
from types import ModuleType

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rasterio
from conftest import CRS, SIZE_M, X0, Y0, at, rect
from rasterio.transform import from_origin
from typer.testing import CliRunner

import siteplan as sp
from siteplan.cli import app
from siteplan.datums import from_wgs84
from siteplan.export._detailed_plan import site_fields
from siteplan.export._plan import FILES
from siteplan.export.exchange.bundle import FORMATS
from siteplan.export.exchange.own_files import LIST as LISTED
from siteplan.export.master.plan_layers import FILES as MASTER_FILES
from siteplan.params import DeliverParams
from siteplan.profiles import PLACE_COLUMNS, load_profiles, master_columns
from siteplan.register import register_tables
from siteplan.register.list_kinds import KINDS
from siteplan.report.documents import DOCUMENTS
from siteplan.report.pack import BOOK, LETTERS, MAP, PAGE
from siteplan.study._deliver import PUBLIC_MAP, REVIEW_MAP
from siteplan.tables import read_table

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "README.zh-CN.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
READMES = PAGES[:2]
MAX_PICTURE_BYTES = 600_000
DELIVERIES = {"README.md": "Hand it on", "README.zh-CN.md": "送出去"}
WHEN_ASKED = (PUBLIC_MAP, "profiles/")
"""Written where the study file asks for them."""


def read(path: Path) -> str:
    return path.read_text("utf-8")


def blocks(path: Path, language: str) -> list[str]:
    """Code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", read(path), re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The script that writes pages from the code."""
    spec = importlib.util.spec_from_file_location("make_pages", ROOT / "docs" / "make_pages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files(page: Path) -> None:
    links = [link.split("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", read(page))]
    own = [link for link in links if link and not link.startswith(("http:", "https:"))]
    assert [link for link in own if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_readme_shows_the_two_commands_and_two_pictures(page: Path) -> None:
    text = read(page)
    assert re.search(r"^make demo\b", text, re.MULTILINE)
    assert re.search(r"^make test\b", text, re.MULTILINE)
    pictures = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", text)
    assert pictures == ["docs/pictures/review_map.png", "docs/pictures/atlas_sheet.png"]
    assert text.index(pictures[0]) < text.index("make demo")


def test_pictures_are_small() -> None:
    pictures = sorted((ROOT / "docs" / "pictures").iterdir())
    assert pictures
    assert {path.name: path.stat().st_size for path in pictures if path.stat().st_size > MAX_PICTURE_BYTES} == {}
    assert {path.suffix for path in pictures} == {".png"}


def test_every_key_has_a_chinese_sentence(maker: ModuleType) -> None:
    assert maker.faults() == []


@pytest.mark.parametrize("name", ["study-file.md", "layers.md", "formats.md", "outputs.md", "rules-and-numbers.md",
                                  "venues.md", "coverage.md", "exchange.md", "profiles.md", "register.md"])
def test_pages_written_from_the_code_are_up_to_date(maker: ModuleType, name: str) -> None:
    """Mend with: python docs/make_pages.py."""
    assert read(ROOT / "docs" / name) == maker.pages()[name]


def test_outputs_name_the_files_that_are_written() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", read(ROOT / "docs" / "outputs.md").split("\n## ")[0], re.MULTILINE)
    written = [name for name, _ in FILES]
    assert sorted(rows) == sorted([*written, REVIEW_MAP, "shp/sites_fields.csv", *WHEN_ASKED])
    for page in READMES:
        assert [name for name in rows if f"`{name}`" not in read(page)] == [], page.name


@pytest.mark.parametrize("page", ["outputs.md", "register.md"])
def test_files_of_a_report_are_named(page: str) -> None:
    part = next(part for part in read(ROOT / "docs" / page).split("\n## ") if part.startswith("半年报："))
    written = {BOOK, MAP, PAGE, LISTED, *(name for name in DOCUMENTS if name != "reminder_letter.docx")}
    named = set(re.findall(r"`([a-z_-]+\.(?:xlsx|docx|png|html|csv))`", part.split("`half_year.xlsx` 第一页")[0]))
    assert named == written
    assert f"`{LETTERS}/" in part


def test_templates_of_a_report_are_named() -> None:
    part = read(ROOT / "docs" / "register.md").split("<!-- placeholders -->")[1].split("<!-- /")[0]
    assert re.findall(r"^\| `([\w.]+)` \|", part, re.MULTILINE) == list(DOCUMENTS)


def test_register_page_tells_of_every_kind_of_list_and_every_table() -> None:
    text = read(ROOT / "docs" / "register.md")
    lists = text.split("<!-- lists -->")[1].split("<!-- /lists -->")[0]
    assert re.findall(r"^\| `([\w-]+)` \|", lists, re.MULTILINE) == list(KINDS)
    assert re.findall(r"^### .* `(\w+)`$", text, re.MULTILINE) == list(register_tables())


def test_outputs_name_the_fields_of_the_shapefile() -> None:
    section = read(ROOT / "docs" / "outputs.md").split("<!-- fields -->")[1].split("<!-- /fields -->")[0]
    rows = [line.split(" | ")[:2] for line in section.splitlines() if "`" in line]
    told = [(column.strip("|` "), re.findall(r"\w+", fields)) for column, fields in rows]
    asked = load_profiles()["sites"].fields
    assert sorted((field, column) for column, fields in told for field in fields) == sorted(
        (field.name, field.source) for field in asked)
    assert [column for column, _ in told if column] == list(site_fields())


def test_outputs_name_the_layers_and_columns_of_the_master() -> None:
    section = read(ROOT / "docs" / "outputs.md").split("<!-- layers -->")[1].split("<!-- /layers -->")[0]
    rows = re.findall(r"^\| `(\w+)` \| `([\w.]+)` \| `(\w+)` \| [^|]+ \| (.*) \|$", section, re.MULTILINE)
    assert [row[:3] for row in rows] == [(name, file, layer) for name, (file, layer, _) in MASTER_FILES.items()]
    listed = {name: re.findall(r"`(\w+)`", columns) for name, _, _, columns in rows}
    for name in ("villages", "zones", "gaps", "units"):
        assert set(listed[name]) | set(PLACE_COLUMNS) == set(master_columns(name)), name


def test_exchange_page_has_a_row_for_every_format() -> None:
    section = read(ROOT / "docs" / "exchange.md").split("<!-- export_formats -->")[1].split("<!-- /")[0]
    titles = re.findall(r"^\| ([^|]+) \|", section, re.MULTILINE)[1:]
    assert titles == [entry["zh"] for entry in read_table("export_formats")["formats"].values()]
    assert [name for name in FORMATS if FORMATS[name].zh not in titles] == []


def test_one_word_for_a_profile() -> None:
    """A profile of exchange layers is 导出方案 in every text for planners."""
    package = [path for path in (ROOT / "siteplan").rglob("*") if path.suffix in {".py", ".toml"}]
    assert [path.name for path in [*PAGES, *package] if re.search("导出模板|字段方案|字段模板", read(path))] == []


def section(page: Path, title: str) -> str:
    return next(part for part in read(page).split("\n## ") if part.startswith(title))


# A town of a square kilometre, in the files that the study file of the README names.


def wgs84_of(east: float, north: float) -> tuple[float, float]:
    point = gpd.GeoSeries([at(east, north)], crs=CRS).to_crs("EPSG:4326").iloc[0]
    return point.x, point.y


def write_town(folder: Path) -> None:
    pixels = int(SIZE_M // 20) + 60
    with rasterio.open(folder / "dem.tif", "w", driver="GTiff", width=pixels, height=pixels, count=1, dtype="float32",
                       crs=CRS, transform=from_origin(X0 - 600, Y0 + SIZE_M + 600, 20, 20)) as target:
        target.write(np.full((pixels, pixels), 20.0, np.float32), 1)
    villages = {"村代码": ["449901", "449902"], "村名": ["东村", "西村"]}
    gpd.GeoDataFrame(villages, geometry=[rect(500, 0, 1000, 1000), rect(0, 0, 500, 1000)], crs=CRS).to_file(
        folder / "villages.shp", encoding="UTF-8")
    houses = [rect(x, y, x + 30, y + 30) for x in range(60, 960, 150) for y in range(60, 960, 150)]
    gpd.GeoDataFrame({"高度": [9.0] * len(houses), "建筑用途": ["住宅"] * len(houses)}, geometry=houses, crs=CRS).to_file(
        folder / "buildings.gpkg", driver="GPKG")
    lon, lat = wgs84_of(900, 500)
    station = {"小区号": "A-1", "站号": "A", "运营商": "移动", "制式": "5G", "频段": "n41", "经度": lon, "纬度": lat, "挂高": 8,
               "参考信号功率": -20.0, "站型": "微站"}
    pd.DataFrame([station]).to_csv(folder / "stations.csv", index=False, encoding="utf-8-sig")
    lon, lat = (values.item() for values in from_wgs84(*wgs84_of(250, 500), "gcj02"))
    pd.DataFrame({"编号": ["F1"], "名称": ["西村村委会"], "类型": ["村委会"], "经度": [lon], "纬度": [lat]}).to_csv(
        folder / "facilities.csv", index=False, encoding="gbk")


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Study file of the README beside files of a toy town."""
    folder = tmp_path_factory.mktemp("town")
    write_town(folder)
    (folder / "study.toml").write_text(blocks(READMES[0], "toml")[0], encoding="utf-8")
    return folder / "study.toml"


def test_both_readmes_show_the_same_study_file() -> None:
    keys = [[re.sub(r"\s*#.*", "", line) for line in blocks(page, "toml")[0].splitlines() if line[:1] not in ("", "#")]
            for page in READMES]
    assert keys[0] == keys[1]


def test_study_file_of_the_readme_is_checked(town: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(town)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "没有写明坐标系" in result.output


@pytest.fixture(scope="module")
def finished(town: Path) -> Path:
    """Output folder of the toy town."""
    folder = town.parent / "result"
    result = CliRunner().invoke(app, ["run", str(town), "--out", str(folder)], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    return folder


@pytest.mark.slow
def test_study_file_of_the_readme_runs(finished: Path) -> None:
    named = re.findall(r"`([\w/]+\.\w+)`", section(READMES[0], "What comes out"))
    assert [name for name in named if name not in WHEN_ASKED and not (finished / name).is_file()] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_commands_on_a_finished_plan_run(finished: Path, page: Path, tmp_path: Path,
                                         monkeypatch: pytest.MonkeyPatch) -> None:
    """As they are printed, in a folder with the profile of the README; the toy town has no towns to print."""
    monkeypatch.chdir(tmp_path)
    profile = re.search(r"`([^`]+\.toml)`[:：]\n", section(page, DELIVERIES[page.name]))
    assert profile is not None
    Path(profile[1]).write_text(blocks(page, "toml")[1], encoding="utf-8")
    lines = re.findall(r"^siteplan (export|changes|survey|print) (.*?)(?: +#.*)?$", read(page), re.MULTILINE)
    assert [name for name, _ in lines] == ["export", "export", "export", "changes", "survey", "print"]
    lines = lines if page is READMES[1] else lines[:2]  # the Chinese page is that of the planners
    for name, words in lines:
        given = [str(finished) if word in {"result", "earlier", "成果", "去年成果"} else word for word in words.split()]
        result = CliRunner().invoke(app, [name, *given], env={"COLUMNS": "200"})
        assert result.exit_code == (2 if name == "print" else 0), (words, result.output)
        assert name != "print" or "没有镇街图层" in result.output
        assert name == "print" or any((tmp_path / given[given.index("--out") + 1]).iterdir())


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_settings_of_deliverables_are_settings(page: Path) -> None:
    block = re.search(r"^```\n(\[deliver\].*?)^```", read(page), re.DOTALL | re.MULTILINE)
    assert block is not None
    DeliverParams.model_validate(tomllib.loads(block[1])["deliver"])


@pytest.mark.slow
def test_plan_json_has_the_keys_of_the_page(town: Path) -> None:
    from siteplan.export._plan import plan_facts

    plan = sp.run(sp.Study.from_toml(town))
    page = read(ROOT / "docs" / "outputs.md").split("## `plan.json`")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == list(plan_facts(plan))


@pytest.mark.slow
def test_library_example_runs(town: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example of the README as it stands, with the toy town in place of the sample city."""
    example, = blocks(READMES[0], "python")
    assert len([line for line in example.splitlines() if line.strip()]) <= 10
    script = tmp_path / "example.py"
    out = tmp_path / "mine"
    assert '"data/xikou/study.toml"' in example
    assert (ROOT / "data" / "xikou" / "study.toml").is_file()
    text = example.replace('"data/xikou/study.toml"', repr(str(town))).replace('"build/mine"', repr(str(out)))
    script.write_text(text, encoding="utf-8")
    names = runpy.run_path(str(script))
    assert "covered_share" in capsys.readouterr().out
    assert (out / "review_map.html").is_file()
    assert names["plan"].proposed.index.tolist() == ["V-facility:F1"]
