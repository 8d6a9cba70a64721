"""Rules, targets and rankings of a study file: taken over with ``like``, every fault told at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from siteplan.entries import completed, like_faults
from siteplan.errors import ModelError, StudyError
from siteplan.gaps.progress.ranking import ranking_of
from siteplan.gaps.progress.targets import targets_of
from siteplan.study import Study

HEAD = '[study]\nname = "试"\n[layers.villages]\npath = "v.gpkg"\n[layers.ground]\npath = "g.tif"\n'


def problems_of(tmp_path: Path, text: str) -> dict[str, str]:
    """Field -> reason and remedy of every problem of a study file."""
    file = tmp_path / "study.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    with pytest.raises(StudyError) as caught:
        Study.from_toml(file)
    return {problem.field: f"{problem.reason};{problem.remedy}" for problem in caught.value.problems}


def test_a_study_adds_rules_targets_and_rankings(tmp_path: Path) -> None:
    file = tmp_path / "study.toml"
    file.write_text(HEAD + """
[gaps]
village_rule = "area_90"
zone_rules = { "县城主城区" = "area_share_98" }
ranking = "mine"
[gaps.rules.area_90]
like = "area_share_95"
zh = "面积覆盖率不低于90%"
minimum = 0.9
[targets.villages]
like = "villages_70_2024"
by = 2027-12-31
rule = "area_90"
[rankings.mine]
like = "coverage"
[rankings.mine.indicators.area_share]
weight = 0
[rankings.mine.indicators.zone_rate]
weight = 0.3
""", encoding="utf-8")
    params = Study.from_toml(file).params
    assert params.gaps.rules["area_90"]["minimum"] == 0.9
    target = targets_of(params.targets)["villages"]
    assert (target.value, target.by.year, target.rule) == (70.0, 2027, "area_90")
    ranking = ranking_of("mine", params.rankings)
    assert sum(item.weight for item in ranking.indicators) == pytest.approx(1.0)
    assert "area_share" not in [item.id for item in ranking.indicators]


def test_every_fault_is_told_at_once(tmp_path: Path) -> None:
    told = problems_of(tmp_path, """
[gaps]
village_rule = "area_share_59"
zone_rules = { "医院" = "nothing_like_it" }
compare_rules = ["village_miit_2052"]
ranking = "covrage"
[gaps.rules.mine]
like = "area_share_96"
[targets.a]
like = "villages_70_2042"
[targets.b]
like = "villages_70_2024"
value = 0.7
[targets.c]
like = "villages_70_2024"
rule = "nothing"
valeu = 80
[targets.d]
level = "city"
[rankings.heavy]
like = "coverage"
[rankings.heavy.indicators.area_share]
weight = 0.5
""")
    assert "area_share_9" in told["gaps.village_rule"]
    assert {"gaps.zone_rules.医院", "gaps.compare_rules", "gaps.rules.mine.like", "targets.a.like", "targets.c.rule",
            "targets.d.measure", "targets.d.by"} <= set(told)
    assert "coverage" in told["gaps.ranking"]
    assert "villages_70_2024" in told["targets.a.like"]
    assert "value" in told["targets.c.valeu"]
    assert "0.7" in told["targets.b"]
    assert "权重" in told["rankings.heavy"]
    assert not any("targets.b." in field for field in told)


def test_entries_that_take_over_each_other_are_told() -> None:
    extra = {"a": {"like": "b"}, "b": {"like": "a"}, "c": {"like": "c"}}
    assert {name for name, _, _ in like_faults({}, extra)} == {"a", "b", "c"}
    with pytest.raises(ModelError, match="like"):
        completed("a", {}, extra)


def test_an_entry_of_a_known_name_changes_single_fields() -> None:
    own = completed("x", {"x": {"a": 1, "b": {"c": 2, "d": 3}}}, {"x": {"b": {"d": 4}}})
    assert own == {"a": 1, "b": {"c": 2, "d": 4}}


def test_a_chain_is_followed_to_its_end() -> None:
    extra = {"y": {"like": "x", "b": 2}, "z": {"like": "y", "c": 3}}
    assert completed("z", {"x": {"a": 1}}, extra) == {"a": 1, "b": 2, "c": 3}
