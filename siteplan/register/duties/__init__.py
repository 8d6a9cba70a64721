"""Duties: tasks, whistle cases, minutes of meetings, reminders; how they stand on a day, and what changes them."""

from siteplan.register.duties.cases import (
    case_levels,
    case_sums,
    case_table,
    escalation_due,
    hard_site_table,
    leaders_of,
    mean_days_to_close,
    report_in_sums,
)
from siteplan.register.duties.minutes import (
    MINUTE_COLUMNS,
    MinutesResult,
    tasks_from_minutes,
    without_work_plan,
    work_plan_rows,
)
from siteplan.register.duties.reminders import Reminder, ReminderItem, record_reminders, record_reply, reminders_due
from siteplan.register.duties.sums import lights, task_sums
from siteplan.register.duties.tasks import (
    block_task,
    cancel_task,
    finish_task,
    overdue_tasks,
    reopen_task,
    task_table,
    unanswered_tasks,
)
from siteplan.register.duties.towns import TOWN_TABLES, TownFacts, town_facts
from siteplan.register.duties.venue_stands import open_violations, venue_stands
from siteplan.register.duties.whistles import close_case, escalate, open_case, report_in

__all__ = ["MINUTE_COLUMNS", "TOWN_TABLES", "MinutesResult", "Reminder", "ReminderItem", "TownFacts", "block_task",
           "cancel_task", "case_levels", "case_sums", "case_table", "close_case", "escalate", "escalation_due",
           "finish_task", "hard_site_table", "leaders_of", "lights", "mean_days_to_close", "open_case",
           "open_violations", "overdue_tasks", "record_reminders", "record_reply", "reminders_due", "reopen_task",
           "report_in", "report_in_sums", "task_sums", "task_table", "tasks_from_minutes", "town_facts",
           "unanswered_tasks", "venue_stands", "without_work_plan", "work_plan_rows"]
