"""Letters to departments that ask to open the venues this plan chose: contents only, no file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from siteplan.opening._build import Opening
from siteplan.opening._records import PRIVATE
from siteplan.opening._words import words
from siteplan.venues import VenueCatalogue, department_of

_PAGE = re.compile(r"\s*[(（][^()（）]*[a-z0-9-]+\.(?:com|cn|net|org)[^()（）]*[)）]")
_PRESUMED = re.compile(r"推断|推定|未核实")
_ASIDES = re.compile(r"[;；,，:：]?外[省地]为推断[^;；]*|^推断[:：]|[(（](?:按类别推定|c114讯)[^()（）]*[)）]")
_NATIONAL = "national"
"""Profile of duties that no paper of the place stands behind."""


class LetterVenue(NamedTuple):
    """One row of the list that goes with a letter; Chinese words throughout."""

    number: int
    name: str
    address: str
    town: str
    owner: str
    opens: str
    opened: str
    basis: str
    free: str
    site_ids: str


@dataclass(frozen=True)
class Letter:
    """One letter to a supervising department.

    Attributes
    ----------
    department, reference, title : str
        Addressee, number (left open), title.
    opening, duty : str
        First paragraph; the sentence that follows it and leads to what is asked.
    asks : tuple of str
        What is asked, in order.
    fees, private, close, contact, annex, note, draft : str
        Sentences on banned fees and on venues that need not open (empty where there are none), the end, the line for a
        contact (left open), name of the list, how to read its columns, the remark that this is a draft.
    office, date, reply_by : str
        Who signs; blanks for the day of the letter; when an answer is due, counted from its receipt.
    notices : tuple of str
        Sentences every output of the study carries; for invented data that the letter is a sample.
    bases : tuple of str
        Why venues must open, and free of charge, each once, numbered as the rows of the list refer to them.
    venues : tuple of LetterVenue
    """

    department: str
    reference: str
    title: str
    opening: str
    duty: str
    asks: tuple[str, ...]
    fees: str
    private: str
    close: str
    contact: str
    annex: str
    note: str
    draft: str
    office: str
    date: str
    reply_by: str
    notices: tuple[str, ...]
    bases: tuple[str, ...]
    venues: tuple[LetterVenue, ...]


def _with_why(opening: Opening, catalogue: VenueCatalogue, office: str) -> pd.DataFrame:
    """Proposed venues; ``why`` = the word why no letter asks for them, empty where one does."""
    venues = pd.DataFrame(opening.venues)
    chosen = venues[venues["status"] == "proposed"]
    by = {name: _why_no_letter(str(name), catalogue, office) for name in chosen["department"].unique()}
    why = chosen["department"].map(by).astype("str")
    why = why.mask((why == "") & (chosen["state"] == "refused"), "refused")
    return chosen.assign(why=why.mask(chosen["secret"].astype(bool), "secret"))


def _why_no_letter(department: str, catalogue: VenueCatalogue, office: str) -> str:
    none = catalogue.departments["none"].zh if "none" in catalogue.departments else ""
    if department == words("department")["blank"]:
        return "blank"
    if department == none:
        return "none"
    return "own" if department in (office, department_of(office, catalogue)) or office.endswith(department) else ""


def unaddressed(opening: Opening, catalogue: VenueCatalogue, office: str) -> pd.DataFrame:
    """Proposed sites that no letter asks for: ``department, sites, why``.

    No letter goes to the office itself, nor where no department answers for the venue; none asks for a secret unit
    (whose department is not told) or for a venue that refuses.
    """
    entry = words("letter")
    table = _with_why(opening, catalogue, office)
    left = table[table["why"] != ""]
    left = left.assign(department=left["department"].mask(left["why"] == "secret", words("department")["secret"]))
    sums = left.groupby(["department", "why"])["sites"].sum().reset_index()
    return pd.DataFrame({"department": sums["department"].astype("str"), "sites": sums["sites"].astype("int64"),
                         "why": sums["why"].map(lambda why: entry[why]).astype("str")})


def letters(opening: Opening, catalogue: VenueCatalogue, study: Mapping[str, Any], office: str, reply_days: int,
            as_of: dt.date | None = None) -> tuple[Letter, ...]:
    """One letter for every department that answers for proposed venues, in the order of the department table.

    Venues that are secret or refuse are in no letter, see `unaddressed`.

    Parameters
    ----------
    opening : Opening
    catalogue : VenueCatalogue
    study : mapping
        ``name``, ``notices`` (sentences) and ``synthetic`` of the study.
    office : str
        Who signs.
    reply_days : int
        Days after the receipt of the letter by which an answer is asked for.
    as_of : date, optional
        Day of the data: its year stands in the number. The day of the letter is left open.

    Returns
    -------
    tuple of Letter
    """
    table = _with_why(opening, catalogue, office)
    entry = words("letter")
    year = entry["blank_year"] if as_of is None else str(as_of.year)
    terms = {"office": office, "reply_by": entry["reply_by"].format(days=reply_days),
             "reference": entry["reference"].format(year=year)}
    return tuple(_letter(str(department), group, catalogue, study, terms)
                 for department, group in table[table["why"] == ""].groupby("department", sort=False))


def _letter(department: str, group: pd.DataFrame, catalogue: VenueCatalogue, study: Mapping[str, Any],
            terms: Mapping[str, str]) -> Letter:
    entry, must_open = words("letter"), int(group["must_open"].sum())
    kind = entry["public" if must_open == len(group) else "mixed" if must_open else "private"]
    counts = _duty_counts(group, catalogue) if must_open else []
    of_which = entry["of_which"].format(parts="、".join(counts)) if counts else ""
    marks, bases = _bases(group, catalogue)
    notices: Sequence[str] = ([entry["synthetic"]] if study.get("synthetic") else []) + list(study.get("notices", ()))
    return Letter(
        department=department, title=kind["title"],
        opening=kind["opening"].format(study=study["name"], count=len(group), of_which=of_which), duty=kind["duty"],
        asks=tuple(text.format(reply_by=terms["reply_by"]) for text in kind["asks"]), fees=kind["fees"],
        private=kind["private"], close=entry["close"], contact=entry["contact"], annex=kind["annex"],
        note=kind["note"], draft=entry["draft"], date=entry["blank_date"], notices=tuple(notices), bases=bases,
        venues=_rows(group, marks), **terms)


def _duty_counts(group: pd.DataFrame, catalogue: VenueCatalogue) -> list[str]:
    """How many venues must open, and free of charge: by a paper of the place, or as this plan takes it.

    A venue whose owner reads private is among the latter.
    """
    entry, parts = words("letter"), []
    for duty, basis in (("must_open", "open_basis"), ("must_be_free", "free_basis")):
        here = group[group[duty].astype(bool)]
        firm = sum(_is_firm(text, catalogue) and PRIVATE not in doubt
                   for text, doubt in zip(here[basis], here["doubt"], strict=True))
        parts += [entry[name].format(number=number) for name, number in
                  ((duty, firm), (f"{duty}_presumed", len(here) - firm)) if number]
    return parts


def _is_firm(text: str, catalogue: VenueCatalogue) -> bool:
    """Whether a duty rests on a paper of the place: not on the national reading, not on an inference."""
    return catalogue.profile != _NATIONAL and not _PRESUMED.search(text)


def _quoted(text: str) -> str:
    """A basis as letters quote it: web addresses and remarks to planners are left to the ledger."""
    return _ASIDES.sub("", _PAGE.sub("", text)).strip(" ;；,，")


def _ordered(group: pd.DataFrame) -> pd.DataFrame:
    return group.assign(key=group.index).sort_values(["county", "town", "name", "key"], kind="stable")


def _bases(group: pd.DataFrame, catalogue: VenueCatalogue) -> tuple[dict[str, str], tuple[str, ...]]:
    """Quoted basis -> its mark, in the order of the list, duties to open first; and the lines under the list."""
    entry, found = words("letter"), dict[str, list[str]]()
    firm: dict[str, bool] = {}
    ordered = _ordered(group)
    for duty, basis in (("must_open", "open_basis"), ("must_be_free", "free_basis")):
        for text in ordered.loc[ordered[duty].astype(bool), basis].unique():
            quoted = _quoted(text)
            if quoted and entry["duties"][duty] not in found.setdefault(quoted, []):
                found[quoted].append(entry["duties"][duty])
            firm[quoted] = firm.get(quoted, True) and _is_firm(text, catalogue)
    numbers = entry["basis_numbers"]
    marks = {text: numbers[rank] if rank < len(numbers) else f"({rank + 1})" for rank, text in enumerate(found)}
    lines = [f"{marks[text]} {'、'.join(duties)}：{text}{'' if firm[text] else entry['pending']}"
             for text, duties in found.items()]
    return marks, tuple(lines)


def _still_asked(asked: str, opened: str, agreed: bool) -> str:
    """What a venue is asked for beyond what its agreement opens; its new station in any case."""
    if not agreed:
        return asked
    entry, station = words("letter"), words("open_kinds")["station"]["zh"]
    kinds, _, place = asked.partition(" / ")
    known = opened.partition(" / ")[0].split("、")
    left = [] if entry["all"] in known else [kind for kind in kinds.split("、") if kind not in known]
    left += [] if station in left else [entry["more_station"]]
    return "、".join(left) + (f" / {place}" if place else "") + entry["agreed"]


def _address(address: str, lon: float, lat: float) -> str:
    """The address, else the place by its coordinates."""
    if address.strip() or not np.isfinite([lon, lat]).all():
        return address
    return words("letter")["place"].format(lon=lon, lat=lat)


def _rows(group: pd.DataFrame, marks: Mapping[str, str]) -> tuple[LetterVenue, ...]:
    """The list in order of county, town and name."""
    entry, rows = words("letter"), []
    for number, row in enumerate(_ordered(group).itertuples(), start=1):
        free = entry["yes"] if row.must_be_free else entry["free_no"] if row.must_open else entry["free_private"]
        texts = [text for text, duty in ((row.open_basis, row.must_open), (row.free_basis, row.must_be_free)) if duty]
        basis = "".join(dict.fromkeys(marks.get(_quoted(text), "") for text in texts))
        opened = "，".join(filter(None, (row.opened, row.agreed_on))) if row.agreed else ""
        rows.append(LetterVenue(
            number=number, name=row.name or entry["unnamed"].format(kind=row.class_zh),
            address=_address(row.address, row.lon, row.lat), town=f"{row.county}{row.town}", owner=row.owner,
            opens=_still_asked(row.asked, row.opened, bool(row.agreed)), opened=opened or entry["nothing"],
            basis=basis or entry["nothing"], free=free, site_ids=row.site_ids.replace("|", "、")))
    return tuple(rows)
