"""The verdict on a folder of deliverables: every check with its figures, and the status word."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from siteplan.verify._bound import Bound, bound_of
from siteplan.verify._check import STATUS_ZH, Check, Verdict, figure, figures, near, percent, percents, word_of
from siteplan.verify._limits import limit_checks
from siteplan.verify._problem import Case, case_of
from siteplan.verify._read import FOLDER, file_sums, read_papers
from siteplan.verify._recount import gains, served_weight, value_of
from siteplan.verify._search import Search, search
from siteplan.verify._tables import GAIN_TOLERANCE, Deliverables, read_deliverables, table_checks

PROVED_GAP = 1e-9
"""Greatest gap of a plan that may be called optimal."""
ROUNDING = 1e-6
"""By how much, relative to the value, a claim may differ from what is recounted."""
UNREAD = "未核对:工作簿、函件、地图、覆盖栅格,以及上面没有提到的其他文件"
Progress = Callable[[str], None]


def verify(folder: Path, progress: Progress | None = None) -> Verdict:
    """Recount a plan from its certificate and the tables beside it: coverage, cost, every limit, the bound, the status.

    Nothing is shared with the code that chose the sites.

    Parameters
    ----------
    folder : Path
        Output folder of ``siteplan run``.
    progress : callable, optional
        Told, in words for planners, what is checked next.

    Returns
    -------
    Verdict

    Raises
    ------
    CertificateError
        Files are missing or damaged; every problem is listed.

    Examples
    --------
    >>> from siteplan.verify import verify
    >>> verdict = verify(Path("build/demo"))  # doctest: +SKIP
    >>> verdict.word, verdict.failed()        # doctest: +SKIP
    ('通过', ())
    """
    tell = progress or (lambda _: None)
    folder = Path(folder)
    tell("读取证书和成果")
    papers, deliverables = read_papers(folder), read_deliverables(folder)
    case = case_of(papers)
    checks = [_files(case), *table_checks(case, deliverables)]
    tell("重新计算覆盖和各项限制")
    value = value_of(case)
    checks += [*_recounts(case, deliverables, value), *limit_checks(case)]
    tell("重新计算上界")
    bound = bound_of(case)
    checks += _bound_checks(case, value, bound)
    tell("核对状态")
    checks.append(_status(case, value, bound.value, search))
    tell("抽查服务范围")
    checks += _spot_checks(folder)
    found = tuple(checks)
    word = word_of(found)
    has_plan = bool(len(papers.chosen))
    gap = gap_of(value, bound.value) if has_plan else math.inf
    summary = _summary(case, found, word, (value, bound.value, gap))
    return Verdict(all(check.ok is not False for check in found), word, papers.facts["status"], value, bound.value, gap,
                   found, (*summary[:-1], *_told(found), summary[-1]), summary)


def gap_of(value: float, bound: float) -> float:
    """``(bound - value) / |value|``; 0 when the bound is not greater, inf where nothing is known or the value is 0.

    >>> gap_of(100.0, 102.0), gap_of(-10.0, -10.0), gap_of(0.0, 1.0)
    (0.02, 0.0, inf)
    """
    if bound <= value:
        return 0.0
    return (bound - value) / abs(value) if value and math.isfinite(bound) else math.inf


def _files(case: Case) -> Check:
    listed = case.papers.facts.get("files", {})
    zh = "证书各文件的 SHA-256"
    if not listed:
        return Check("files", zh, None, told="certificate.json 没有列出")
    wrong = file_sums(case.papers.folder / FOLDER, listed)
    return Check("files", zh, not wrong, f"{len(listed)} 个文件一致", f"{len(listed) - len(wrong)} 个一致",
                 f"写出后被改动:{'、'.join(wrong)}" if wrong else "")


def _recounts(case: Case, found: Deliverables, value: float) -> list[Check]:
    """Served weight, total weight, value and the gain of each site."""
    facts, papers = case.papers.facts, case.papers
    served, total = served_weight(case, papers.chosen), float(papers.weight.sum())
    checks = [Check(name, zh, near(facts[name], own, ROUNDING), *figures(facts[name], own))
              for name, zh, own in (("served_weight", "入选站址服务的权重", served), ("total_weight", "全部需求权重", total))]
    checks.append(_value(case, value))
    claimed = {site["site_id"]: float(site["gain"]) for site in found.plan["sites"]}
    wrong = [name for name, own in gains(case).items()
             if name not in claimed or abs(claimed[name] - own) > GAIN_TOLERANCE + ROUNDING * abs(own)]
    checks.append(Check("gains", "按名次逐处新增服务的权重", not wrong, f"{len(claimed)} 处一致",
                        f"{len(papers.chosen) - len(wrong)} 处一致", f"不一致:{'、'.join(wrong[:5])}" if wrong else ""))
    return checks


def _value(case: Case, value: float) -> Check:
    claimed, zh = case.papers.facts.get("value"), "目标值"
    if not len(case.papers.chosen) and case.papers.facts["status"] in ("infeasible", "unknown"):
        return Check("value", zh, True, "没有方案", "没有方案")
    if claimed is None:
        return Check("value", zh, False, "未写明", figure(value))
    return Check("value", zh, near(claimed, value, ROUNDING), *figures(claimed, value))


def _bound_checks(case: Case, value: float, bound: Bound) -> list[Check]:
    """The claimed bound and gap against those recounted; a claim that is too good is a failure."""
    facts, remarks = case.papers.facts, ";".join(bound.remarks)
    claimed = math.inf if facts.get("bound") is None else float(facts["bound"])
    room = ROUNDING * max(1.0, abs(claimed) if math.isfinite(claimed) else 1.0)
    zh = "乘子重算的上界"
    both = figures(claimed, bound.value)
    if math.isnan(bound.value):
        return [Check("bound", zh, False, *both, f"乘子太大,上界算不出来;{remarks}".strip(";"))]
    if bound.value <= claimed + room:
        same = near(bound.value, claimed, ROUNDING)
        told = "" if same or claimed == math.inf else "重算的上界更紧,所称上界仍成立"
        checks = [Check("bound", zh, True, *both, ";".join(part for part in (told, remarks) if part))]
    elif facts["proof"] == "search":
        checks = [Check("bound", zh, True, *both, f"所称上界来自精确搜索,见状态一项;{remarks}".strip(";"))]
    else:
        checks = [Check("bound", zh, False, *both, f"所称上界小于乘子所能证明的;{remarks}".strip(";"))]
    if len(case.papers.chosen) or facts["status"] in ("optimal", "feasible"):
        checks.append(_gap(facts.get("gap"), value, claimed))
    return checks


def _gap(said: float | None, value: float, bound: float) -> Check:
    own, claimed = gap_of(value, bound), math.inf if said is None else float(said)
    good = own == claimed if math.inf in (own, claimed) else abs(own - claimed) <= ROUNDING
    return Check("gap", "间隙 =(上界-目标值)/|目标值|", good, *percents(claimed, own))


def _status(case: Case, value: float, bound: float, again: Callable[[Case], Search]) -> Check:
    """Whether the status word is deserved."""
    facts, zh = case.papers.facts, "状态"
    status, some = facts["status"], len(case.papers.chosen) > 0
    word = STATUS_ZH[status]
    if status == "unknown":
        return Check("status", zh, not some, word, "没有方案" if not some else "有方案", "不作任何断言" if not some else "")
    if status == "infeasible":
        return _infeasible(case, again) if not some else Check("status", zh, False, word, "有方案")
    claimed = math.inf if facts.get("bound") is None else float(facts["bound"])
    gap = gap_of(value, bound)
    relies = facts["proof"] == "search" and bound > claimed + ROUNDING * max(1.0, abs(claimed))
    if gap <= PROVED_GAP or (status == "feasible" and not relies):
        return Check("status", zh, True, word, f"乘子证明的间隙 {percent(gap)}")
    if facts["proof"] != "search":
        return Check("status", zh, False, word, f"乘子证明的间隙 {percent(gap)}", "所称最优没有证明")
    found = again(case)
    aim = claimed if status == "feasible" else value
    room = ROUNDING * max(1.0, abs(aim))
    if found.word == "infeasible":
        return Check("status", zh, False, word, "无解", "重做精确搜索:各项限制不能同时满足")
    if found.value > aim + room:
        return Check("status", zh, False, word, f"有目标值 {figure(found.value)} 的方案", "重做精确搜索找到更好的方案")
    if found.bound <= aim + room:
        return Check("status", zh, True, word, f"不超过 {figure(found.bound)}", "重做精确搜索,结果一致")
    return Check("status", zh, None, word, f"乘子证明的间隙 {percent(gap)}",
                 f"未重做完精确搜索({_why(found)});乘子的上界留有 {percent(gap)}")


def _infeasible(case: Case, again: Callable[[Case], Search]) -> Check:
    zh, word, found = "状态", STATUS_ZH["infeasible"], again(case)
    if found.word == "infeasible":
        return Check("status", zh, True, word, "无解", "重做精确搜索,结果一致")
    if math.isfinite(found.value):
        return Check("status", zh, False, word, f"有目标值 {figure(found.value)} 的方案", "重做精确搜索找到满足全部限制的方案")
    return Check("status", zh, None, word, "", f"未重做完精确搜索({_why(found)}),无解未经复核")


def _why(found: Search) -> str:
    return "题目过大" if found.word == "too_big" else "限时内未结束"


def _spot_checks(folder: Path) -> list[Check]:
    """Reaches drawn by lot, worked out again by plain code, where the files of the surface are there."""
    try:
        from siteplan.verify._spot import spot_check
    except ImportError:
        return [Check("spot", "抽查服务范围", None, told="没有地表文件,不能抽查服务范围")]
    return list(spot_check(folder))


def _summary(case: Case, checks: tuple[Check, ...], word: str,
             recounted: tuple[float, float, float]) -> tuple[str, ...]:
    """The verdict, what it is about, and what nobody looked at."""
    passed, failed, open_ = (sum(check.ok is state for check in checks) for state in (True, False, None))
    value, bound, gap = recounted
    facts = case.papers.facts
    found = [f"复核结论:{word}({len(checks)} 项:通过 {passed},未通过 {failed},未核 {open_})"]
    if len(case.papers.chosen):
        found.append(f"所称状态:{STATUS_ZH[facts['status']]};入选 {len(case.papers.chosen)} 处,目标值 {figure(value)},"
                     f"任何方案不超过 {figure(bound)},间隙不大于 {percent(gap)}(按乘子重算)")
    else:
        found.append(f"所称状态:{STATUS_ZH[facts['status']]};没有方案")
    if facts.get("cut"):
        found.append(f"选址曾被中止:{facts['cut']}")
    gave_way = facts.get("give_way")
    if isinstance(gave_way, dict) and gave_way.get("given"):
        found.append(f"{len(gave_way['given'])} 处站址按规则让位于邻近的公共站址;上界没有计入这条规则,仍然成立")
    return (*found, UNREAD)


def _told(checks: tuple[Check, ...]) -> list[str]:
    """A line for each check that failed or could not be done."""
    return [f"{check.word} {check.zh}:{(check.told.splitlines() or [f'所称 {check.expected},重算 {check.found}'])[0]}"
            for state in (False, None) for check in checks if check.ok is state]
