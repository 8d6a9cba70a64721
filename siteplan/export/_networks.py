"""The sheet 分运营商: shares of every network, before and after, with the rule behind each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siteplan.gaps.judging.areas import percent_down
from siteplan.plan import Plan

SHEET = "分运营商"
MEASURES: Mapping[str, str] = {"area_share": "面积覆盖率", "demand_share": "需求覆盖率", "indoor_share": "室内覆盖概率均值",
                               "sinr_share": "SINR≥0dB面积占比"}
"""Key of the indicators -> heading."""
STATES: Mapping[str, str] = {"before": "现状", "after": "规划后"}
HEAD = ["网络(运营商)", "制式", *(f"{state}{measure}(%)" for measure in MEASURES.values() for state in STATES.values())]
ANY = "任一5G网络"


def network_rows(indicators: Mapping[str, Any]) -> list[list[Any]]:
    """Rows under `HEAD`: any 5G network first, then every network; percent, rounded down to a tenth.

    Parameters
    ----------
    indicators : mapping
        ``before`` and ``after``, each with the shares of the whole and ``networks``.

    Examples
    --------
    >>> state = {"area_share": 0.9496, "networks": {"移动 5G": {"area_share": 0.5}}}
    >>> [row[:4] for row in network_rows({"before": {"networks": {}}, "after": state})]
    [['任一5G网络', '5G', '无数据', 94.9], ['移动', '5G', '—', 50.0]]
    """
    states = [indicators.get(state) or {} for state in STATES]
    names = list(dict.fromkeys(name for state in states for name in state.get("networks", {})))
    names.sort(key=lambda name: (name.rpartition(" ")[2] != "5G", name))
    rows = [[ANY, "5G", *_cells(states)]] if any(states) else []
    for name in names:
        network, _, technology = name.rpartition(" ")
        rows.append([network, technology, *_cells([state.get("networks", {}).get(name) for state in states])])
    return rows


def _cells(states: list[Mapping[str, Any] | None]) -> list[Any]:
    """Measure by measure, before and after; a dash for a network that does not exist in that state."""
    return ["—" if shares is None else "无数据" if shares.get(measure) is None else percent_down(shares[measure])
            for measure in MEASURES for shares in states]


def network_notes(plan: Plan) -> list[str]:
    """Sentences above the rows: what each share means, that all of it is predicted."""
    coverage = plan.parameters.get("coverage") or {}
    threshold = f"{float(plan.study['threshold_dbm']):g} dBm"
    inside = coverage.get("indoor_threshold_dbm")
    wall = {"low": "普通玻璃(损耗低)", "high": "镀膜玻璃(损耗高)"}.get(str(coverage.get("wall")), "")
    indoor = ("室内:规划范围内建筑像元的覆盖概率均值,门限 SS-RSRP≥"
              f"{threshold if inside is None else f'{float(inside):g} dBm'},墙体按 TR 38.901 {wall},每像元一个值,不分楼层"
              if coverage.get("indoor", True) else "室内:研究文件未要求预测(coverage.indoor = false)")
    sinr = ("SINR≥0dB:规划范围内主服小区 SS-SINR 达到 0 dB 的面积比例(没有信号处算未达到),"
            f"干扰小区负荷 {100 * float(coverage.get('load_share', 0.5)):g}%;“{ANY}”取各处信号最强的网络")
    return [
        "全部为模型预测值,非实测;室内一列为建筑内,其余为室外地面;百分数,向下取到0.1",
        f"面积、需求覆盖率:规划范围内 SS-RSRP≥{threshold} 的概率均值;需求单位:{plan.study['demand_zh']}",
        indoor,
        sinr,
        "新站服务哪些网络由 candidates.serves 定;共享网的小区计入每个共享的运营商",
    ]
