"""Joint works (同步开挖): works lists, what can be built together with them, who is asked for what by when."""

from siteplan.register.works.decisions import accept_match, decline_match, record_suggestions
from siteplan.register.works.demand import DEMAND_COLUMNS, demand_list
from siteplan.register.works.from_layers import works_of_layers
from siteplan.register.works.lists import WorksChange, WorksMove, change_lines, import_works
from siteplan.register.works.matching import COLUMNS, match_works, unplaced
from siteplan.register.works.owners import OWNER_COLUMNS, owner_lists, owner_table
from siteplan.register.works.rates import JointWorks, load_joint_works, works_kind
from siteplan.register.works.windows import JOIN_ZH, Window, open_works, window_of

__all__ = ["COLUMNS", "DEMAND_COLUMNS", "JOIN_ZH", "OWNER_COLUMNS", "JointWorks", "Window", "WorksChange", "WorksMove",
           "accept_match", "change_lines", "decline_match", "demand_list", "import_works", "load_joint_works",
           "match_works", "open_works", "owner_lists", "owner_table", "record_suggestions", "unplaced", "window_of",
           "works_kind", "works_of_layers"]
