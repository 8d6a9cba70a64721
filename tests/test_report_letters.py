"""The Word files of a report: what they say, templates of a city and their faults, one page for each town."""

from __future__ import annotations

import datetime as dt
import io
import re
import runpy
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import pytest
from report_city import EDUCATION, HOSTILE

from siteplan.errors import ExportError
from siteplan.report import Pack, ReportFacts, read_templates
from siteplan.report._document_facts import ROW_NAMES, TOWN_LONGEST, town_facts
from siteplan.report.documents import (
    DOCUMENTS,
    annual_document,
    letter_name,
    plan_document,
    reminder_documents,
    report_document,
    town_document,
)

ROOT = Path(__file__).resolve().parents[1]
OFFICE = "通信建设管理办公室"


@pytest.fixture(scope="module")
def june(june_pack: Pack) -> ReportFacts:
    return june_pack.facts


@pytest.fixture(scope="module")
def picture(june_pack: Pack) -> bytes:
    return next(path for path in june_pack.files if path.name == "map.png").read_bytes()


def text_of(content: bytes) -> str:
    """All words of a document, tables as well."""
    from docx import Document
    from docx.oxml.ns import qn

    body = Document(io.BytesIO(content)).element.body
    return "\n".join("".join(part.text or "" for part in line.iter(qn("w:t"))) for line in body.iter(qn("w:p")))


def test_templates_are_what_the_script_makes() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "make_report_templates.py"))["make_all"]()
    assert set(made) == set(DOCUMENTS)
    for name, content in made.items():
        assert content == (ROOT / "siteplan" / "templates" / name).read_bytes(), name


def test_the_report_says_the_numbers_of_the_tables(june: ReportFacts, picture: bytes) -> None:
    text = text_of(report_document(june, read_templates(), OFFICE, picture))
    assert "关于2026年上半年5G站址建设进展情况的通报" in text
    assert "储备库在册站址6处（不含已撤销0处）：已开通1处，其中2026年上半年开通1处" in text
    assert "在册任务6项：已完成1项（本期完成1项），办理中1项，逾期4项，受阻0项。到期任务5项，完成1项（完成率20.0%）。" in text
    assert "新建5G基站：任务12处站址，期限2026-12-31；已完成1，完成8.3%，应达50.0%，滞后41.7个百分点，尚缺11。" in text
    assert "平均办结61.0天" in text
    assert "模型预测，非实测" in text
    assert f"最后一条变更号 {june.last_event}" in text
    assert "{{" not in text
    assert "{%" not in text


def test_the_map_is_in_the_report(june: ReportFacts, picture: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(report_document(june, read_templates(), OFFICE, picture))) as archive:
        assert [archive.read(name) for name in archive.namelist() if name.endswith(".png")] == [picture]


def test_a_reminder_names_the_organisation_its_items_and_the_day_of_the_answer(june: ReportFacts) -> None:
    letters = reminder_documents(june, read_templates(), OFFICE)
    assert list(letters) == ["01_教育和体育局.docx", "02_卫生健康局.docx", "03_交通运输局.docx", "04_溪西县.docx"]
    text = text_of(letters["01_教育和体育局.docx"])
    assert f"{EDUCATION}：" in text
    assert "你单位牵头的下列1项任务已过完成期限" in text
    assert HOSTILE in text, "the name as it is, no markup"
    assert "于2026年7月10日前书面反馈" in text
    assert "61" in text, "days from 04-30 to 06-30"
    assert "开放一中屋面" not in text, "done on the cut-off"


def test_a_letter_of_each_organisation_has_a_name_that_file_systems_take() -> None:
    assert letter_name(12, 'a/b:c*?"<>|') == "12_a_b_c_.docx".replace("c_.", "c.")
    assert len(letter_name(1, "局" * 300)) < 80


def test_the_annual_report_goes_to_the_committee_and_names_the_next_year(june: ReportFacts, picture: bytes) -> None:
    text = text_of(annual_document(june, read_templates(), OFFICE, picture, dt.date(2027, 1, 15)))
    assert "市委、市政府：" in text
    assert "存在问题和困难" in text
    assert "2027年1月15日" in text, "signed on the day of the pack"


def test_the_plan_of_a_year_has_a_part_for_each_organisation(june: ReportFacts) -> None:
    text = text_of(plan_document(june, read_templates(), OFFICE, ["卫生健康局"]))
    assert "溪口市5G站址建设2026年度工作计划" in text
    assert "尚未报送年度工作计划：卫生健康局。" in text
    for name in june.tables["year_plan"]["organisation"].unique():
        assert f"{name}（" in text


def test_the_sheet_of_a_town_fits_one_page_with_full_lists(june: ReportFacts, tmp_path: Path) -> None:
    office = shutil.which("soffice")
    counter = shutil.which("pdfinfo")
    if office is None or counter is None:
        pytest.skip("no LibreOffice to count pages with")
    facts = town_facts(june, OFFICE)
    town = facts["towns"][0]
    long = "很长的名称" * 12
    full = {**town, "more_tasks": "共99项，列出前6项", "more_sites_left": "共99项，列出前8项"}
    for name, key, most in (("tasks", "town_tasks", 6), ("sites_left", "town_sites", 8), ("cases", "town_cases", 3),
                            ("refusals", "refusals", 3)):
        full[name] = [{column: long[:TOWN_LONGEST.get(column, 10)] for column in ROW_NAMES[key]}] * most
    from siteplan.export._word import fill_word

    content = next(fill_word(read_templates().of("town_sheet.docx"), [{**facts, "towns": [town, full, town]}]))
    (tmp_path / "town.docx").write_bytes(content)
    subprocess.run([office, f"-env:UserInstallation={(tmp_path / 'office').as_uri()}", "--headless", "--convert-to",
                    "pdf", "--outdir", str(tmp_path), str(tmp_path / "town.docx")], check=True, capture_output=True,
                   timeout=180)
    told = subprocess.run([counter, str(tmp_path / "town.pdf")], check=True, capture_output=True).stdout.decode()
    assert re.search(r"Pages:\s+3\b", told), told


def test_the_sheet_of_a_town_says_what_is_left_to_do(june: ReportFacts) -> None:
    text = text_of(town_document(june, read_templates(), OFFICE))
    assert "云岭镇5G站址建设督导表" in text
    assert "客运站" in text
    assert "没有记录" in text


def own_folder(folder: Path, name: str, *lines: str) -> Path:
    from docx import Document

    document = Document()
    for line in lines:
        document.add_paragraph(line)
    folder.mkdir(exist_ok=True)
    document.save(str(folder / name))
    return folder


def test_a_city_may_bring_its_own_templates(june: ReportFacts, tmp_path: Path) -> None:
    own = read_templates(own_folder(tmp_path / "own", "reminder_letter.docx", "致{{ organisation }}",
                                    "{% for row in items %}{{ row.title }};{% endfor %}{{ reply_by }}"))
    assert own.own == ("reminder_letter.docx",)
    letters = reminder_documents(june, own, OFFICE)
    assert text_of(letters["03_交通运输局.docx"]).split("\n") == ["致交通运输局", "开放客运站;2026年7月10日"]


@pytest.mark.parametrize(("line", "told"), [
    ("{{ budget }}", "budget"), ("{{ organisation", "占位符写法有误"),
    ("{% for row in items %}{{ row.price }}{% endfor %}", "price"),
    ("{{ organisation.__class__.__mro__ }}", "__class__"), ("{{ organisation | nofilter }}", "nofilter")])
def test_faults_of_a_template_are_told_in_words(june: ReportFacts, line: str, told: str, tmp_path: Path) -> None:
    templates = read_templates(own_folder(tmp_path / "own", "reminder_letter.docx", line))
    with pytest.raises(ExportError, match=r"催办函模板 reminder_letter\.docx") as caught:
        reminder_documents(june, templates, OFFICE)
    assert told in str(caught.value)


def test_a_folder_without_templates_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ExportError, match="--template-dir"):
            read_templates(folder)
    (tmp_path / "town_sheet.docx").write_text("no zip", encoding="utf-8")
    with pytest.raises(ExportError, match="不是可用的 Word 文件"):
        read_templates(tmp_path)


def test_equal_facts_give_equal_documents(june: ReportFacts, picture: bytes) -> None:
    def every() -> list[Any]:
        templates = read_templates()
        return [report_document(june, templates, OFFICE, picture), town_document(june, templates, OFFICE),
                plan_document(june, templates, OFFICE, []), reminder_documents(june, templates, OFFICE)]
    assert every() == every()
