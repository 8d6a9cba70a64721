"""Facts of the page beside its layers: title block, reading of plane coordinates, years, decisions, licences."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from typing import TYPE_CHECKING

import numpy as np
import pyproj

from siteplan.crs import crs_name, crs_zh, read_crs
from siteplan.maps._offline import PACKAGES
from siteplan.maps._shapes import Json
from siteplan.maps._statements import settings_of
from siteplan.maps._texts import as_text, rule_name, rule_words
from siteplan.maps._words import CHINESE, Say
from siteplan.tables import read_table

if TYPE_CHECKING:
    from siteplan.plan import Plan

CLUSTERS = "Leaflet.markercluster"
SECRECY = "内部资料"
NO_APPROVAL, NO_APPROVAL_PUBLIC = "无审图号,不得公开", "无审图号,不得公开发布"
DECISION_FIELDS = ("id", "action", "value", "who", "date", "why")
_SHORT_RULE = 24
"""Letters of the name of a rule that the title block shows whole."""
_HINTS = {"move": "113.39000, 22.51000", "fee": "场地租赁费 30000"}
"""How the value of an action is written where no list of words says it."""
_CHOICES = {"refused": "refusals", "fee": "fees", "hard": "causes"}


def title_block(plan: Plan, say: Say = CHINESE, *, public: bool = False) -> list[tuple[str, str]]:
    """Label and text of each line of the title block (图签); the first four are what it says when closed.

    Parameters
    ----------
    plan : Plan
        ``parameters["deliver"]["title"]`` where the study has one.
    say : Say
    public : bool
        Of the public variant: nobody's name, and what is missing for publication.

    Returns
    -------
    list of (str, str)
    """
    study, given = plan.study, settings_of(plan, "deliver").get("title") or {}
    rules = rule_words(plan)
    names = _short_names({rule_name(rule, rules) for areas in (plan.villages, plan.zones) if "rule" in areas
                          for rule in areas["rule"].dropna()})
    approval = as_text(study.get("map_approval_no"))
    day = as_text(settings_of(plan, "study").get("as_of"))
    people = [] if public else [
        (say("绘制"), as_text(given.get("drawn_by"))), (say("校核"), as_text(given.get("checked_by"))),
        (say("审定"), as_text(given.get("approved_by"))), (say("图号"), as_text(given.get("drawing_no")))]
    notes = [say("覆盖为模型预测值,非实测")] + ([say("合成数据,仅供演示")] if study.get("synthetic") else [])
    lines = [
        (say("工程名称"), as_text(given.get("project")) or as_text(study.get("name")) or say("未注明")),
        (say("数据日期"), day or say("未注明")),
        (say("审图号"), approval or say.word(NO_APPROVAL_PUBLIC if public else NO_APPROVAL)),
        (say("密级"), say("公众版") if public else say.word(as_text(given.get("secrecy")) or SECRECY)),
        (say("编制单位"), as_text(given.get("institute"))),
        (say("评判规则"), say(";").join(names)), (say("坐标系"), _crs_text(plan, say)),
        *people, (say("说明"), say(";").join(notes)),
        (say("软件与方案"), f"siteplan {as_text(plan.versions.get('siteplan')) or '?'} · {plan_digest(plan)}"),
    ]
    return [(label, text) for label, text in lines if text]


def _short_names(names: Iterable[str]) -> list[str]:
    """Rules by what stands before their colon or brackets; whole where they are short or two would look the same.

    The whole sentences stand in the notes of the indicators.
    """
    short = {name: name if len(name) <= _SHORT_RULE else re.split("[:\uff1a]|[(\uff08](?!\u5355\u7f51)", name)[0]
             for name in names}
    seen = Counter(short.values())
    return sorted(name if seen[text] > 1 or not text else text for name, text in short.items())


def plan_digest(plan: Plan) -> str:
    """Twelve signs that tell plans apart: of the study file, the inputs, and the chosen sites in their order."""
    proposed = plan.proposed
    places = np.round(np.column_stack([proposed.geometry.x, proposed.geometry.y]), 2).tolist() if len(proposed) else []
    facts = [as_text(plan.study.get("sha256")), as_text(plan.study.get("name")),
             sorted(as_text(entry.get("sha256")) for entry in plan.inputs), [str(key) for key in proposed.index],
             places]
    return hashlib.sha256(json.dumps(facts, ensure_ascii=False).encode("utf-8")).hexdigest()[:12]


def _crs_text(plan: Plan, say: Say) -> str:
    """``CGCS2000 3度带 中央子午线114° EPSG:4547``; in English the name that the CRS bears."""
    crs = _study_crs(plan)
    if crs is None:
        return say("未注明")
    return f"{crs_zh(crs) if say.language == 'zh' else crs.name} {crs_name(crs)}"


def _study_crs(plan: Plan) -> pyproj.CRS | None:
    crs = plan.surface.geobox.crs
    return None if crs is None else read_crs(crs.to_wkt())


def projection_of(plan: Plan, say: Say = CHINESE) -> Json | None:
    """How the page computes plane coordinates under the pointer.

    Returns
    -------
    dict or None
        ``name, lon0_deg, lat0_deg, k0, false_easting_m, false_northing_m, a_m, rf, zone_text``; None where the study's
        CRS is no transverse Mercator of CGCS2000 or WGS 84, whose degrees are those of the page.
    """
    crs = _study_crs(plan)
    operation = None if crs is None else crs.coordinate_operation
    if crs is None or operation is None or operation.method_name != "Transverse Mercator" or crs.ellipsoid is None:
        return None
    found = {part.name: float(part.value) for part in operation.params}
    lon0, east = found["Longitude of natural origin"], found["False easting"]
    zone = say("中央经线 {lon}°", lon=f"{lon0:g}")
    if east > 1e6 and math.isclose(east % 1e6, 500_000.0):
        zone += say(",东坐标冠带号 {number}", number=int(east // 1e6))
    return {"name": crs.name, "lon0_deg": lon0, "lat0_deg": found["Latitude of natural origin"],
            "k0": found["Scale factor at natural origin"], "false_easting_m": east,
            "false_northing_m": found["False northing"], "a_m": crs.ellipsoid.semi_major_metre,
            "rf": crs.ellipsoid.inverse_flattening, "zone_text": zone}


def phases_of(plan: Plan, say: Say = CHINESE) -> Json:
    """Years in which the plan is built, of the study's phases or the proposed sites; none without phases."""
    asked = (settings_of(plan, "selection").get("phases") or {}).get("years") or ()
    proposed = plan.proposed
    built = proposed["build_year"].dropna().astype(int) if "build_year" in proposed else ()
    years = sorted({int(year) for year in (*asked, *built) if int(year) > 0})
    if not asked and len(years) < 2:  # the year of one decision is no phase
        years = []
    return {"years": years, "note": say("显示到该年底建成的规划站址;覆盖图为全部建成后") if years else ""}


def decision_words(plan: Plan) -> Json:
    """Head and words of the comments that the page writes, as the layer ``decisions`` reads them back.

    Returns
    -------
    dict
        ``head``: six Chinese headings; ``actions``: ``word`` (what is written), ``action`` (its code), ``value`` (an
        example, empty where none is asked), ``choices`` (words that the value may be) and ``words`` (that files write
        for it); ``years``: first and last that are believed; ``by``: who decides, unless changed.
    """
    table, fields = read_table("decisions"), read_table("columns")["decisions"]["fields"]
    years = phases_of(plan)["years"]
    hints = {**_HINTS, "year": str(years[0] if years else 2027)}
    actions = [{"word": entry["zh"], "action": code, "value": hints.get(code, ""),
                "choices": [word["zh"] for word in table[_CHOICES[code]].values()] if code in _CHOICES else [],
                "words": list(entry["words"])}
               for code, entry in table["actions"].items()]
    return {"head": [fields[name]["zh"] for name in DECISION_FIELDS], "actions": actions,
            "years": table["limits"]["year"],
            "by": as_text(settings_of(plan, "opening").get("office"))}


def licences(script: str) -> list[tuple[str, str, str]]:
    """Name, version and licence of what the page carries of others.

    Parameters
    ----------
    script : str
        The page's script; plugins that it does not use are not carried.

    >>> [name for name, _, _ in licences("")]
    ['Leaflet', 'folium']
    """
    return [(name, version(package), licence) for name, (package, licence) in PACKAGES.items()
            if name != CLUSTERS or uses_clusters(script)]


def uses_clusters(script: str) -> bool:
    """Whether a script needs the cluster plugin."""
    return "markerClusterGroup" in script
