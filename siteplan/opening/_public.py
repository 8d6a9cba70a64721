"""The public list: three columns as cities publish them, and the class; nothing private."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

import pandas as pd

from siteplan.opening._owners import COMPOUND_SURNAMES, is_person
from siteplan.opening._words import words

_DIGITS = r"[\s\-—–()（）.]{0,2}"
_EXTENSION = r"(?:\s*(?:转|分机号?|ext\.?)\s*[:：]?\s*\d{1,6})"
_PHONE = rf"(?:\+?\d(?:{_DIGITS}\d){{9,13}}|(?<!\d)0\d{{2,3}}{_DIGITS}\d{{7,8}}(?!\d)|\d{{7,}}[Xx]?){_EXTENSION}?"
_ACCOUNT = (r"(?i)(?:微信|wechat|weixin|vx|wx|qq|身份证|护照|银行卡)(?:群|号码?|账号|帐号)*\s*[:：]?\s*"
            r"(?=[\w-]*\d)[A-Za-z0-9_-]{5,}|(?:微信|wechat)(?:号|账号)?\s*[:：]?\s*[A-Za-z][A-Za-z0-9_-]{5,}")
_HOLDERS = "业主|房东|户主|屋主|产权人|联系人|承租人"
"""Words before a name, beside the contacts of the table."""
_MAIL = r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
_DEGREES = r"(?<!\d)\d{1,3}\.\d{4,}"

NO_SECRECY_LIST = "未提供涉密单位名单，未作保密核对，公布前须经保密审查"
"""Why nothing is published where there is no list of secret units."""


@cache
def _patterns() -> tuple[re.Pattern[str], ...]:
    entry = words("public")
    contact, title = entry["contact"], f"(?:{entry['titles']})"
    named = rf"(?:{contact})\s*[:：]?\s*[\u4e00-\u9fff]{{0,4}}{title}?\s*[:：]?\s*(?:{_PHONE})?"
    surname = rf"(?:{COMPOUND_SURNAMES}|[{entry['surnames']}])"
    person = rf"(?<![\u4e00-\u9fff]){surname}"
    holder = rf"(?:{_HOLDERS})\s*[:：]?\s*{surname}(?:[\u4e00-\u9fff]{{1,2}})?{title}?\s*(?:{_PHONE})?"
    by_phone = rf"{person}[\u4e00-\u9fff]{{1,2}}{title}?\s*[:：]?\s*(?:{_PHONE})"
    titled = rf"{person}[\u4e00-\u9fff]{{0,2}}{title}"
    return tuple(re.compile(text) for text in (_MAIL, _DEGREES, _ACCOUNT, holder, named, by_phone, titled, _PHONE))


@cache
def public_text(text: str) -> str:
    """An address or owner without phone numbers, long numbers, names of contacts, mail addresses and coordinates.

    Runs of seven digits and more go, whatever they are: a list that is published rather lacks a number than tells one.

    >>> public_text("东门路1号（联系人：王小明 13800138000）"), public_text("石桥镇政府 0760-88886666")
    ('东门路1号', '石桥镇政府')
    >>> public_text("新街3栋101号")
    '新街3栋101号'
    """
    plain = unicodedata.normalize("NFKC", text)
    before = plain
    for pattern in _patterns():
        plain = pattern.sub(" ", plain)
    while re.search(r"\d{7,}", plain):
        plain = re.sub(r"\d{7,}", " ", plain)
    if plain == before:
        return text.strip()
    plain = re.sub(r"[(（]\s*[,，;；:：、]*\s*[)）]", "", plain)
    return re.sub(r"\s+", " ", plain).strip(" ,，;；:：、-(（")


def public_list(venues: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The list that may be published, and how many venues were left out for which reason.

    Parameters
    ----------
    venues : DataFrame
        The ledger of venues; ``checked``: whether a list of secret units was there to be held against. A venue with a
        refusal for secrecy or safety is left out (``withheld``) even where the refusal no longer stands.

    Returns
    -------
    public : DataFrame
        ``number, address, owner, class_zh``: 序号, 基站地址, 物业所属单位 (Qingxin 2017) and the class.
    left_out : DataFrame
        ``reason, venues``.
    """
    entry = words("public")
    secret = venues["secret"] | (venues["withheld"] == "secrecy")
    address = venues["address"].map(public_text)
    where = address.where(address != "", (venues["town"] + venues["name"]).map(public_text))
    reason = pd.Series("", index=venues.index, dtype="str")
    private = venues["owner"].map(is_person).astype(bool)
    rules = ((~venues["checked"], NO_SECRECY_LIST), (where == "", entry["no_address"]), (private, entry["private"]),
             (venues["withheld"] == "safety", entry["safety"]), (secret, entry["secret"]),
             (~venues["must_open"], entry["not_public"]))
    for hit, told in rules:   # the last that holds is told
        reason = reason.mask(hit, told)
    kept = venues[reason == ""]
    table = pd.DataFrame({"address": where[kept.index], "owner": kept["owner"].map(public_text).astype("str"),
                          "class_zh": kept["class_zh"], "county": kept["county"], "town": kept["town"]})
    table = table.sort_values(["county", "town", "address", "owner"], kind="stable").drop(columns=["county", "town"])
    table = table.reset_index(drop=True)
    table.insert(0, "number", range(1, len(table) + 1))
    out = reason[reason != ""].value_counts().sort_index()
    return table, pd.DataFrame({"reason": out.index.astype("str"), "venues": out.to_numpy(dtype="int64")})
