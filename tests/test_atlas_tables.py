"""Tables and legends of the atlas: whole, without blanks, and what stands is counted apart from what is new."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from conftest import X0, Y0, rect
from test_atlas import STYLE, some_sites, table, toy, words_of

from siteplan.export.master import PlanLayers
from siteplan.sheets import atlas, write_atlas
from siteplan.sheets._areas import areas_of, indicator_rows, numbered_sites, site_count_rows
from siteplan.sheets._classes import scale_of
from siteplan.sheets._marks import VERDICTS, drawn_signs
from siteplan.sheets._view import view_of
from siteplan.tables import read_table


def test_a_long_index_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(atlas, "_room", lambda sheet, area, wanted: wanted)  # the room of every map is not at stake
    content = toy()
    shapes = [rect(at % 30 * 20, at // 30 * 20, at % 30 * 20 + 20, at // 30 * 20 + 20) for at in range(120)]
    towns = table(shapes, town_code=[f"T{at:03d}" for at in range(120)], name=[f"第{at}镇" for at in range(120)],
                  county=["甲县"] * 120)
    sheet = atlas.Sheet(replace(content, layers=PlanLayers(content.facts, {**content.layers.layers, "towns": towns})),
                        STYLE, "probability", scale_of(content, "probability", STYLE), numbered_sites(content, STYLE),
                        0, atlas.title_of(content.facts))
    leaves = atlas._leaves(sheet, areas_of(sheet.content, "town"))
    rows = [*leaves[0].rows, *(row for leaf in leaves for _, block in leaf.blocks for row in block)]
    assert [int(row[0]) for row in rows] == [*range(2, 122)]
    assert leaves[0].more == 120 - len(leaves[0].rows) > 0
    assert leaves[0].at == 122  # the first page that has no map
    assert [leaf.area.name for leaf in leaves if leaf.area] == [row[1] for row in rows]


def test_the_legend_has_what_the_map_shows_and_nothing_else() -> None:
    content = toy()
    sites = numbered_sites(content, STYLE)
    assert sites["no"].size == 4
    whole = drawn_signs(content, sites, view_of((X0, Y0, X0 + 600, Y0 + 400), (0, 0, 650, 450), 1000))
    assert set(whole) == {"proposed_macro", "proposed_micro", "existing", "village_pass", "village_not_assessable",
                          "zone_fail", "gap", "zone", "road", "water", "boundary", "town", "unit", "village"}
    # 60 m within the eastern town: no water, no outline, no site, no mark of a village
    part = drawn_signs(content, sites, view_of((X0 + 520, Y0 + 170, X0 + 560, Y0 + 230), (0, 0, 60, 60), 1000))
    assert part == ["road"]
    words = read_table("sheets")["words"]
    assert {f"{kind}_{verdict}" for kind in ("village", "zone") for verdict in VERDICTS} <= set(words)


def test_new_sites_are_counted_apart_from_those_on_what_stands() -> None:
    sites = numbered_sites(toy(some_sites(6).assign(build=["新建", "利旧", "共址", "", "", ""])), STYLE)
    rows = {row[0]: row[1:] for row in site_count_rows(sites, STYLE)}
    assert rows["现有站址"] == ["3"]
    assert rows["规划新建"] == ["1"]
    assert rows["规划利旧共址"] == ["2"]


def test_no_cell_of_the_indicators_is_blank() -> None:
    content = toy()
    layers = {**content.layers.layers, "gaps_before": content.table("gaps")}
    told = replace(content, layers=PlanLayers(content.facts, layers))
    for each, gaps in ((told, "1 处 0.5 公顷"), (content, "—")):
        rows = indicator_rows(each, areas_of(each, "town")[0], numbered_sites(each, STYLE), STYLE)
        assert all(text for row in rows for text in row)
        assert ["覆盖空洞", gaps, "1 处 0.5 公顷"] in rows
        assert ["人口", "30"] in rows


def test_chinese_sheets_print_the_chinese_of_a_notice(tmp_path: Path) -> None:
    content = toy(notices=["预测值,非实测(predicted, not measured)", "Only English"])
    for language, shown in (("zh", False), ("en", True)):
        text = words_of(write_atlas(content, tmp_path / language, paper="A4", formats=["pdf"], only=["T1"],
                                    language=language)[0])
        assert "预测值,非实测" in text
        assert "OnlyEnglish" in text
        assert ("notmeasured" in text) is shown
