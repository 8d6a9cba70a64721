"""Sentences that every map must carry: what its numbers are, which model they come from, notices of the study."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siteplan.maps._texts import as_text
from siteplan.maps._words import CHINESE, Say

if TYPE_CHECKING:
    from siteplan.input_ledger import LedgerLine
    from siteplan.plan import Plan


def list_statements(plan: Plan, say: Say = CHINESE, *, public: bool = False) -> list[str]:
    """Sentences at the foot of the page: what the numbers are, notices of the study, map approval number.

    Parameters
    ----------
    plan : Plan
    say : Say
        In which language.
    public : bool
        Without what calibration and exposure screening are about one by one.

    Returns
    -------
    list of str
    """
    study = plan.study
    threshold = f"{float(plan.after.threshold_dbm):g}"
    notices = [as_text(notice) for notice in study.get("notices") or ()]
    predicted = [] if any("预测值,非实测" in notice for notice in notices) else [say("图中覆盖为模型预测值,非实测。")]
    out = [
        *predicted, *(say("{sentence}。", sentence=sentence) for sentence in describe_model(plan, say)),
        say("覆盖门限 SS-RSRP ≥ {threshold} dBm。", threshold=threshold),
        say("覆盖概率 = Φ((预测值 − 门限) / σ),σ 为{sigma};空洞指{gap}的区域。", sigma=_sigma_meaning(plan, say),
            gap=gap_meaning(plan, say)),
        *_band_statements(plan, say),
    ]
    if public:
        out.append(say("部分扇区的模型用本地测量校正。") if _calibrated(plan) else say("模型未用本地测量校正。"))
    else:
        out += [*_calibration_statements(plan, say), *_exposure_statements(plan, say)]
    out += notices
    if study.get("map_approval_no"):
        out.append(say("审图号:{number}", number=as_text(study["map_approval_no"])))
    return [sentence for sentence in out if sentence]


def gap_meaning(plan: Plan, say: Say) -> str:
    """What counts as a gap."""
    limit = settings_of(plan, "gaps").get("gap_probability")
    return say("覆盖概率低于 {share}%", share=f"{100 * float(limit):g}") if limit is not None else say("覆盖概率不足")


def settings_of(plan: Plan, table: str) -> Mapping[str, Any]:
    """One table of a plan's settings; empty where there is none."""
    found = plan.parameters.get(table)
    return found if isinstance(found, Mapping) else {}


def describe_model(plan: Plan, say: Say = CHINESE) -> list[str]:
    """Which propagation model the prediction comes from, in sentences without a full stop.

    Parameters
    ----------
    plan : Plan
    say : Say
        In which language.

    Returns
    -------
    list of str
        The model of macro and micro sites with the trust in buildings; that free space is no prediction of a city.
    """
    from siteplan.radio import MODEL_WORDS

    settings = settings_of(plan, "coverage")
    model = as_text(settings.get("model_macro"))
    if not model:
        return []
    has_clutter = getattr(plan.surface, "has_clutter", True)
    if model == "auto" and not has_clutter:
        macro = say("自动(分不出城区和农村,全部按 TR 38.901 城区 UMa)")
    elif model == "auto":
        macro = say("自动(TR 38.901,城区 UMa、农村 RMa)")
    else:
        macro = say.word(MODEL_WORDS.get(model, model))
    lead = say("不用校正模型的扇区:") if _calibrated(plan) else ""
    weight = say("建筑遮挡信任度 = {weight}(0 = 只按统计的视距概率,1 = 全按建筑表面)",
                 weight=f"{float(settings.get('building_weight', 0.0)):g}") if has_clutter else say(
        "没有建筑高度资料,视距只按统计概率")
    out = [lead + say("宏站模型:{macro};微站模型:{micro}", macro=macro, micro=say.word(MODEL_WORDS["umi"])) + say(";")
           + weight]
    if model == "free_space":
        out.append(say("自由空间模型不计建筑等地物的损耗,宏站信号只是上限,不是城市覆盖的预测,不能据以判定达标"))
    return out


def _calibration_lines(plan: Plan) -> list[LedgerLine]:
    """What the ledger says of the calibration that the study names.

    The first line is ``refused``, or a ``note``: ``value`` has how many of how many existing sectors take it, ``row``
    the site types whose new sites do.
    """
    return [line for line in plan.ledger or () if line.layer == "study" and line.field == "coverage.calibration"]


def _calibrated(plan: Plan) -> bool:
    """Whether a sector of the plan takes the calibration: an existing one, or one of a proposed site."""
    first = next(iter(_calibration_lines(plan)), None)
    if first is None or first.action != "note":
        return False
    return not first.value.startswith("0/") or _calibrated_sites(plan, first) > 0


def _calibrated_sites(plan: Plan, line: LedgerLine) -> int:
    """How many proposed sites take the calibration, by the site types that its first ledger line names."""
    return int(("site_types." + plan.proposed["kind"].astype("str")).isin(line.row.split("、")).sum())


def _sigma_meaning(plan: Plan, say: Say) -> str:
    sigma = float(settings_of(plan, "coverage").get("model_sigma_db") or 0.0)
    error = say("阴影衰落与模型误差 {sigma} dB 的合成标准差", sigma=f"{sigma:g}") if sigma > 0 else (
        say("阴影衰落标准差,未计模型误差"))
    if _calibrated(plan):
        return say("校正模型在实测数据上误差的标准差(不用校正的扇区:{error})", error=error)
    return error


def _band_statements(plan: Plan, say: Say) -> list[str]:
    """What the band of an area's share and its probability of passing are; nothing where the areas have none."""
    if not any("share_low_after" in areas for areas in (plan.villages, plan.zones)):
        return []
    return [say("覆盖率80%区间和达标概率由预测误差推算,相邻位置的误差相关;达标结果只按预测值判定。")]


def _calibration_statements(plan: Plan, say: Say) -> list[str]:
    """Which calibration the coverage comes from and what it does not hold for; that there is none, or why not."""
    lines = _calibration_lines(plan)
    if not lines:
        return [say("模型未用本地测量校正。")]
    first, name = lines[0], as_text(lines[0].file)
    more = [f"{as_text(line.reason)}({as_text(line.value)})。" for line in lines[1:]]
    if _calibrated(plan):
        new = say(",规划站址 {total} 处中的 {number} 处", total=len(plan.proposed),
                  number=_calibrated_sites(plan, first)) if len(plan.proposed) else ""
        lead = say("校正模型“{name}”(现有室外扇区 {number} 个{new}):{reason}。", name=name, number=as_text(first.value),
                   new=new, reason=as_text(first.reason))
    elif first.action == "note":
        lead = say("没有采用校正模型“{name}”:现有扇区没有一个适用,也没有规划适用的站址。", name=name)
    else:
        lead = say("没有采用校正模型“{name}”:{reason}。", name=name, reason=as_text(first.reason))
    return [lead, *more]


def _exposure_statements(plan: Plan, say: Say) -> list[str]:
    """What the exposure screening found; nothing where no site is proposed."""
    from siteplan.coverage import describe_exposure

    exposure = getattr(plan, "exposure", None)
    if exposure is None or not len(plan.proposed):
        return []
    return [say("电磁环境{sentence}。", sentence=describe_exposure(exposure))]


def list_badges(study: Mapping[str, Any], say: Say = CHINESE, *, public: bool = False) -> list[str]:
    """Warnings that stand beside the title."""
    badges = [say.word(text) for key, text in (("synthetic", "合成数据 · 仅供演示"), ("stand_in_5g", "以4G小区代替5G"))
              if study.get(key)]
    if public:
        badges.append(say("公众版"))
        badges += [] if study.get("map_approval_no") else [say("无审图号,不得公开发布")]
    if say.language != "zh":
        badges.append(say("名称和方案的理由为中文原文"))
    return badges
