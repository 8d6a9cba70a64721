"""The brief of a meeting: four pages whatever the names, figures that add up, templates of a city and their faults."""

from __future__ import annotations

import io
import re
import runpy
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_atlas import HOSTILE, rect, some_sites, table, toy

from siteplan.errors import ExportError
from siteplan.export.master import PlanLayers
from siteplan.sheets import SheetContent, read_brief_template, write_brief
from siteplan.sheets._brief_facts import ROWS, brief_facts
from siteplan.sheets._brief_text import fitted, lines_of_text, short

ROOT = Path(__file__).resolve().parents[1]


def chosen(count: int, names: tuple[str, ...] = ("甲",), departments: int = 2) -> gpd.GeoDataFrame:
    """Proposed sites of 100,000 yuan and 10,000 a year each, every second one in a free venue."""
    sites = some_sites(2 * count, names).iloc[:count]
    return sites.assign(
        rank_no=range(1, count + 1), county=[names[at % len(names)] for at in range(count)],
        tier=[at % 7 for at in range(count)], tier_name=[f"{names[at % len(names)]}{at % 7}" for at in range(count)],
        department=[f"{names[0]}{at % departments}局" for at in range(count)], must_open=["是"] * count,
        must_be_free=["是", "否"] * (count // 2) + ["是"] * (count % 2), capex_yuan=100_000.0, yearly_yuan=10_000.0,
        cost_yuan=150_000.0, gain_demand=1234.0)


def crowded(names: tuple[str, ...] = HOSTILE) -> SheetContent:
    """More of everything than four pages hold, with names that nobody would choose."""
    content = toy(name="某" * 120, notices=["说" * 300, *names])
    long = names[8]
    rules = {"rule": "r", "rule_zh": long, "total": 9, "passed": 3, "not_assessable": 2}
    zones = {**rules, "by_rule": [rules, {**rules, "rule_zh": "别" * 300}]}
    states = {state: {"villages": rules, "zones": zones, "lines": rules,
                      "area_share": 0.5, "demand_share": 0.6, "indoor_share": 0.4, "gap_count": 40, "gap_area_m2": 1e9}
              for state in ("before", "after")}
    effect = {"action": "疑难", "site_ids": long, "value": long, "who": long, "date": long, "why": names[0],
              "followed": False}
    targets = [{"zh": long, "county": long, "status_before": "未达成", "status_after": "未达成"}] * 20
    facts = {"study": {**content.facts["study"], "stand_in_5g": True, "synthetic": True, "absent": [long]},
             "parameters": {"deliver": {"title": {"institute": "院" * 120, "secrecy": "密" * 60}}},
             "indicators": states, "results": {"decision_effects": [effect] * 30, "targets": targets},
             "bound": {"meaning": long, "stability": {"meaning": long}, "knee": {"meaning": long}},
             "ledger": {name: {"refused": 3, "repaired": 1} for name in ("stations", "villages", long)}}
    shapes = [rect(10 * at, 0, 10 * at + 9, 9) for at in range(40)]
    text = [names[at % len(names)] for at in range(40)]
    villages = table(shapes, name=text, town=text, verdict_after=["fail"] * 40, verdict_before=["fail"] * 40,
                     reason_after=[long] * 40)
    gaps = table(shapes, rank_no=range(1, 41), town=text, villages=text, area_m2=1e12, demand=1e12, reason=[long] * 40)
    layers = {**content.layers.layers, "sites": chosen(60, names, 20), "villages": villages, "gaps": gaps}
    return replace(content, layers=PlanLayers(facts, layers))


def small() -> SheetContent:
    content = toy()
    return replace(content, layers=PlanLayers(content.facts, {**content.layers.layers, "sites": chosen(4)}))


def text_of(data: bytes) -> str:
    from docx import Document

    document = Document(io.BytesIO(data))
    cells = [cell.text for each in document.tables for row in each.rows for cell in row.cells]
    return "\n".join([*(line.text for line in document.paragraphs), *cells])


@given(st.text(max_size=60), st.integers(2, 60))
def test_a_cut_text_is_short_and_says_so(text: str, width: int) -> None:
    shown = short(text, width)
    assert len(shown) * 1.25 <= max(width, 2) + 1e-9 or shown == "…"
    assert "\n" not in shown
    if not shown.endswith("…"):
        assert shown == short(text, 10_000)


def test_money_adds_up() -> None:
    facts = brief_facts(small())
    assert facts["total"] == {"name": "合计", "number": "4", "macro": "2", "micro": "2", "free": "2", "capex": "40.0",
                              "reused": "0", "yearly": "4.0", "cost": "60.0"}
    for rows in (facts["tiers"], facts["counties"]):
        assert sum(float(row["cost"]) for row in rows) == 60.0
        assert sum(int(row["number"]) for row in rows) == 4
    assert "规划站址 4 处(宏站 2 处、微站 2 处;新建 4 处、利旧共址 0 处)" in facts["decisions"][0]
    assert "40.0 万元" in facts["decisions"][0]
    assert "开放 4 处" in facts["decisions"][1]
    assert "免费开放 2 处" in facts["decisions"][1]


def test_what_does_not_fit_is_counted() -> None:
    facts = brief_facts(crowded())
    for name in ("indicators", "tiers", "counties", "departments"):
        assert len(facts[name]) <= ROWS[name], name
    told = {name: int(re.findall(r"另有 (\d+)", facts[f"more_{name}"])[0]) for name in
            ("indicators", "departments", "sites", "hard", "gaps", "failing")}
    assert told["sites"] == 60 - len(facts["sites"]) > 0
    assert told["gaps"] == 40 - len(facts["gaps"]) <= 40 - ROWS["gaps"]
    assert told["departments"] == 20 - ROWS["departments"]
    assert told["hard"] == 30 - len(facts["hard"])
    assert told["failing"] == 40 + 1 - len(facts["failing"])  # the villages, and the zone of the toy plan
    assert told["indicators"] == 8 + 20 - ROWS["indicators"]
    assert sum(int(row["number"]) for row in facts["tiers"]) == 60  # the last row sums the others
    assert "另有 9 条说明" in facts["notices"][2]


def test_predicted_and_synthetic_are_said() -> None:
    facts = brief_facts(crowded())
    said = "".join(facts["assumptions"])
    for part in ("模型预测值,不是实测", "未经本地实测校正", "以4G小区代替5G", "合成数据"):
        assert part in said
    assert brief_facts(toy())["quality"] == ["数据问题清单中没有拒收、修复或假定的值", "没有最优性证明"]


def test_a_village_that_fails_stands_with_its_reason() -> None:
    content = crowded(("东村",) * 9)
    assert brief_facts(content)["failing"][0].startswith("不达标:东村(东村)")


def changed(facts: dict[str, Any] | None = None, **layers: gpd.GeoDataFrame) -> SheetContent:
    content = small()
    return replace(content, layers=PlanLayers({**content.facts, **(facts or {})}, {**content.layers.layers, **layers}))


@given(st.lists(st.text(st.sampled_from("站址a 1"), max_size=90), max_size=9), st.integers(1, 12), st.integers(1, 3))
def test_sentences_fit_their_lines_and_none_is_lost_uncounted(texts: list[str], lines: int, each: int) -> None:
    found = fitted(texts, 60.0, lines, each)
    assert len(found.texts) + found.left == len(texts)
    assert found.lines == sum(lines_of_text(text, 60.0) for text in found.texts) <= lines


def test_sites_above_the_public_limit_are_said_first_and_by_name() -> None:
    flags = ["超过限值,需复核:甲楼(住宅)水平 35 米、离地 25.7 米处,各站合计为限值的 1.28 倍,共 1 栋超过", "低于限值的 20%:最高为 乙楼",
             "超过单站管理值(限值的 20%),宜调整或说明", ""]
    sites = chosen(4, ("一村", "二村")).assign(exposure_flag=flags, conflicts=["", "", "", "exposure_limit:超过限值"])
    facts = brief_facts(changed(sites=sites))
    assert "其中 2 处须先按第 2 项调整" in facts["decisions"][0]
    assert facts["decisions"][1].startswith("电磁环境筛查(估算,非环评):2 处可能超过公众限值(限值的 1.28 倍)")
    assert "重算" in facts["decisions"][1]
    assert facts["over"] == ["规1 一村(东镇)1.28 倍", "规4 二村(东镇)"]
    none = brief_facts(changed(sites=sites.assign(exposure_flag=flags[1], conflicts="")))
    assert none["over"] == []
    assert none["over_none"] == "电磁环境筛查(估算,非环评):没有规划站址超过公众限值"
    assert "没有电磁环境筛查结果" in brief_facts(small())["assumptions"]  # not screened is no clean bill


def test_new_and_reused_sites_and_venues_without_a_department_are_counted_apart() -> None:
    sites = chosen(4).assign(build=["新建", "利旧", "共址", "新建"], department=["甲局", "甲局", "无主管部门（业主协商）", ""])
    facts = brief_facts(changed(sites=sites))
    assert "新建 2 处、利旧共址 2 处" in facts["decisions"][0]
    assert facts["total"]["reused"] == "2"
    assert "答复开放 2 处" in facts["decisions"][1]
    assert "另有 2 处无主管部门,与业主协商" in facts["decisions"][1]


def test_hard_sites_have_a_name_and_a_number() -> None:
    effect = {"action": "疑难", "value": "群众反对", "who": "镇政府", "date": "2025-09-01", "why": "开会", "followed": True}
    rows = [{**effect, "id": "F1", "site_ids": "S001"}, {**effect, "id": "F2", "site_ids": ""},
            {**effect, "id": "F9", "site_ids": ""}]
    every = some_sites(4).assign(name=["甲", "乙", "丙", "丁"], source_id=["a", "b", "F2", "d"])
    told = brief_facts(changed({"results": {"decision_effects": rows}}, all_sites=every))["hard"]
    assert told == ["疑难:乙(F1),群众反对(镇政府 2025-09-01)开会", "疑难:丙(F2),群众反对(镇政府 2025-09-01)开会",
                    "疑难:F9,群众反对(镇政府 2025-09-01)开会"]


def test_words_are_those_of_planners() -> None:
    facts = {"bound": {"meaning": "间隙 0.06%", "knee": {"meaning": "拐点在47处"}},
             "parameters": {"coverage": {"model_macro": "auto", "model_sigma_db": 12.0}},
             "study": {**toy().facts["study"],
                       "notices": ["合成数据,仅供演示(synthetic data)", "虚构。Synthetic data: every name."]}}
    shown = brief_facts(changed(facts))
    said = str(shown)
    assert shown["notices"] == ["合成数据,仅供演示", "虚构。"]
    assert "城区 UMa 或农村 RMa" in said
    assert "模型误差 12 dB" in said
    assert shown["demand_unit"] == "人"
    for word in ("拐点", "auto", ".gpkg", "synthetic"):
        assert word not in said, word


def test_the_word_file_is_whole_and_the_same_twice(tmp_path: Path) -> None:
    path = write_brief(small(), tmp_path / "new" / "brief.docx")
    data = path.read_bytes()
    assert write_brief(small(), tmp_path / "again.docx").read_bytes() == data
    text = text_of(data)
    assert "{{" not in text
    assert "{%" not in text
    for part in ("试验市规划", "提请审议", "覆盖图", "合计", "假设", "规划前", "合成数据"):
        assert part in text
    with zipfile.ZipFile(path) as archive:
        pictures = [name for name in archive.namelist() if name.startswith("word/media/")]
        assert len(pictures) == 1
        assert len(archive.read(pictures[0])) > 20_000


def test_hostile_names_are_texts(tmp_path: Path) -> None:
    data = write_brief(crowded(), tmp_path / "brief.docx").read_bytes()
    text = text_of(data)
    assert "<script>alert(1)</script>" in text
    assert "{{ 7*7 }}" in text
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert b"<script" not in archive.read("word/document.xml")


@pytest.mark.parametrize("make", [small, crowded])
def test_the_brief_has_exactly_four_pages(make: Any, tmp_path: Path) -> None:
    office, counter = shutil.which("soffice"), shutil.which("pdfinfo")
    if office is None or counter is None:
        pytest.skip("no LibreOffice or poppler-utils here")
    path = write_brief(make(), tmp_path / "brief.docx")
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    subprocess.run([office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(path)],
                   check=True, capture_output=True, timeout=120)
    told = subprocess.run([counter, str(tmp_path / "brief.pdf")], check=True, capture_output=True).stdout.decode()
    assert re.search(r"Pages:\s+4\b", told)


def test_templates_are_what_the_script_makes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_templates.py"))
    shipped = ROOT / "siteplan" / "templates"
    assert made["make_brief"]() == (shipped / "meeting_brief.docx").read_bytes()
    assert made["make"]() == (shipped / "opening_letter.docx").read_bytes()


def own_template(path: Path, *lines: str) -> Path:
    from docx import Document

    document = Document()
    for line in lines:
        document.add_paragraph(line)
    document.save(str(path))
    return path


def test_a_city_may_bring_its_own_template(tmp_path: Path) -> None:
    path = own_template(tmp_path / "own.docx", "{{ title }}:{{ total.cost }} 万元",
                        "{% for row in sites %}{{ row.name }};{% endfor %}", "{{ maps }}")
    data = read_brief_template(path)
    text = text_of(write_brief(small(), tmp_path / "brief.docx", data).read_bytes())
    assert "试验市规划:60.0 万元" in text
    assert "甲;甲;甲;甲;" in text


@pytest.mark.parametrize(("line", "told"), [
    ("{{ budget }}", "budget"), ("{% for row in sites %}{{ row.price }}{% endfor %}", "price"), ("{{ title", "占位符|不能"),
    ("{{ title.__class__.__mro__ }}", "__class__|不能填写"), ("{% if title %}", "占位符|不能")])
def test_a_template_with_a_fault_is_refused_early(line: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match=told):
        read_brief_template(own_template(tmp_path / "own.docx", line))


def test_a_file_that_is_no_template_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="不能读取"):
        read_brief_template(tmp_path / "none.docx")
    path = tmp_path / "text.docx"
    path.write_text("no zip", encoding="utf-8")
    with pytest.raises(ExportError, match="不是可用的 Word 文件"):
        read_brief_template(path)


def test_the_page_names_every_placeholder() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", (ROOT / "docs" / "sheets.md").read_text("utf-8"), re.MULTILINE)
    named = {word for row in rows for part in re.findall(r"`([^`]+)`", row) for word in part.split()}
    assert named == {*brief_facts(small()), "maps"}
