"""What the text of an owner tells: a person, a private body, or nothing of the kind."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from siteplan.opening._words import words

COMPOUND_SURNAMES = ("欧阳|司马|上官|诸葛|夏侯|皇甫|尉迟|公孙|慕容|令狐|司徒|端木|轩辕|独孤|宇文|长孙|鲜于|申屠|淳于|澹台|公冶|濮阳|赫连|呼延|"
                     "钟离|闾丘|南宫")
"""Surnames of two letters; those that are more often part of a place name (东方, 西门) are left out."""
_PERSON_WORDS = re.compile(
    r"个人|私人|个体(?!劳动者)|(?:村民|居民)(?!委|小组|自治|代表|服务)|住户|农户|自建房|某人?$|某某$|等人"
    r"|等(?:\d+|[一二两三四五六七八九十几多数]+)[户人]")
_PRIVATE_WORDS = ("民办", "民营", "私营", "私立", "个体", "个人", "私人", "合伙", "独资", "股份合作", "有限公司", "公司", "商行", "经营部")
_BODIES_AS_COMPANIES = frozenset((
    "soe", "power_facility", "transport_hub", "service_area", "pole", "police_pole", "gantry", "power_tower", "tower",
    "bus_stop", "water_works", "wharf", "railway", "road", "road_structure", "underground", "broadcast", "municipal",
    "existing_site"))
"""Classes whose public owners usually are companies: there a company says nothing."""


def _is_name(text: str) -> bool:
    """Whether a text reads like the name of a person: a surname and one or two letters, no word of a body."""
    entry = words("public")
    found = re.fullmatch(rf"({COMPOUND_SURNAMES}|[{entry['surnames']}])([\u4e00-\u9fff]{{1,2}})", text)
    return found is not None and not any(letter in entry["not_persons"] for letter in found[2])


@cache
def is_person(owner: str) -> bool:
    """Whether an owner reads like a person, or several: a name, or a word for private people.

    >>> [is_person(text) for text in ("王小明", "欧阳明", "张三、李四", "村民王某", "张三等5户", "私人")]
    [True, True, True, True, True, True]
    >>> [is_person(text) for text in ("石桥镇人民政府", "王家村村民委员会", "金沙湾 小学", "和平公司")]
    [False, False, False, False]
    """
    plain = unicodedata.normalize("NFKC", owner).strip()
    if _PERSON_WORDS.search(plain):
        return True
    parts = [[word for word in part.split() if not re.search(r"\d", word)] for part in re.split("[、,;/]", plain)]
    return any(part and all(_is_name(word) for word in part) for part in parts)


@cache
def reads_private(owner: str, venue_class: str) -> bool:
    """Whether an owner reads private: a person, a word for it, or a company where public owners are none.

    Companies of the state can hardly be told from others by their names: what follows is a doubt, never another duty.

    >>> [reads_private(*pair) for pair in (("阳光教育有限公司", "school"), ("民办阳光小学", "school"), ("王小明", "clinic"))]
    [True, True, True]
    >>> [reads_private(*pair) for pair in (("城投有限公司", "soe"), ("县教育局", "school"), ("", "school"))]
    [False, False, False]
    """
    plain = unicodedata.normalize("NFKC", owner).strip()
    told = _PRIVATE_WORDS[:-4] if venue_class in _BODIES_AS_COMPANIES else _PRIVATE_WORDS
    return any(word in plain for word in told) or is_person(plain)
