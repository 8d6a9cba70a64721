"""What the reader of a report must know before its numbers: nothing is registered, or all of it is dated later."""

from __future__ import annotations

from siteplan.report.reading import RegisterState

_LATER = ("sites", "站址"), ("tasks", "任务"), ("quotas", "指标")
"""Tables that may have been entered without the day on which they hold, and what their rows are."""


def state_warnings(state: RegisterState) -> tuple[str, ...]:
    """Sentences about a register that has nothing by the cut-off; none of a register as it ought to be."""
    if not any(state.now.get(name) for name, _ in _LATER):
        return ("储备库是空的:没有登记站址、任务和指标,各项数字均为零;先用 siteplan register sync 或 import 登记",)
    return tuple(
        f"全部{zh}({state.now[name]}条)的登记日晚于截止日 {state.as_of}(最早 {state.entered[name]}),本报告不计;"
        f"登记时没有写 --day 的按当天计:新建储备库、写明 --day 重新登记,或换较晚的截止日"
        for name, zh in _LATER if name in state.entered)
