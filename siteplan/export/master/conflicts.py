"""What stands against a site and leaves it in: words for planners, codes for programs."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from siteplan.candidates.rules.rule_table import site_rules
from siteplan.coverage._exposure import Exposure

EXPOSURE_CODE, EXPOSURE_ZH = "exposure_limit", "电磁超限"
"""A conflict with the public limit of exposure, by the screening."""
OWN_CODE, OWN_ZH = "sensitive_own", "所在建筑敏感"
"""The site stands on a building that the screening counts among the sensitive ones."""
_HINT = re.compile(r"(?:^|;)提示:")
_SENTENCE = re.compile(r"(?:[^;“]|“[^”]*”|“)*")
"""A sentence up to the next ``;`` that stands in no quoted name."""
_BETWEEN, _CODES_BETWEEN = ";", "|"


def conflicts_of(sites: pd.DataFrame, exposure: Exposure | None, rules: Mapping[str, Any]) -> pd.DataFrame:
    """Conflicts of each site: flags of rules of place (land use that needs asking among them), and the screening.

    Parameters
    ----------
    sites : DataFrame
        ``flags`` (codes joined by ``|``), ``evidence``.
    exposure : Exposure or None
    rules : mapping
        ``[candidates.rules]`` of the study.

    Returns
    -------
    DataFrame
        ``conflicts``: ``规则:说明`` joined by ``;``, the sentence of a rule where the evidence tells it;
        ``conflict_codes``: their codes, joined by ``|``. Index of the sites.
    """
    known = {code: rule.zh for code, rule in site_rules(rules).items()}
    told: dict[str, list[tuple[str, str]]] = {}
    flagged = sites["flags"].astype("str")
    for site, codes in flagged[flagged != ""].items():
        told[str(site)] = _flags(codes.split("|"), str(sites.at[site, "evidence"]), known)
    if exposure is not None:
        for site, found in _screened(exposure).items():
            told.setdefault(site, []).extend(found)
    names = sites.index.astype("str")
    words = [_BETWEEN.join(_one(words) for _, words in told.get(site, ())) for site in names]
    codes = [_CODES_BETWEEN.join(code for code, _ in told.get(site, ())) for site in names]
    return pd.DataFrame({"conflicts": words, "conflict_codes": codes}, index=sites.index).astype("str")


def _flags(codes: Sequence[str], evidence: str, known: Mapping[str, str]) -> list[tuple[str, str]]:
    """Flags of one site in words; the sentences after 提示: are in the order of the flags that rules gave."""
    hints = [found[0] for hint in _HINT.split(evidence)[1:] if (found := _SENTENCE.match(hint))]
    spoken = codes[len(codes) - len(hints):] if len(hints) <= len(codes) else []
    said = dict(zip(spoken, hints, strict=False))
    return [(code, f"{known.get(code, code)}:{said[code]}" if code in said else known.get(code, code))
            for code in dict.fromkeys(codes)]


def _screened(exposure: Exposure) -> dict[str, list[tuple[str, str]]]:
    """What the screening says against proposed sites: the worst building above the limit, and the one they stand on."""
    new = exposure.pairs[exposure.pairs["site_status"] == "proposed"]
    kinds = exposure.rules.sensitive
    found: dict[str, list[tuple[str, str]]] = {}
    for site, group in new.groupby(new["site_id"].astype("str")):
        here = found.setdefault(str(site), [])
        above, own = group[group["above_limit"]], group[group["distance_m"] == 0]
        if len(above):
            worst = above.iloc[0]  # pairs come worst first
            more = f",共{len(above)}栋超限" if len(above) > 1 else ""
            away = f"(距离{worst['distance_m']:.0f}米,估算)"
            times = f"限值的{worst['total_share']:.2f}倍"
            here.append((EXPOSURE_CODE, f"{EXPOSURE_ZH}:{_building(worst, kinds)}处为{times}{away}{more}"))
        if len(own):
            here.append((OWN_CODE, f"{OWN_ZH}:{'、'.join(_building(row, kinds) for _, row in own.iterrows())}"))
    return found


def _building(pair: pd.Series, kinds: Mapping[str, Any]) -> str:
    name = pair["target_name"]
    return f"{name if isinstance(name, str) and name else pair['target_id']}({kinds[pair['target_class']].zh})"


def _one(words: str) -> str:
    """Words without the mark that parts entries of the list."""
    return words.replace(";", "；")


def conflict_count(told: pd.Series) -> pd.Series:
    """Number of conflicts of each site.

    >>> conflict_count(pd.Series(["桥上的杆:距道路3米;租用未安装", ""])).tolist()
    [2, 0]
    """
    return told.map(lambda words: words.count(_BETWEEN) + 1 if words else 0).astype("int64")


def sensitive_m(sites: pd.DataFrame, exposure: Exposure | None) -> pd.Series:
    """Distance to the nearest sensitive building that the site does not stand on, m; only proposed sites were screened.

    NaN where the screening found no other one.
    """
    if exposure is None:
        return pd.Series(np.nan, index=sites.index)
    pairs = exposure.pairs
    others = pairs[(pairs["site_status"] == "proposed") & (pairs["distance_m"] > 0)]
    nearest = others.groupby(others["site_id"].astype("str"))["distance_m"].min()
    return pd.Series(nearest.reindex(sites.index.astype("str")).to_numpy(dtype=float), index=sites.index)
