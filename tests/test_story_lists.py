"""The lists of the three-year story, read as an office brings them in; ``make story`` tells the story itself."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import siteplan as sp
from siteplan.register import Register
from siteplan.register.list_kinds import import_list
from tests.registers import stamp

STORY = Path(__file__).resolve().parents[1] / "data" / "xikou" / "story"
TABLES = {"cases": "cases", "minutes": "minutes", "opinions": "opinions", "quotas": "quotas", "reports": "reports",
          "split": "quotas", "work": "tasks", "works": "works"}
"""First word of the name of a list -> what it is."""


@pytest.mark.parametrize("path", sorted(STORY.iterdir()), ids=lambda path: path.name)
def test_every_list_of_the_story_can_be_read_whole(path: Path) -> None:
    found = sp.read_list(path, TABLES[path.stem.split("_")[0]], "EPSG:4547")
    assert found.problems == ()
    assert len(found.rows)


def test_thirteen_free_sites_are_split_and_a_draft_that_lacks_one_is_refused(register: Register) -> None:
    """7 and 6 are 13; the draft says 7 and 5."""
    rows = pd.DataFrame([{"title": "免费开放公共区域站址", "level": "市", "area": "溪口市", "measure": "免费开放公共区域", "unit": "站址",
                          "value": 13, "since": "2026-01-01", "by": "2027-12-31"}], dtype=object)
    (parent,) = import_list(register, "quotas", sp.register.edits.ListTable("quotas", rows), stamp("2026-01-20")).added
    draft, right = (sp.read_list(STORY / f"split_free_public{end}.csv", "quotas") for end in ("_draft", ""))
    with pytest.raises(sp.RegisterError, match="13"):
        import_list(register, "split", draft, stamp("2026-01-21"), parent_id=parent)
    import_list(register, "split", right, stamp("2026-01-21"), parent_id=parent)
    quotas = sp.read_rows(register, "quotas")
    assert quotas.loc[quotas["parent_id"] == parent, "value"].sum() == 13
