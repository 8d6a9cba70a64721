"""Rules, targets and rankings that a study file adds: every problem of them, and names that nothing has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from siteplan.entries import LIKE, completed, like_faults
from siteplan.errors import ModelError, Problem
from siteplan.gaps.judging.rules import rule_faults
from siteplan.gaps.progress.ranking import Indicator, Weights, ranking_of
from siteplan.gaps.progress.targets import Target
from siteplan.params import Settings
from siteplan.setting_faults import suggestion, value_fault, written
from siteplan.tables import read_table

RULE_KEYS = ("village_rule", "zone_rule", "line_rule")
Tables = Mapping[str, Mapping[str, Any]]


def entry_problems(raw: Mapping[str, Any], file: str) -> Iterator[Problem]:
    """What is wrong with ``[gaps.rules]``, ``[targets]``, ``[rankings]``, and with ids of rules and rankings.

    Parameters
    ----------
    raw : mapping
        The parsed study file.
    file : str
        Its name.
    """
    gaps = table_of(raw.get("gaps"))
    rules, targets, rankings = (entries_of(table) for table in (
        gaps.get("rules"), raw.get("targets"), raw.get("rankings")))
    known = {name: read_table(table)[name] for name, table in (
        ("rules", "rules"), ("targets", "targets"), ("rankings", "targets"))}
    all_rules = [*known["rules"], *rules]
    for name, key, reason, remedy in rule_faults(rules):
        yield Problem("study", file, "", ".".join(filter(None, ("gaps.rules", name, key))), reason, remedy)
    yield from faulty_entries("targets", targets, known["targets"], (
        Target, lambda name: Target(**{
            "source": "研究文件", **completed(name, known["targets"], targets), "id": name})), file)
    yield from faulty_entries("rankings", rankings, known["rankings"], (
        Weights, lambda name: ranking_of(name, rankings)), file)
    yield from _unknown_rules(gaps, rules, all_rules, file)
    for name, entry in targets.items():
        if isinstance(entry.get("rule"), str) and entry["rule"] not in all_rules:
            yield _unknown(file, f"targets.{name}.rule", "规则", entry["rule"], all_rules)
    ranking = gaps.get("ranking")
    if isinstance(ranking, str) and ranking not in (*known["rankings"], *rankings):
        yield _unknown(file, "gaps.ranking", "评分", ranking, [*known["rankings"], *rankings])


def _unknown_rules(gaps: Mapping[str, Any], rules: Tables, known: list[str], file: str) -> Iterator[Problem]:
    """Names of rules in ``[gaps]`` that no rule has."""
    named = [(key, gaps.get(key)) for key in RULE_KEYS]
    zones, more = gaps.get("zone_rules"), gaps.get("compare_rules")
    named += [(f"zone_rules.{kind}", rule) for kind, rule in zones.items()] if isinstance(zones, Mapping) else []
    named += [("compare_rules", rule) for rule in more] if isinstance(more, list) else []
    for key, rule in named:
        if isinstance(rule, str) and rule not in known:
            yield _unknown(file, f"gaps.{key}", "规则", rule, known)
        elif isinstance(rule, str) and (key == "line_rule") != (_measure(rule, rules) == "line_share"):
            what = "线路须用按长度判定的规则" if key == "line_rule" else "面不能用按长度判定的规则"
            yield Problem("study", file, "", f"gaps.{key}", f"{what}(measure = \"line_share\"):{rule}",
                          "换一条规则,见 docs/rules-and-numbers.md")


def _measure(rule: str, rules: Tables) -> object:
    """What a rule measures; None where its entry leads nowhere."""
    try:
        return completed(rule, read_table("rules")["rules"], rules).get("measure")
    except ModelError:
        return None


def _unknown(file: str, field: str, noun: str, name: str, known: Iterable[str]) -> Problem:
    return Problem("study", file, "", field, f"没有这个{noun}(unknown {'rule' if noun == '规则' else 'ranking'}):{name}",
                   suggestion(name, known))


def table_of(value: object) -> Mapping[str, Any]:
    """A value that should be a table; empty where it is none, which is told with the faults of the whole file."""
    return value if isinstance(value, Mapping) else {}


def entries_of(table: object) -> dict[str, Mapping[str, Any]]:
    """The entries of a table that are tables themselves; others are told with the faults of the whole file."""
    return {str(name): entry for name, entry in table_of(table).items() if isinstance(entry, Mapping)}


def faulty_entries(table: str, extra: Tables, known: Tables, make: tuple[type[Settings], Callable[[str], Settings]],
            file: str) -> Iterator[Problem]:
    """Problems of the entries of one table."""
    model, build = make
    astray = {name: (reason, remedy) for name, reason, remedy in like_faults(known, extra)}
    for name in extra:
        if name in astray:
            yield Problem("study", file, "", f"{table}.{name}.{LIKE}", *astray[name])
            continue
        try:
            build(name)
        except ModelError:  # it takes over an entry that leads nowhere, which is told there
            continue
        except ValidationError as error:
            yield from dict.fromkeys(_problem(fault, f"{table}.{name}", model, file) for fault in error.errors())


def _problem(fault: Mapping[str, Any], place: str, model: type[Settings], file: str) -> Problem:
    """One pydantic fault in a planner's words."""
    parts = [str(part) for part in fault["loc"]]
    field = ".".join([place, *parts])
    if fault["type"] == "extra_forbidden":
        known = Indicator.model_fields if "indicators" in parts else model.model_fields
        return Problem("study", file, "", field, "没有这个键(unknown key)",
                       suggestion(parts[-1], [LIKE, *(name for name in known if name != "id")]))
    if fault["type"] == "missing":
        return Problem("study", file, "", field, "缺少必需的键", f"增加 {parts[-1]},或用 like 取自另一个条目")
    if fault["type"] == "value_error":
        return Problem("study", file, "", place, f"各键不相符:{fault['ctx']['error']}", "见 docs/study-file.md 中这一节的说明")
    return Problem("study", file, "", field, f"{value_fault(fault)}(现为 {written(fault.get('input'))})",
                   "见 docs/study-file.md 中该键的范围")
