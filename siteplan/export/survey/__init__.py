"""Lists for people: survey sheets of chosen sites, and what may not leave the bureau."""

from siteplan.export.survey.sheet import write_survey
from siteplan.export.survey.withheld import write_withheld

__all__ = ["write_survey", "write_withheld"]
