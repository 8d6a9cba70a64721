"""Write the Word template of the letters, ``siteplan/templates/opening_letter.docx``.

The form follows GB/T 9704-2012 (Party and government documents, letter form): 37 mm above, 35 mm below, 28 mm left,
26 mm right; title 宋体 二号 (bold, where 小标宋 is not at hand), body 仿宋 三号 on 28 pt lines
with two letters of indent, numbers of pages 四号.
"""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

from docx import Document
from docx.enum.section import WD_ORIENT, WD_SECTION
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH, WD_LINE_SPACING
from docx.oxml import OxmlElement
from docx.oxml.ns import qn
from docx.shared import Mm, Pt, RGBColor

from siteplan.export._letters import even_zip

TARGET = Path(__file__).resolve().parents[1] / "siteplan" / "templates" / "opening_letter.docx"
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


def make() -> bytes:
    """The template as bytes, the same at every run."""
    document = Document()
    normal = document.styles["Normal"]
    normal.font.name, normal.font.size = BODY, Pt(16)
    normal.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), BODY)
    first = document.sections[0]
    first.page_width, first.page_height = Mm(210), Mm(297)
    first.top_margin, first.bottom_margin, first.left_margin, first.right_margin = Mm(37), Mm(35), Mm(28), Mm(26)
    letter(document)
    annex(document)
    for section in document.sections:
        page_number(section.footer)
    facts = document.core_properties
    facts.title, facts.author, facts.comments = "开放公共场所商请函", "siteplan", ""
    facts.created = facts.modified = dt.datetime(2026, 1, 1)  # noqa: DTZ001 - Word wants no zone
    buffer = io.BytesIO()
    document.save(buffer)
    return even_zip(buffer.getvalue())


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_bytes(make())
