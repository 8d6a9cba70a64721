"""Names of a malformed station table on the review map: shown as they are, by every control, and never run."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import map_plan
import pytest
from chrome import CHROMIUM, chrome
from js_checks import clean, text

from siteplan.maps import write_review_map

NASTY = Path(__file__).parents[1] / "../shared/data/badinput/generated/cell_table_nasty.csv"
pytestmark = [
    pytest.mark.browser, pytest.mark.shared,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: the map page is not opened"),
    pytest.mark.skipif(not NASTY.is_file(), reason=f"{NASTY} is not there"),
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
]
OWN = ("</title><script>document.title=1</script>", "';document.title=2;'", "\"><svg onload=document.title=3>",
       "{{constructor.constructor('document.title=4')()}}", "\\u003cscript\\u003e",
       "&lt;img src=x onerror=alert(1)&gt;", "=cmd|' /C calc'!A0", "%3Cscript%3E",
       "\u202egnp.exe", "𬭎㙍䶮村", "a" * 300, "两\n行\t名")
SEARCH = """new Promise(done => { const box = document.querySelector(".sp-search input"); box.value = TEXT;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  setTimeout(() => done(document.querySelector(".sp-search").innerText), 250); })"""


def corpus() -> tuple[str, ...]:
    """Every cell of the table that is no plain number, and names of our own."""
    with NASTY.open(encoding="gb18030", newline="") as handle:
        cells = [cell for row in csv.reader(handle) for cell in row if cell and not cell.lstrip("-").isdecimal()]
    return (*dict.fromkeys(cells), *OWN)


def test_the_corpus_is_text_everywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = corpus()
    assert {"<script>alert(1)</script>", "${document.title=7*7}`", "../../etc/passwd"} <= set(names)
    monkeypatch.setattr(map_plan, "HOSTILE", names)
    plan = map_plan.make_plan(shape=(80, 100), pixel=100.0, candidates=2 * len(names), proposed=2 * len(names),
                              villages=len(names), hostile=True)
    page = write_review_map(plan, tmp_path / "${title}`.html")
    with chrome(page, "on=candidates,refused,complaints,indoor_buildings,stretches,works,restricted,units") as tab:
        title = tab.evaluate("document.title")
        shown = tab.evaluate("""(() => { let all = "";
          map_siteplan.eachLayer(layer => { if (layer.getTooltip && layer.getTooltip()) { layer.openTooltip();
            all += document.querySelector(".leaflet-tooltip-pane").innerText; } });
          SP.layersOf.proposed.items.forEach(site => { SP.openSite(site); all += document.body.innerText; });
          for (let i = 0; i < SP.packed("candidates").count; i += 1) { SP.openPacked("candidates", i);
            all += document.querySelector(".leaflet-popup-pane").innerText; }
          return all; })()""")
        for name in names:
            assert name.strip().split("\n")[0].split("\t")[0] in shown, name
            found = tab.evaluate(SEARCH.replace("TEXT", json.dumps(name.strip())))
            assert isinstance(found, str)
        for state in ("before", "swipe", "after"):
            tab.click(f"#sp-state [data-state={state}]")
        assert tab.evaluate("document.title") == title
        strange = "body img:not(.leaflet-image-layer), body svg[onload]"
        assert tab.evaluate(f"document.querySelectorAll('{strange}').length") == 0
        assert "站址规划评审图" in text(tab)
        clean(tab)
