"""Write the Word templates, ``opening_letter.docx`` and ``meeting_brief.docx`` in ``siteplan/templates``.

The form follows GB/T 9704-2012 (Party and government documents, letter form): 37 mm above, 35 mm below, 28 mm left,
26 mm right; title 宋体 二号 (bold, where 小标宋 is not at hand), body 仿宋 三号 on 28 pt lines
with two letters of indent, numbers of pages 四号. The brief has four pages: every line is of an exact height and every
list of a greatest length (``siteplan/sheets/_brief_facts.py``), so that long names cannot push it onto a fifth.
"""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_ROW_HEIGHT_RULE, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from siteplan.export._word import even_zip

FOLDER = Path(__file__).resolve().parents[1] / "siteplan" / "templates"
TARGET, BRIEF = FOLDER / "opening_letter.docx", FOLDER / "meeting_brief.docx"
TITLE, BODY, HEADING, SMALL = "宋体", "仿宋", "黑体", "宋体"
RED = RGBColor(0xD0, 0x10, 0x10)
COLUMNS = (("序号", "number", 12), ("场所", "name", 35), ("地址", "address", 44), ("县区镇街", "town", 22), ("权属单位", "owner", 33),
           ("{% if fees %}请开放内容{% else %}拟设置内容{% endif %}", "opens", 26), ("已开放", "opened", 20),
           ("依据", "basis", 14), ("免费", "free", 12), ("站址编号", "site_ids", 29))
IDS_SIZE = 8.0


def set_font(run: Any, name: str, size: float, *, bold: bool = False, color: RGBColor | None = None) -> None:
    """Latin and Chinese letters of a run in one font."""
    run.font.name, run.font.size, run.font.bold = name, Pt(size), bold
    fonts = run._element.get_or_add_rPr().get_or_add_rFonts()
    for kind in ("w:ascii", "w:hAnsi", "w:eastAsia", "w:cs"):
        fonts.set(qn(kind), name)
    if color is not None:
        run.font.color.rgb = color


def paragraph(document: Any, text: str, *, font: str = BODY, size: float = 16, align: str = "JUSTIFY",
              indent: bool = True, line: float = 28, **look: Any) -> Any:
    """One paragraph on exact lines."""
    new = document.add_paragraph()
    shape = new.paragraph_format
    shape.alignment = getattr(WD_ALIGN_PARAGRAPH, align)
    shape.line_spacing_rule, shape.line_spacing = WD_LINE_SPACING.EXACTLY, Pt(line)
    shape.space_before = shape.space_after = Pt(0)
    if indent:
        shape.first_line_indent = Pt(2 * size)
    set_font(new.add_run(text), font, size, **look)
    return new


def rule_below(target: Any, size: int, color: str = "D01010") -> None:
    """A line under a paragraph."""
    borders = OxmlElement("w:pBdr")
    bottom = OxmlElement("w:bottom")
    for key, value in (("val", "single"), ("sz", str(size)), ("space", "4"), ("color", color)):
        bottom.set(qn(f"w:{key}"), value)
    borders.append(bottom)
    target._p.get_or_add_pPr().append(borders)


def page_number(footer: Any) -> None:
    """— n — in the middle."""
    footer.is_linked_to_previous = False
    line = footer.paragraphs[0]
    line.alignment = WD_ALIGN_PARAGRAPH.CENTER
    set_font(line.add_run("— "), SMALL, 14)
    field = line.add_run()
    set_font(field, SMALL, 14)
    for kind, text in (("begin", ""), ("", " PAGE "), ("end", "")):
        part = OxmlElement("w:fldChar" if kind else "w:instrText")
        if kind:
            part.set(qn("w:fldCharType"), kind)
        else:
            part.text = text
        field._r.append(part)
    set_font(line.add_run(" —"), SMALL, 14)


def letter(document: Any) -> None:
    """The letter itself."""
    loop = {"indent": False, "size": 10.5, "line": 16}
    paragraph(document, "{%p for notice in notices %}", **loop)
    paragraph(document, "{{ notice }}", font=SMALL, align="CENTER", color=RED, **loop)
    paragraph(document, "{%p endfor %}", **loop)
    head = paragraph(document, "{{ office }}", font=TITLE, size=30, align="CENTER", indent=False, line=48, color=RED,
                     bold=True)
    rule_below(head, 18)
    paragraph(document, "{{ reference }}", size=14, align="RIGHT", indent=False)
    paragraph(document, "", indent=False)
    paragraph(document, "{{ title }}", font=TITLE, size=22, align="CENTER", indent=False, line=34, bold=True)
    paragraph(document, "", indent=False)
    paragraph(document, "{{ department }}：", indent=False)
    paragraph(document, "{{ opening }}{{ duty }}")
    paragraph(document, "{%p for ask in asks %}")
    paragraph(document, "{{ loop.index }}. {{ ask }}")
    paragraph(document, "{%p endfor %}")
    paragraph(document, "{%p if fees %}")
    paragraph(document, "{{ fees }}")
    paragraph(document, "{%p endif %}")
    paragraph(document, "{%p if private %}")
    paragraph(document, "{{ private }}")
    paragraph(document, "{%p endif %}")
    paragraph(document, "{{ close }}")
    paragraph(document, "", indent=False)
    paragraph(document, "附件：{{ annex }}（{{ venues|length }}处）")
    paragraph(document, "", indent=False)
    for text in ("{{ office }}", "{{ date }}"):
        signed = paragraph(document, text, align="RIGHT", indent=False)
        signed.paragraph_format.right_indent = Pt(32)
        signed.paragraph_format.keep_with_next = True
    paragraph(document, "{{ contact }}")


def annex(document: Any) -> None:
    """The list of venues, on a page of its own across."""
    section = document.add_section(WD_SECTION.NEW_PAGE)
    section.orientation, section.page_width, section.page_height = WD_ORIENT.LANDSCAPE, Mm(297), Mm(210)
    section.left_margin = section.right_margin = Mm(25)
    section.top_margin = section.bottom_margin = Mm(26)
    paragraph(document, "附件", font=HEADING, indent=False)
    paragraph(document, "{{ annex }}", font=TITLE, size=20, align="CENTER", indent=False, line=36, bold=True)
    paragraph(document, "{{ department }}　回复期限：{{ reply_by }}", font=SMALL, size=12, align="CENTER", indent=False)
    table = document.add_table(rows=4, cols=len(COLUMNS))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    for number, text in ((1, "{%tr for venue in venues %}"), (3, "{%tr endfor %}")):
        table.rows[number].cells[0].text = text
    for column, (title, name, width) in enumerate(COLUMNS):
        middle = name in ("number", "opened", "basis", "free")
        table.columns[column].width = Mm(width)
        for row, text, font in ((0, title, HEADING), (2, f"{{{{ venue.{name} }}}}", SMALL)):
            line = table.rows[row].cells[column].paragraphs[0]
            line.alignment = WD_ALIGN_PARAGRAPH.CENTER if middle or row == 0 else WD_ALIGN_PARAGRAPH.LEFT
            set_font(line.add_run(text), font, IDS_SIZE if row == 2 and name == "site_ids" else 10.5)
            line.paragraph_format.space_before = line.paragraph_format.space_after = Pt(2)
            table.rows[row].cells[column].vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for row in table.rows:
            row.cells[column].width = Mm(width)
    repeat = OxmlElement("w:tblHeader")
    table.rows[0]._tr.get_or_add_trPr().append(repeat)
    for row in table.rows:
        row._tr.get_or_add_trPr().append(OxmlElement("w:cantSplit"))
    small = {"font": SMALL, "size": 10.5, "indent": False, "line": 18}
    paragraph(document, "{%p if bases %}", **small)
    paragraph(document, "应当开放、免费开放依据：", **small)
    paragraph(document, "{%p for basis in bases %}", **small)
    paragraph(document, "{{ basis }}", **small)
    paragraph(document, "{%p endfor %}", **small)
    paragraph(document, "{%p endif %}", **small)
    paragraph(document, "注：{{ note }}。{{ draft }}。", **small)


def exact_rows(table: Any, height: float) -> None:
    """Rows of a fixed height that no text makes higher."""
    for row in table.rows:
        row.height, row.height_rule = Mm(height), WD_ROW_HEIGHT_RULE.EXACTLY


def brief_table(document: Any, loop: str, columns: tuple[tuple[str, str, float], ...], height: float = 5.8,
                last: tuple[str, ...] = (), size: float = 9) -> None:
    """A table of a list: heading, one row of the list, and a last row where one is given.

    Texts are set in small letters, so that two lines of them fit a row.
    """
    table = document.add_table(rows=4 + bool(last), cols=len(columns))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    table.rows[1].cells[0].text, table.rows[3].cells[0].text = f"{{%tr for row in {loop} %}}", "{%tr endfor %}"
    for at, (title, name, width) in enumerate(columns):
        table.columns[at].width = Mm(width)
        texts = [(0, title, HEADING), (2, f"{{{{ row.{name} }}}}", SMALL)]
        texts += [(4, last[at], HEADING)] if last else []
        for row, text, font in texts:
            line = table.rows[row].cells[at].paragraphs[0]
            long = name in ("name", "rule", "where", "reason", "towns", "owner")
            line.alignment = WD_ALIGN_PARAGRAPH.LEFT if long and row == 2 else WD_ALIGN_PARAGRAPH.CENTER
            line.paragraph_format.line_spacing_rule = WD_LINE_SPACING.EXACTLY
            small = long and row == 2
            line.paragraph_format.line_spacing = Pt(7.6 if small else size * 1.3)
            set_font(line.add_run(text), font, 7 if small else size)
            table.rows[row].cells[at].vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER
        for row in table.rows:
            row.cells[at].width = Mm(width)
    exact_rows(table, height)


def brief_list(document: Any, name: str, size: float = 10, line: float = 15) -> None:
    """A numbered list, and what does not stand in it."""
    look = {"font": SMALL, "size": size, "line": line, "indent": False, "align": "LEFT"}
    paragraph(document, f"{{%p for text in {name} %}}", **look)
    paragraph(document, "{{ loop.index }}. {{ text }}", **look)
    paragraph(document, "{%p endfor %}", **look)


def brief_more(document: Any, name: str) -> None:
    """How many rows are elsewhere."""
    look = {"font": SMALL, "size": 9, "line": 13, "indent": False, "align": "LEFT"}
    paragraph(document, f"{{%p if more_{name} %}}", **look)
    paragraph(document, f"{{{{ more_{name} }}}}", **look)
    paragraph(document, "{%p endif %}", **look)


def brief_heading(document: Any, text: str, new_page: bool = False) -> None:
    """A heading; ``new_page``: of a page."""
    line = paragraph(document, text, font=HEADING, size=12, line=24, indent=False, align="LEFT")
    line.paragraph_format.page_break_before = new_page


def brief(document: Any) -> None:
    """The four pages of the brief."""
    note = {"font": SMALL, "size": 8, "line": 11, "indent": False, "align": "LEFT"}
    paragraph(document, "{%p for notice in notices %}", **note)
    paragraph(document, "{{ notice }}", color=RED, **note)
    paragraph(document, "{%p endfor %}", **note)
    paragraph(document, "{{ title }}", font=TITLE, size=18, line=32, indent=False, align="CENTER", bold=True)
    paragraph(document, "会 议 简 报", font=HEADING, size=14, line=26, indent=False, align="CENTER")
    paragraph(document, "{{ office }}　数据日期：{{ date }}　{{ secrecy }}", font=SMALL, size=10, line=18, indent=False,
              align="CENTER")
    brief_heading(document, "一、提请审议")
    brief_list(document, "decisions", 10.5, 16)
    brief_heading(document, "二、主要指标（模型预测，非实测）")
    brief_table(document, "indicators", (("指标", "name", 30), ("规划前", "before", 34), ("规划后", "after", 34),
                                         ("口径", "rule", 72)), 6.6, size=8.5)
    brief_more(document, "indicators")
    paragraph(document, "{%p for text in rules %}", **note)
    paragraph(document, "{{ text }}", **note)
    paragraph(document, "{%p endfor %}", **note)
    brief_heading(document, "三、覆盖图（规划前、规划后）", True)
    picture = document.add_paragraph()
    picture.alignment = WD_ALIGN_PARAGRAPH.CENTER
    set_font(picture.add_run("{{ maps }}"), SMALL, 10)
    paragraph(document, "覆盖概率为模型预测值，门限 SS-RSRP ≥ {{ threshold }} dBm，室外，任一5G网络。审图号：{{ approval }}", **note)
    brief_heading(document, "四、规划站址与费用（万元）", True)
    money = (("number", "站址", 14), ("reused", "利旧共址", 19), ("macro", "宏站", 13), ("micro", "微站", 13),
             ("free", "免费开放", 19), ("capex", "建设费", 19), ("yearly", "年运行费", 19), ("cost", "总费用", 20))
    total = ("{{ total.name }}", *(f"{{{{ total.{name} }}}}" for name, _, _ in money))
    for loop, title, last in (("tiers", "场所层级", ()), ("counties", "县区", total)):
        brief_table(document, loop, ((title, "name", 34), *((zh, name, width) for name, zh, width in money)), 5.6, last)
        paragraph(document, "", **{**note, "line": 6, "size": 4})
    brief_heading(document, "五、请开放场所的主管部门")
    brief_table(document, "departments", (("主管部门", "name", 54), ("站址", "number", 16), ("应免费", "free", 16),
                                          ("涉及镇街", "towns", 84)))
    brief_more(document, "departments")
    brief_heading(document, "六、电磁环境筛查可能超过公众限值的站址（估算，非环评）")
    small = {"font": SMALL, "size": 9.5, "line": 13, "indent": False, "align": "LEFT"}
    paragraph(document, "{%p if over %}", **small)
    paragraph(document, "{{ over|join('；') }}。须调整后重算。{{ more_over }}", **small)
    paragraph(document, "{%p else %}", **small)
    paragraph(document, "{{ over_none }}", **small)
    paragraph(document, "{%p endif %}", **small)
    brief_heading(document, "七、规划站址（按选址次序）")
    brief_table(document, "sites", (("次序", "rank", 12), ("名称", "name", 50), ("镇街", "town", 23), ("类型", "kind", 13),
                                    ("权属单位", "owner", 36), ("新增服务({{ demand_unit }})", "gain", 23),
                                    ("万元", "cost", 13)), size=8)
    brief_more(document, "sites")
    brief_heading(document, "八、疑难站址与拒绝", True)
    paragraph(document, "{%p if not hard %}", **note)
    paragraph(document, "没有疑难站址和拒绝记录", font=SMALL, size=10, line=15, indent=False, align="LEFT")
    paragraph(document, "{%p endif %}", **note)
    brief_list(document, "hard", 10, 14)
    brief_more(document, "hard")
    brief_heading(document, "九、规划后仍有的覆盖空洞")
    brief_table(document, "gaps", (("次序", "rank", 12), ("位置", "where", 48), ("公顷", "area", 18),
                                   ("{{ demand }}", "demand", 24), ("原因", "reason", 68)))
    brief_more(document, "gaps")
    brief_heading(document, "十、规划后仍不达标或无法判定")
    brief_list(document, "failing", 10, 14)
    brief_more(document, "failing")
    brief_heading(document, "十一、数据问题与方案质量")
    brief_list(document, "quality", 9.5, 14)
    brief_heading(document, "十二、假设")
    brief_list(document, "assumptions", 9.5, 14)


def finished(document: Any, title: str) -> bytes:
    """A document as bytes, the same at every run."""
    facts = document.core_properties
    facts.title, facts.author, facts.comments = title, "siteplan", ""
    facts.created = facts.modified = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - Word wants no zone
    buffer = io.BytesIO()
    document.save(buffer)
    return even_zip(buffer.getvalue())


def new_document() -> Any:
    """An empty A4 document in the font of the body."""
    document = Document()
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = BODY, Pt(16)
    normal.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), BODY)
    document.sections[0].page_width, document.sections[0].page_height = Mm(210), Mm(297)
    return document


def make() -> bytes:
    """The template of the letters."""
    document = new_document()
    first = document.sections[0]
    first.top_margin, first.bottom_margin, first.left_margin, first.right_margin = Mm(37), Mm(35), Mm(28), Mm(26)
    letter(document)
    annex(document)
    for section in document.sections:
        page_number(section.footer)
    return finished(document, "开放公共场所商请函")


def make_brief() -> bytes:
    """The template of the brief."""
    document = new_document()
    first = document.sections[0]
    first.top_margin, first.bottom_margin, first.left_margin, first.right_margin = Mm(16), Mm(16), Mm(20), Mm(20)
    first.footer_distance = Mm(8)
    brief(document)
    page_number(first.footer)
    return finished(document, "会议简报")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    TARGET.write_bytes(make())
    BRIEF.write_bytes(make_brief())
