"""The Word files of a report, from the shipped templates or a city's own."""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

from siteplan.errors import ExportError, Problem
from siteplan.export._word import WordTemplate, fill_word, read_word, without_controls
from siteplan.report._document_facts import (
    ROW_NAMES,
    letter_facts,
    plan_facts,
    report_document_facts,
    town_facts,
)
from siteplan.report.facts import ReportFacts

DOCUMENTS: Mapping[str, str] = MappingProxyType({
    "half_year_report.docx": "半年通报模板", "annual_report.docx": "年度报告模板", "year_plan.docx": "年度计划模板",
    "reminder_letter.docx": "催办函模板", "town_sheet.docx": "镇街督导表模板"})
"""Templates by file name, with what they are."""
MAP_MM = 156.0
OFFICE = "通信建设管理办公室"
"""Who signs where the register names no office."""
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\s]+')
_LONGEST_NAME = 60


@dataclass(frozen=True)
class Templates:
    """Templates by file name; those of the city in place of the shipped ones."""

    data: Mapping[str, bytes]
    own: tuple[str, ...] = ()

    def of(self, name: str) -> WordTemplate:
        """The template of a document."""
        rows = "、".join(f"row.{field}" for field in dict.fromkeys(sum(ROW_NAMES.values(), ())))
        return WordTemplate(self.data[name], DOCUMENTS[name], name if name in self.own else f"(随附){name}", rows,
                            {"map": MAP_MM})


def read_templates(folder: Path | None = None) -> Templates:
    """The shipped templates, and those of a folder in place of the ones whose file names they have.

    Parameters
    ----------
    folder : Path, optional
        Of a city's own templates; other files in it are left alone.

    Raises
    ------
    ExportError
        The folder is not there or has none of the templates, or a file of it is no Word file.
    """
    shipped = files("siteplan").joinpath("templates")
    data = {name: shipped.joinpath(name).read_bytes() for name in DOCUMENTS}
    if folder is None:
        return Templates(MappingProxyType(data))
    own = [name for name in DOCUMENTS if (folder / name).is_file()] if folder.is_dir() else []
    if not own:
        why = "文件夹中没有可用的模板" if folder.is_dir() else "文件夹不存在"
        raise ExportError("模板文件夹不能使用:", [
            Problem("report", str(folder), "", "--template-dir", why, f"放入同名文件:{'、'.join(DOCUMENTS)}")])
    return Templates(MappingProxyType({**data, **{name: read_word(folder / name, DOCUMENTS[name]) for name in own}}),
                     tuple(own))


def office_of(organisations: Sequence[str]) -> str:
    """The office that signs: the first of the register."""
    return next(iter(organisations), OFFICE)


def report_document(facts: ReportFacts, templates: Templates, office: str, picture: bytes) -> bytes:
    """The half-year report (通报)."""
    return _one(templates.of("half_year_report.docx"), report_document_facts(facts, office, picture))


def annual_document(facts: ReportFacts, templates: Templates, office: str, picture: bytes, signed: dt.date) -> bytes:
    """The annual report to the city's committee and government, signed on a day."""
    return _one(templates.of("annual_report.docx"), report_document_facts(facts, office, picture, signed))


def plan_document(facts: ReportFacts, templates: Templates, office: str, without_plan: Sequence[str]) -> bytes:
    """The plan of work of the next year, by organisation; ``without_plan``: members that have not handed in theirs."""
    return _one(templates.of("year_plan.docx"), plan_facts(facts, office, without_plan))


def town_document(facts: ReportFacts, templates: Templates, office: str) -> bytes:
    """One page for each town."""
    return _one(templates.of("town_sheet.docx"), town_facts(facts, office))


def reminder_documents(facts: ReportFacts, templates: Templates, office: str) -> dict[str, bytes]:
    """One letter for each organisation that is to be reminded, by file name."""
    if not facts.reminders:
        return {}
    every = [letter_facts(reminder, facts, office) for reminder in facts.reminders]
    made = fill_word(templates.of("reminder_letter.docx"), every)
    names = [letter_name(number, reminder.organisation) for number, reminder in enumerate(facts.reminders, start=1)]
    return dict(zip(names, made, strict=True))


def letter_name(number: int, organisation: str) -> str:
    """File name of a letter: number and organisation, without what file systems refuse.

    >>> letter_name(3, "教育和体育局"), letter_name(1, "../..")
    ('03_教育和体育局.docx', '01_单位.docx')
    """
    plain = unicodedata.normalize("NFKC", without_controls(organisation))
    return f"{number:02d}_{_NOT_IN_NAMES.sub('_', plain).strip('._ ')[:_LONGEST_NAME] or '单位'}.docx"


def _one(template: WordTemplate, facts: dict[str, Any]) -> bytes:
    return next(fill_word(template, [facts]))
