"""What the brief of a meeting says: sentences and rows, cut so that four pages hold them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import geopandas as gpd
import pandas as pd

from siteplan.sheets._areas import percent, text_of
from siteplan.sheets._brief_asks import (
    MICRO,
    NO_OWNER,
    REUSED,
    decision_texts,
    hard_texts,
    over_limit_texts,
    screening_text,
)
from siteplan.sheets._brief_text import (
    count_of,
    fitted,
    is_yes,
    lines_of_text,
    short,
    sum_of,
    ten_thousands,
)
from siteplan.sheets._sheet import title_of
from siteplan.sheets._style import chinese_part
from siteplan.sheets.content import SheetContent
from siteplan.tables import read_table

ROWS: Mapping[str, int] = {"indicators": 12, "tiers": 5, "counties": 5, "departments": 7, "over": 12, "gaps": 7}
"""Most rows of each list (``gaps``: at least so many have room)."""
LINES: Mapping[str, int] = {"decisions": 12, "hard": 8, "failing": 8, "quality": 7, "assumptions": 9}
"""Most lines of each list of sentences: with them, and texts cut to the width of their cell, there are four pages."""
_KINDS = {"macro": "宏站", "micro": "微站", "indoor": "室分"}
_TREATED = {"refused": "拒收", "repaired": "修复", "assumed": "假定"}


def brief_facts(content: SheetContent) -> dict[str, Any]:
    """All that a template may name; every text is plain and short, every list has what its page has room for."""
    facts, study = content.facts, content.facts.get("study", {})
    title, settings = title_of(content.facts), content.facts.get("parameters", {})
    sites = content.table("sites")
    said = [chinese_part(text_of(text)) for text in study.get("notices", [])]
    more = f"(另有 {len(said) - 3} 条说明,见 plan.json)" if len(said) > 3 else ""
    notices = [short(text, 190) for text in said[:2]] + [short(text, 160) + more for text in said[2:3]]
    demand = short(study.get("demand_zh", "人口(人)"), 16)
    out: dict[str, Any] = {
        "title": short(title.project, 60), "demand": demand,
        "demand_unit": demand.partition("(")[2].rstrip(")…") or demand,
        "office": short(title.institute or settings.get("opening", {}).get("office"), 60),
        "date": short(settings.get("study", {}).get("as_of") or "未填", 20), "secrecy": short(title.secrecy, 30),
        "approval": short(study.get("map_approval_no") or "未填", 60), "notices": notices,
        "threshold": f"{content.threshold_dbm:g}"}
    asked = decision_texts(content, sites)
    decisions = next((found for each in (3, 2, 1) if not (found := fitted(asked, 90.0, LINES["decisions"], each)).left),
                     fitted(asked, 90.0, LINES["decisions"], 1))
    rows = _indicators(facts)
    left = len(rows) - ROWS["indicators"]
    out |= {"decisions": decisions.texts, "indicators": rows[:ROWS["indicators"]],
            "more_indicators": f"另有 {left} 项目标,见 indicators.xlsx" if left > 0 else "",
            "rules": [short(text, 560) for text in _rules(facts)]}
    return out | _money_page(sites) | _open_page(content)


def _money_page(sites: gpd.GeoDataFrame) -> dict[str, Any]:
    """Money, departments, sites above the limit and the sites in order: what the others leave goes to the last."""
    out = _tier_rows(sites) | _department_rows(sites)
    texts = over_limit_texts(sites)
    above = [short(text, 44) for text in texts[:ROWS["over"]]]
    told = f"另有 {len(texts) - len(above)} 处;" if len(texts) > len(above) else ""
    out |= {"over": above, "more_over": f"{told}逐栋见 exposure.csv" if above else "",
            "over_none": screening_text(sites)}
    lines = lines_of_text(";".join(above), 98.0)
    room = 190.0 - 5.75 * (len(out["tiers"]) + len(out["counties"])) - 5.95 * len(out["departments"]) - 4.7 * lines
    return out | _site_rows(sites, int(room / 5.95))


def _open_page(content: SheetContent) -> dict[str, Any]:
    """What is open: sentences take the lines that they need, gap areas what is left."""
    facts = content.facts
    quality = fitted([*_data(facts), *_quality(facts)], 98.0, LINES["quality"])
    assumed = fitted(_assumptions(content), 98.0, LINES["assumptions"])
    hard = fitted(hard_texts(content), 92.0, LINES["hard"])
    room = sum(LINES[name] for name in ("quality", "assumptions", "hard", "failing"))
    failing = fitted(_failing(content), 92.0, room - quality.lines - assumed.lines - hard.lines)
    spare = room - quality.lines - assumed.lines - hard.lines - failing.lines
    out: dict[str, Any] = {"quality": quality.texts, "assumptions": assumed.texts, "hard": hard.texts,
                           "failing": failing.texts}
    out |= {"more_hard": f"另有 {hard.left} 条,见 ledger.xlsx" if hard.left else "",
            "more_failing": f"另有 {failing.left} 处,见图册和 indicators.xlsx" if failing.left else ""}
    return out | _gap_rows(content, ROWS["gaps"] + int(spare * 5.0 / 5.95))


def _indicators(facts: Mapping[str, Any]) -> list[dict[str, str]]:
    """Rows of the table of indicators."""
    both = [facts.get("indicators", {}).get(state, {}) for state in ("before", "after")]
    study = facts.get("study", {})
    demand = str(study.get("demand_zh", "人口")).partition("(")[0]
    rows: list[dict[str, str]] = []

    def add(name: str, texts: Iterable[str], rule: str) -> None:
        before, after = (short(text, 21) for text in texts)
        rows.append({"name": short(name, 34), "before": before, "after": after, "rule": short(rule, 92)})

    for key, name in (("villages", "行政村达标"), ("zones", "重点区域达标"), ("lines", "道路铁路达标路段")):
        if any(state.get(key) for state in both):
            rules = dict.fromkeys(text_of(state[key].get("rule_zh")) for state in both if state.get(key))
            parts = [part for part in next(iter(rules), "").split(";") if part]
            rule = parts[0] if len(parts) <= 1 else f"各区域按各自口径({len(parts)} 种,见下)"
            add(name, (_passed(state.get(key)) for state in both), rule)
    for key, name, rule in (("area_share", "面积覆盖率", "覆盖概率均值,室外,任一5G网络"),
                            ("demand_share", f"{demand}覆盖率", "覆盖概率均值,室外,任一5G网络"),
                            ("indoor_share", "室内覆盖率", "建筑内覆盖概率均值,任一5G网络")):
        if any(state.get(key) is not None for state in both):
            add(name, (percent(float("nan") if state.get(key) is None else float(state[key])) for state in both), rule)
    if any(state.get("gap_count") is not None for state in both):
        least = facts.get("parameters", {}).get("gaps", {}).get("gap_probability")
        rule = "覆盖概率不足的成片区域" if least is None else f"覆盖概率低于 {least:g} 的成片区域"
        add("覆盖空洞", (f"{state.get('gap_count', '—')} 处" for state in both), rule)
        add("空洞面积", (f"{float(state.get('gap_area_m2') or 0) / 1e4:,.0f} 公顷" for state in both), "列出的空洞合计")
    for row in facts.get("results", {}).get("targets", []):
        where = "".join(part for part in (text_of(row.get("county")), text_of(row.get("town"))) if part)
        states = (text_of(row.get(f"status_{state}")) for state in ("before", "after"))
        add(f"目标{'(' + where + ')' if where else ''}", states, text_of(row.get("zh")))
    return rows


def _passed(counts: Mapping[str, Any] | None) -> str:
    if not counts:
        return "—"
    unknown = counts.get("not_assessable", 0)
    return f"{counts.get('passed', 0)}/{counts.get('total', 0)}" + (f"(无法判定 {unknown})" if unknown else "")


def _rules(facts: Mapping[str, Any]) -> list[str]:
    """The wording of the rules, in small print."""
    after = facts.get("indicators", {}).get("after", {})
    names = [after.get("villages", {}).get("rule_zh"), *(part.get("rule_zh") for part in
             after.get("zones", {}).get("by_rule", [after.get("zones", {})])), after.get("lines", {}).get("rule_zh")]
    wording = ";".join(dict.fromkeys(text_of(name) for name in names if text_of(name)))
    return [f"口径:{wording}"] if wording else []


def _money_row(name: str, table: pd.DataFrame) -> dict[str, str]:
    micro, reused = count_of(table, "kind", MICRO), count_of(table, "build", REUSED)
    free = int(is_yes(table["must_be_free"]).sum()) if "must_be_free" in table else 0
    return {"name": short(name, 36), "number": str(len(table)), "reused": str(reused), "macro": str(len(table) - micro),
            "micro": str(micro), "free": str(free), "capex": ten_thousands(sum_of(table, "capex_yuan")),
            "yearly": ten_thousands(sum_of(table, "yearly_yuan")),
            "cost": ten_thousands(sum_of(table, "cost_yuan"))}


def _tier_rows(sites: gpd.GeoDataFrame) -> dict[str, Any]:
    """Sites and money by tier and by county; what does not stand here is summed in a last row."""
    out: dict[str, Any] = {"total": _money_row("合计", sites)}
    for name, column, order in (("tiers", "tier_name", "tier"), ("counties", "county", "county")):
        if column not in sites or not len(sites):
            out[name] = []
            continue
        label = sites[column].map(text_of).replace("", "未定")
        keys = list(dict.fromkeys(label[sites[order].sort_values(kind="stable").index])) if order in sites else []
        rows = [_money_row(key, sites[label == key]) for key in keys[:ROWS[name]]]
        if len(keys) > ROWS[name]:
            rest = keys[ROWS[name] - 1:]
            unit = "类" if name == "tiers" else "个县区"
            rows[-1] = _money_row(f"其余 {len(rest)} {unit}", sites[label.isin(rest)])
        out[name] = rows
    return out


def _department_rows(sites: gpd.GeoDataFrame) -> dict[str, Any]:
    """Departments that are asked to open venues, those with many first."""
    if not len(sites) or "must_open" not in sites or "department" not in sites:
        return {"departments": [], "more_departments": ""}
    opening = sites[is_yes(sites["must_open"]).to_numpy()]
    groups = sorted(opening.groupby(opening["department"].map(text_of).replace("", NO_OWNER)),
                    key=lambda pair: (-len(pair[1]), pair[0]))
    rows = []
    for name, table in groups[:ROWS["departments"]]:
        towns = "、".join(dict.fromkeys(text_of(town) for town in table.get("town", [])))
        rows.append({"name": short(name, 66), "number": str(len(table)), "towns": short(towns, 108),
                     "free": str(int(is_yes(table["must_be_free"]).sum())) if "must_be_free" in table else "—"})
    left = len(groups) - len(rows)
    return {"departments": rows, "more_departments": f"另有 {left} 个部门,见 letters/letters.csv" if left > 0 else ""}


def _site_rows(sites: gpd.GeoDataFrame, most: int) -> dict[str, Any]:
    """The first sites in order of choice."""
    rows = []
    table = sites.sort_values("rank_no", kind="stable") if "rank_no" in sites else sites
    for _, row in table.head(most).iterrows():
        kind = text_of(row.get("kind"))
        gain = pd.to_numeric(row.get("gain_demand"), errors="coerce")
        rows.append({"rank": text_of(row.get("rank_no")).partition(".")[0], "name": short(row.get("name"), 60),
                     "town": short(row.get("town"), 26), "kind": short(_KINDS.get(kind, kind), 6),
                     "owner": short(row.get("owner"), 46), "gain": "" if pd.isna(gain) else f"{gain:,.0f}",
                     "cost": ten_thousands(row.get("cost_yuan") or 0)})
    left = len(sites) - len(rows)
    return {"sites": rows, "more_sites": f"另有 {left} 处,见图册和 indicators.xlsx(选址理由)" if left > 0 else ""}


def _gap_rows(content: SheetContent, most: int) -> dict[str, Any]:
    """Gap areas that remain, in their order, with the cause."""
    gaps = content.table("gaps")
    rows = []
    table = gaps.sort_values("rank_no", kind="stable") if "rank_no" in gaps else gaps
    for _, row in table.head(most).iterrows():
        where = "".join(text_of(row.get(name)) for name in ("town", "villages"))
        rows.append({"rank": text_of(row.get("rank_no")).partition(".")[0], "where": short(where, 62),
                     "area": f"{float(row.get('area_m2') or 0) / 1e4:,.1f}",
                     "demand": f"{float(row.get('demand') or 0):,.0f}", "reason": short(row.get("reason"), 92)})
    left = len(gaps) - len(rows)
    return {"gaps": rows, "more_gaps": f"另有 {left} 处,见图册和 indicators.xlsx(规划后空洞)" if left > 0 else ""}


def _failing(content: SheetContent) -> list[str]:
    """Villages and zones that fail or cannot be told after the plan, with the reason."""
    out = []
    for verdict, zh in (("fail", "不达标"), ("not_assessable", "无法判定")):
        for table in (content.table("villages"), content.table("zones")):
            if "verdict_after" in table:
                out += [f"{zh}:{text_of(row.get('name'))}({text_of(row.get('town'))}){text_of(row.get('reason_after'))}"
                        for _, row in table[table["verdict_after"] == verdict].iterrows()]
    return out


def _data(facts: Mapping[str, Any]) -> list[str]:
    """How much of the input was refused, mended or assumed, the worst layers first."""
    ledger = facts.get("ledger", {})
    counts = {layer: {word: int(rows.get(kind, 0)) for kind, word in _TREATED.items()}
              for layer, rows in ledger.items()}
    total = {word: sum(each[word] for each in counts.values()) for word in _TREATED.values()}
    if not any(total.values()):
        return ["数据问题清单中没有拒收、修复或假定的值"]
    layers = sorted((layer for layer in counts if any(counts[layer].values())),
                    key=lambda layer: (-sum(counts[layer].values()), layer))
    worst = "、".join(f"{_layer_name(layer)} {sum(counts[layer].values())}" for layer in layers[:6])
    return [f"数据问题清单:{'、'.join(f'{word} {number} 项' for word, number in total.items())};最多的图层:{worst};逐行见 ledger.csv"]


def _layer_name(layer: str) -> str:
    """A layer as planners call it."""
    entry = read_table("columns").get(layer)
    return str(entry["zh"]) if isinstance(entry, Mapping) and "zh" in entry else layer


def _quality(facts: Mapping[str, Any]) -> list[str]:
    """How good the choice is against the bound, and how stable."""
    bound = facts.get("bound", {})
    out = [text_of(bound.get("meaning"))]
    if bound.get("stability"):
        out.append(text_of(bound["stability"].get("meaning")))
    return [text for text in out if text] or ["没有最优性证明"]


def _assumptions(content: SheetContent) -> list[str]:
    """What the figures rest on."""
    facts = content.facts
    settings, study = facts.get("parameters", {}), facts.get("study", {})
    coverage, candidates = settings.get("coverage", {}), settings.get("candidates", {})
    out = ["合成数据,只供演示,不可用于真实规划"] if study.get("synthetic") else []
    out += ["覆盖均为模型预测值,不是实测;标明室内的除外,均指室外地面",
            (f"门限 SS-RSRP ≥ {content.threshold_dbm:g} dBm,接收高度 {_number(coverage.get('receiver_height_m'))} 米;"
             f"宏站传播模型 {_model_words(coverage.get('model_macro'))},模型误差 {_number(coverage.get('model_sigma_db'))} dB"),
            "传播模型已按实测校正" if study.get("calibration") else "传播模型未经本地实测校正"]
    if study.get("stand_in_5g"):
        out.append("以4G小区代替5G小区")
    out.append(f"费用为估算:建设费加 {_number(candidates.get('cost_years'))} 年运行费,单价见费用表")
    if told := screening_text(content.table("sites")):
        out.append(told)
    if study.get("absent"):
        out.append(f"没有的图层:{'、'.join(text_of(layer) for layer in study['absent'])}")
    return out


def _number(value: Any) -> str:
    """A number without needless digits; a dash when it is not told."""
    return "—" if value is None else f"{float(value):g}"


def _model_words(model: Any) -> str:
    """A propagation model in words."""
    from siteplan.radio import MODEL_WORDS

    name = text_of(model)
    return "自动选(TR 38.901 城区 UMa 或农村 RMa)" if name == "auto" else MODEL_WORDS.get(name, name) or "—"
