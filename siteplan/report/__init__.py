"""The half-year pack: what was asked, what is done, who is late."""

from siteplan.report.documents import Templates, read_templates
from siteplan.report.facts import ReportFacts, report_facts
from siteplan.report.pack import Pack, send_reminders, write_report
from siteplan.report.period import Period, period_of, year_closed_by

__all__ = ["Pack", "Period", "ReportFacts", "Templates", "period_of", "read_templates", "report_facts",
           "send_reminders", "write_report", "year_closed_by"]
