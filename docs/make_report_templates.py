"""Write the Word templates of the half-year pack in ``siteplan/templates``.

The form is that of ``make_templates.py`` (GB/T 9704-2012). What each template may name stands in ``docs/register.md``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

from docx.enum.section import WD_ORIENT
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from make_templates import (
    FOLDER,
    HEADING,
    RED,
    SMALL,
    TITLE,
    exact_rows,
    finished,
    new_document,
    page_number,
    paragraph,
    rule_below,
    set_font,
)

Columns = tuple[tuple[str, str, float], ...]
LONG = {"name", "title", "reason", "organisation", "item", "note", "indicator", "why", "works_owner", "work_name",
        "asked", "department", "area", "source", "blocked_reason", "town"}
QUOTAS: Columns = (("指标", "title", 36), ("区域", "area", 18), ("单位", "unit", 12), ("任务", "value", 15), ("完成", "done", 15),
                   ("完成%", "share", 17), ("应达%", "plan_share", 17), ("尚缺", "needed", 14), ("亮灯", "light", 12))
DEPARTMENTS: Columns = (("单位", "name", 42), ("任务", "tasks_total", 13), ("完成", "tasks_done", 13),
                        ("办理中", "tasks_open", 15), ("逾期", "tasks_late", 13), ("受阻", "tasks_blocked", 13),
                        ("完成率%", "rate", 17), ("未报到", "missed", 15), ("亮灯", "light", 13))
PLACES: Columns = (("名称", "name", 34), ("站址", "sites", 14), ("已开通", "on_air", 15), ("本期", "on_air_now", 13),
                   ("在建", "building", 13), ("受阻", "blocked", 13), ("任务", "tasks_total", 13), ("完成", "tasks_done", 13),
                   ("逾期", "tasks_late", 13), ("亮灯", "light", 13))
OVERDUE: Columns = (("任务", "title", 48), ("责任单位", "organisation", 34), ("期限", "due_on", 27), ("逾期天数", "days_late", 19),
                    ("状态", "status_zh", 14), ("催办", "reminders", 13))
BLOCKED: Columns = (("类别", "what", 13), ("事项", "title", 44), ("责任单位", "organisation", 34), ("受阻日期", "since", 27),
                    ("原因", "reason", 38))
REFUSALS: Columns = (("场所或站址", "name", 40), ("主管部门", "department", 34), ("镇街", "town", 20), ("意见", "action_zh", 13),
                     ("日期", "day", 27), ("理由", "why", 22))
WORST: Columns = (("指标", "indicator", 68), ("层级", "level_zh", 16), ("名次", "rank", 16), ("区域", "area", 34),
                  ("数值", "value", 20))
SCORES: Columns = (("类别", "kind_zh", 26), ("名次", "rank", 24), ("单位", "name", 74), ("得分", "score", 30))
PHASES: Columns = (("计划年度", "phase", 26), ("站址", "sites", 18), ("已开通", "on_air", 18), ("开通率%", "on_air_share", 20),
                   ("在建", "building", 18), ("受阻", "blocked", 18), ("未开通", "left", 18), ("曾延期", "delayed", 18))
PLAN: Columns = (("类别", "kind_zh", 14), ("事项", "item", 62), ("数量", "number", 14), ("单位", "unit", 14),
                 ("完成期限", "due_on", 27), ("备注", "note", 26))


def report_table(document: Any, loop: str, columns: Columns, size: float = 10, height: float = 0.0) -> None:
    """A table of a list: its heading on each page, one row for each of the list, rows as high as their text.

    With a height (mm) every row has just that, and long texts are set in two lines of small letters.
    """
    table = document.add_table(rows=4, cols=len(columns))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    table.rows[1].cells[0].text, table.rows[3].cells[0].text = f"{{%tr for row in {loop} %}}", "{%tr endfor %}"
    for at, (title, name, width) in enumerate(columns):
        table.columns[at].width = Mm(width)
        for row, text, font in ((0, title, HEADING), (2, f"{{{{ row.{name} }}}}", SMALL)):
            line = table.rows[row].cells[at].paragraphs[0]
            left = name in LONG and row == 2
            line.alignment = WD_ALIGN_PARAGRAPH.LEFT if left else WD_ALIGN_PARAGRAPH.CENTER
            line.paragraph_format.line_spacing_rule = WD_LINE_SPACING.EXACTLY
            small = bool(height) and left
            line.paragraph_format.line_spacing = Pt(7.8 if small else size * 1.35)
            line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(0 if height else 1.5)
            set_font(line.add_run(text), font, 7 if small else size)
            table.rows[row].cells[at].vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for row in table.rows:
            row.cells[at].width = Mm(width)
    if height:
        exact_rows(table, height)
    table.rows[0]._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))


def heading(document: Any, text: str, **look: Any) -> None:
    """A heading that stays with what follows."""
    paragraph(document, text, font=HEADING, align="LEFT", **look).paragraph_format.keep_with_next = True


def sentences(document: Any, name: str, *, kept: bool = False, **look: Any) -> None:
    """A paragraph for each sentence of a list; ``kept``: they stay with what follows."""
    paragraph(document, f"{{%p for text in {name} %}}", **look)
    paragraph(document, "{{ text }}", **look).paragraph_format.keep_with_next = kept
    paragraph(document, "{%p endfor %}", **look)


def listed(document: Any, name: str, columns: Columns, caption: str = "", size: float = 10) -> None:
    """A table where the list has rows, and a line that says so where it has none; what is not listed is told."""
    small: dict[str, Any] = {"font": SMALL, "size": 10.5, "line": 18, "indent": False, "align": "LEFT"}
    paragraph(document, f"{{%p if {name} %}}", **small)
    if caption:
        line = paragraph(document, caption, **{**small, "font": HEADING, "align": "CENTER"})
        line.paragraph_format.space_before, line.paragraph_format.keep_with_next = Pt(4), True
    report_table(document, name, columns, size)
    paragraph(document, "{%p endif %}", **small)
    paragraph(document, f"{{%p if not {name} %}}", **small)
    paragraph(document, f"{caption}：{{{{ no_rows }}}}" if caption else "{{ no_rows }}", **{**small, "align": "CENTER"})
    paragraph(document, "{%p endif %}", **small)
    paragraph(document, f"{{%p if more_{name} %}}", **small)
    paragraph(document, f"{{{{ more_{name} }}}}", **small)
    paragraph(document, "{%p endif %}", **small)


def official(document: Any, title: str, to: str) -> None:
    """Red head, title, to whom."""
    head = paragraph(document, "{{ office }}", font=TITLE, size=30, align="CENTER", indent=False, line=48, color=RED,
                     bold=True)
    rule_below(head, 18)
    paragraph(document, "", indent=False)
    paragraph(document, title, font=TITLE, size=22, align="CENTER", indent=False, line=34, bold=True)
    paragraph(document, "", indent=False)
    paragraph(document, to, indent=False)


def signed(document: Any) -> None:
    """Office and date at the right, never alone on a page."""
    paragraph(document, "", indent=False).paragraph_format.keep_with_next = True
    for text in ("{{ office }}", "{{ date }}"):
        line = paragraph(document, text, align="RIGHT", indent=False)
        line.paragraph_format.right_indent = Pt(32)
        line.paragraph_format.keep_with_next = True
    paragraph(document, "注：{{ note }}。覆盖数据为模型预测，非实测。", font=SMALL, size=10.5, line=18, indent=False)


def map_page(document: Any) -> None:
    """The map on a page of its own."""
    line = paragraph(document, "附图　储备库站址状态（截至{{ last }}）", font=HEADING, indent=False, align="CENTER")
    line.paragraph_format.page_break_before = True
    picture = document.add_paragraph()
    picture.alignment = WD_ALIGN_PARAGRAPH.CENTER
    set_font(picture.add_run("{{ map }}"), SMALL, 10)


def half_year(document: Any) -> None:
    """The half-year report."""
    official(document, "关于{{ period }}5G站址建设进展情况的通报", "各成员单位，各县区，各镇街，各通信企业：")
    paragraph(document, "现将{{ period }}（{{ first }}至{{ last }}）5G站址建设和跨行业协调工作情况通报如下。")
    heading(document, "一、总体情况")
    sentences(document, "overview")
    listed(document, "phases", PHASES, "表1　分年度批次")
    heading(document, "二、指标任务")
    sentences(document, "quota_texts")
    listed(document, "quotas", QUOTAS, "表2　指标任务进度")
    heading(document, "三、各部门、各县区、各企业")
    listed(document, "departments", DEPARTMENTS, "表3　部门任务完成情况")
    listed(document, "counties", PLACES, "表4　县区情况")
    listed(document, "enterprises", PLACES, "表5　企业情况")
    heading(document, "四、逾期和受阻事项")
    sentences(document, "problems")
    listed(document, "overdue", OVERDUE, "表6　逾期任务（含受阻而到期的）")
    listed(document, "blocked", BLOCKED, "表7　受阻任务和站址")
    heading(document, "五、企业吹哨、部门报到")
    sentences(document, "case_texts")
    heading(document, "六、公共场所开放和收费")
    sentences(document, "venue_texts")
    listed(document, "refusals", REFUSALS, "表8　拒绝开放和疑难场所")
    heading(document, "七、同步实施")
    sentences(document, "works_texts")
    heading(document, "八、考评和薄弱环节")
    listed(document, "scores", SCORES, "表9　考评得分（权重和口径见 half_year.xlsx“考评明细”）")
    listed(document, "worst", WORST, "表10　薄弱环节")
    heading(document, "九、下一步")
    sentences(document, "next_steps", kept=True)
    signed(document)
    map_page(document)


def annual(document: Any) -> None:
    """The annual report."""
    official(document, "关于{{ year }}年5G站址建设工作情况的报告", "市委、市政府：")
    paragraph(document, "现将{{ year }}年5G站址建设和电信基础设施共建共享跨行业协调工作情况报告如下。")
    heading(document, "一、工作进展")
    sentences(document, "overview")
    listed(document, "phases", PHASES, "表1　分年度批次")
    heading(document, "二、指标任务完成情况")
    sentences(document, "quota_texts")
    listed(document, "quotas", QUOTAS, "表2　指标任务进度")
    heading(document, "三、协调机制运行情况")
    sentences(document, "case_texts")
    sentences(document, "venue_texts")
    sentences(document, "works_texts")
    heading(document, "四、各县区、各企业和考评")
    listed(document, "counties", PLACES, "表3　县区情况")
    listed(document, "enterprises", PLACES, "表4　企业情况")
    listed(document, "scores", SCORES, "表5　考评得分")
    heading(document, "五、存在问题和困难")
    sentences(document, "problems")
    listed(document, "blocked", BLOCKED, "表6　受阻任务和站址")
    heading(document, "六、{{ plan_year }}年工作安排")
    sentences(document, "plan_texts")
    last = paragraph(document, "各单位任务详见《{{ plan_year }}年度工作计划》。")
    last.paragraph_format.keep_with_next = True
    signed(document)
    map_page(document)


def year_plan(document: Any) -> None:
    """The plan of work of a year."""
    paragraph(document, "{{ city }}5G站址建设{{ plan_year }}年度工作计划", font=TITLE, size=22, align="CENTER", indent=False,
              line=34, bold=True)
    paragraph(document, "{{ office }}　{{ date }}", font=SMALL, size=12, align="CENTER", indent=False)
    paragraph(document, "按在册任务、年度批次和指标期限列出各单位{{ plan_year }}年工作。{{ missing }}", size=14, line=24)
    sentences(document, "plan_texts", size=14, line=24)
    small: dict[str, Any] = {"font": SMALL, "size": 10.5, "line": 18, "indent": False}
    paragraph(document, "{%p for group in organisations %}", **small)
    line = paragraph(document, "{{ group.name }}（{{ group.count }}项）", font=HEADING, size=13, line=26, indent=False,
                     align="LEFT")
    line.paragraph_format.keep_with_next, line.paragraph_format.space_before = True, Pt(6)
    report_table(document, "group.rows", PLAN)
    paragraph(document, "{%p endfor %}", **small)
    paragraph(document, "{%p if not organisations %}", **small)
    paragraph(document, "{{ no_rows }}", **small)
    paragraph(document, "{%p endif %}", **small)
    paragraph(document, "注：{{ note }}。", **small)


def reminder(document: Any) -> None:
    """The reminder letter."""
    head = paragraph(document, "{{ office }}", font=TITLE, size=30, align="CENTER", indent=False, line=48, color=RED,
                     bold=True)
    rule_below(head, 18)
    paragraph(document, "{{ number }}", size=14, align="RIGHT", indent=False)
    paragraph(document, "", indent=False)
    paragraph(document, "{{ title }}", font=TITLE, size=22, align="CENTER", indent=False, line=34, bold=True)
    paragraph(document, "", indent=False)
    paragraph(document, "{{ organisation }}：", indent=False)
    paragraph(document, "截至{{ last }}，你单位牵头的下列{{ count }}项任务已过完成期限，尚未办结：")
    report_table(document, "items", (("序号", "number", 12), ("任务", "title", 46), ("来源", "source", 24),
                                     ("完成期限", "due_on", 36), ("逾期天数", "days_late", 16), ("催办原因", "why", 22)), 10.5)
    paragraph(document, "{%p for row in items if row.blocked_reason %}", size=12, line=22)
    paragraph(document, "第{{ row.number }}项登记受阻：{{ row.blocked_reason }}。", size=14, line=24)
    paragraph(document, "{%p endfor %}", size=12, line=22)
    ask = paragraph(document, "请抓紧办理，并于{{ reply_by }}前书面反馈办理情况；暂不能办结的，请说明原因、拟采取的措施和预计完成日期。")
    ask.paragraph_format.keep_with_next = True
    signed(document)
    paragraph(document, "{%p if copies %}", size=12, line=22)
    paragraph(document, "抄送：{{ copies }}", size=14, line=24, indent=False)
    paragraph(document, "{%p endif %}", size=12, line=22)


def town_sheet(document: Any) -> None:
    """One page for each town."""
    small: dict[str, Any] = {"font": SMALL, "size": 9.5, "line": 15, "indent": False, "align": "LEFT"}
    paragraph(document, "{%p for town in towns %}", **small)
    paragraph(document, "{{ town.name }}5G站址建设督导表", font=TITLE, size=18, align="CENTER", indent=False, line=30,
              bold=True)
    paragraph(document, "{{ town.county }}　{{ period }}　数据截至{{ last }}　亮灯：{{ town.light }}{{ town.light_reason }}",
              font=SMALL, size=10.5, align="CENTER", indent=False, line=18)
    table = document.add_table(rows=2, cols=9)
    table.style, table.alignment = "Table Grid", WD_TABLE_ALIGNMENT.CENTER
    for at, (title, name) in enumerate((("站址", "sites"), ("已开通", "on_air"), ("本期开通", "on_air_now"), ("在建", "building"),
                                        ("受阻", "blocked"), ("逾期未开通", "sites_late"), ("任务", "tasks_total"),
                                        ("已完成", "tasks_done"), ("逾期合计", "tasks_overdue"))):
        for row, text, font in ((0, title, HEADING), (1, f"{{{{ town.{name} }}}}", SMALL)):
            line = table.rows[row].cells[at].paragraphs[0]
            line.alignment = WD_ALIGN_PARAGRAPH.CENTER
            line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(2)
            set_font(line.add_run(text), font, 10.5)
    for title, name, columns in (
            ("任务（未完成）", "tasks", (("任务", "title", 70), ("责任单位", "organisation", 40), ("期限", "due_on", 24),
                                   ("状态", "status_zh", 18), ("亮灯", "light", 18))),
            ("站址（未开通，先逾期、受阻）", "sites_left", (("站址", "name", 56), ("状态", "state_zh", 20), ("计划年度", "phase_year", 18),
                                               ("应开通", "due_on", 26), ("主管部门", "department", 30),
                                               ("原因", "reason", 20))),
            ("吹哨事项（未办结）", "cases", (("事项", "title", 70), ("企业", "enterprise", 40), ("吹哨日期", "opened_on", 24),
                                    ("层级", "level_zh", 18), ("状态", "status_zh", 18))),
            ("场所意见", "refusals", (("场所或站址", "name", 60), ("主管部门", "department", 40), ("意见", "action_zh", 18),
                                  ("日期", "day", 24), ("理由", "why", 28)))):
        line = paragraph(document, title, font=HEADING, size=11, line=20, indent=False, align="LEFT")
        line.paragraph_format.space_before, line.paragraph_format.keep_with_next = Pt(5), True
        paragraph(document, f"{{%p if town.{name} %}}", **small)
        report_table(document, f"town.{name}", columns, 8.5, 6.2)
        paragraph(document, "{%p endif %}", **small)
        paragraph(document, f"{{%p if not town.{name} %}}", **small)
        paragraph(document, "{{ no_rows }}", **small)
        paragraph(document, "{%p endif %}", **small)
        paragraph(document, f"{{%p if town.more_{name} %}}", **small)
        paragraph(document, f"{{{{ town.more_{name} }}}}", **small)
        paragraph(document, "{%p endif %}", **small)
    paragraph(document, "督导意见：", font=HEADING, size=11, line=20, indent=False, align="LEFT")
    for _ in range(2):
        rule_below(paragraph(document, "", **small), 4, "808080")
    paragraph(document, "督导人：　　　　　　　镇街负责人：　　　　　　　日期：", **{**small, "size": 10.5, "line": 24})
    paragraph(document, "注：{{ note }}。", **{**small, "size": 8, "line": 11})
    paragraph(document, "{%p if not loop.last %}", **small)
    broken = paragraph(document, "", **{**small, "line": 1, "size": 1})
    mark = OxmlElement("w:br")
    mark.set(qn("w:type"), "page")
    broken.runs[0]._r.append(mark)
    paragraph(document, "{%p endif %}", **small)
    paragraph(document, "{%p endfor %}", **small)
    paragraph(document, "{%p if not towns %}", **small)
    paragraph(document, "{{ no_rows }}", **small)
    paragraph(document, "{%p endif %}", **small)


def made(writer: Any, title: str, margins: tuple[float, float, float, float], *, wide: bool = False) -> bytes:
    """One template; margins above, below, left, right in mm."""
    document = new_document()
    first = document.sections[0]
    if wide:
        first.orientation, first.page_width, first.page_height = WD_ORIENT.LANDSCAPE, Mm(297), Mm(210)
    first.top_margin, first.bottom_margin, first.left_margin, first.right_margin = map(Mm, margins)
    writer(document)
    page_number(first.footer)
    return finished(document, title)


OFFICIAL = (37.0, 35.0, 28.0, 26.0)
TEMPLATES = {"half_year_report.docx": (half_year, "半年通报", OFFICIAL), "annual_report.docx": (annual, "年度报告", OFFICIAL),
             "year_plan.docx": (year_plan, "年度工作计划", (25.0, 25.0, 25.0, 25.0)),
             "reminder_letter.docx": (reminder, "催办函", OFFICIAL),
             "town_sheet.docx": (town_sheet, "镇街督导表", (16.0, 14.0, 20.0, 20.0))}


def make_all() -> dict[str, bytes]:
    """Every template by its file name."""
    return {name: made(writer, title, margins) for name, (writer, title, margins) in TEMPLATES.items()}


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for file, content in make_all().items():
        (FOLDER / file).write_bytes(content)
