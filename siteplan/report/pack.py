"""The half-year pack: every file of a report, written as a whole or not at all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siteplan.export._staging import check_folder, write_parts
from siteplan.export.exchange.own_files import check_others, write_list
from siteplan.register import Register, Stamp, writing
from siteplan.report.documents import (
    Templates,
    annual_document,
    office_of,
    plan_document,
    read_templates,
    reminder_documents,
    report_document,
    town_document,
)
from siteplan.report.facts import ReportFacts, earlier_notes, facts_of
from siteplan.report.period import period_of, year_closed_by
from siteplan.report.picture import map_picture
from siteplan.report.progress import progress_page
from siteplan.report.reading import RegisterState, register_states
from siteplan.report.workbook import write_workbook

if TYPE_CHECKING:
    from siteplan.export.master import PlanLayers

LETTERS, BOOK, MAP, PAGE = "reminders", "half_year.xlsx", "map.png", "progress_map.html"


@dataclass(frozen=True)
class Pack:
    """A pack that was written.

    Attributes
    ----------
    facts : ReportFacts
        Of the half-year.
    annual : ReportFacts or None
        Of the whole year, where the pack closes one.
    files : tuple of Path
    """

    facts: ReportFacts
    annual: ReportFacts | None
    files: tuple[Path, ...]


def write_report(register: Register, as_of: dt.date, out: Path, *, plan: PlanLayers | None = None,
                 previous: dt.date | None = None, templates: Templates | None = None) -> Pack:
    """Write the pack of a cut-off: workbook, report, reminder letters, town sheets, maps; in January the annual ones.

    Parameters
    ----------
    register : Register
        Is only read; that letters went out is recorded by :func:`send_reminders`.
    as_of : date
        The cut-off; what is dated on it counts.
    out : Path
        Folder; made when absent.
    plan : PlanLayers, optional
        Outlines and gap areas of a plan.
    previous : date, optional
        The cut-off that changes are told against; the last day before the half-year when absent.
    templates : Templates, optional
        Of :func:`~siteplan.report.documents.read_templates`; the shipped ones when absent.

    Returns
    -------
    Pack
        The files are in a folder of ``out`` that is named by the cut-off. It is replaced as a whole: where the process
        is killed, it is the old or the new one. The same state of the register and the same day give the same bytes.

    Raises
    ------
    ExportError
        A file cannot be written, a template cannot be used, or a file of the folder was changed by hand since the last
        report; ``out`` is as it was.
    RegisterError
        The register cannot be read, or another program changed rows of it: a problem each; nothing is written.

    Notes
    -----
    Always ``half_year.xlsx, half_year_report.docx, town_sheet.docx, map.png, progress_map.html`` and the folder
    ``reminders``. With 12-31, or in January for the year before (:func:`~siteplan.report.period.year_closed_by`),
    ``annual_report.docx`` and ``year_plan.docx`` (of the next year) as well.
    """
    check_folder(out)
    templates = templates or read_templates()
    period, year = period_of(as_of), year_closed_by(as_of)
    earlier = previous or period.before
    wanted: dict[dt.date, tuple[str, ...]] = {earlier: ("sites",), **({} if year is None else {
        year.before: ("sites",), year.last: ()}), as_of: ()}
    states = register_states(register, wanted)
    state = states[as_of]
    facts = facts_of(state, period, states[earlier], plan, earlier_notes(register, state, earlier))
    annual = None if year is None else facts_of(states[year.last], year, states[year.before], plan,
                                                earlier_notes(register, state, year.before))

    def write(new: Path) -> None:
        folder = new / as_of.isoformat()
        (folder / LETTERS).mkdir(parents=True)
        _write_half_year(folder, facts, templates, state)
        if annual is not None:
            _write_annual(folder, facts, annual, templates, state)
        write_list(folder)

    files = write_parts(out, write, lambda new: check_others(new, out))
    return Pack(facts, annual, files)


def send_reminders(register: Register, facts: ReportFacts, stamp: Stamp) -> int:
    """Note in the register that the letters of a report went out on its cut-off.

    Returns
    -------
    int
        Tasks that were noted; those noted on that day already stay as they are.

    Raises
    ------
    RegisterError
        The register cannot be written.
    """
    from siteplan.register.duties import record_reminders

    with writing(register, stamp) as transaction:
        return record_reminders(transaction, facts.reminders)


def _office(state: RegisterState) -> str:
    organisations = state.tables["organisations"]
    return office_of([str(name) for name in organisations["name"][organisations["kind"] == "office"]])


def _write_half_year(folder: Path, facts: ReportFacts, templates: Templates, state: RegisterState) -> None:
    """Workbook, report, letters, town sheets, maps."""
    office, picture = _office(state), map_picture(facts)
    write_workbook(facts, folder / BOOK)
    (folder / MAP).write_bytes(picture)
    (folder / "half_year_report.docx").write_bytes(report_document(facts, templates, office, picture))
    (folder / "town_sheet.docx").write_bytes(town_document(facts, templates, office))
    for name, content in reminder_documents(facts, templates, office).items():
        (folder / LETTERS / name).write_bytes(content)
    (folder / PAGE).write_text(progress_page(facts), encoding="utf-8")


def _write_annual(folder: Path, facts: ReportFacts, annual: ReportFacts, templates: Templates, state: RegisterState,
                  ) -> None:
    """Annual report as of 12-31, and the plan of work of the next year as it stands at the cut-off."""
    from siteplan.register.duties import without_work_plan

    office = _office(state)
    missing = without_work_plan(state.tables["tasks"], state.tables["organisations"], annual.period.plan_year)
    (folder / "annual_report.docx").write_bytes(annual_document(
        annual, templates, office, map_picture(annual), state.as_of))
    (folder / "year_plan.docx").write_bytes(plan_document(facts, templates, office, missing))
