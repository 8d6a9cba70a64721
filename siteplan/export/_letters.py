"""Letters to departments as Word files, from the shipped template or a city's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from siteplan.export._word import WordTemplate, fill_word, plain_line, read_word, without_controls
from siteplan.opening import Letter, LetterVenue

_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\s]+')
_LONGEST_NAME = 60
_KIND = "函件模板"


def letter_facts(letter: Letter) -> dict[str, Any]:
    """What a template may name: the fields of the letter; ``venues`` is a list of rows with the fields of a row."""
    facts: dict[str, Any] = {}
    for name in Letter.__dataclass_fields__:
        value = getattr(letter, name)
        facts[name] = plain_line(value) if isinstance(value, str) else value
    for name in ("asks", "notices", "bases"):
        facts[name] = [plain_line(text) for text in getattr(letter, name)]
    facts["venues"] = [{name: plain_line(value) if isinstance(value, str) else value
                        for name, value in row._asdict().items()} for row in letter.venues]
    return facts


def _shipped() -> bytes:
    return files("siteplan").joinpath("templates", "opening_letter.docx").read_bytes()


def read_template(path: Path) -> bytes:
    """A city's own template.

    Raises
    ------
    ExportError
        The file is missing or no Word file.
    """
    return read_word(path, _KIND, "请核对 [opening] letter_template")


def _filled(data: bytes, every: Sequence[dict[str, Any]], name: str) -> Iterator[bytes]:
    """A template filled with the facts of each letter."""
    rows = "、".join(f"venue.{field}" for field in LetterVenue._fields)
    return fill_word(WordTemplate(data, _KIND, name, rows), every)


def check_template(path: Path) -> None:
    """Fill a template with a sample letter, so that its faults are told before anything is computed.

    Raises
    ------
    ExportError
        The file is missing, broken, or names something that letters do not have.
    """
    row = LetterVenue(1, "场所", "地址", "镇街", "权属单位", "基站", "—", "①", "是", "V-facility:1")
    texts = dict.fromkeys(("department", "reference", "title", "opening", "duty", "fees", "private", "close", "contact",
                           "annex", "note", "draft", "office", "date", "reply_by"), "样例")
    sample = Letter(**texts, asks=("样例",), notices=("样例",), bases=("样例",), venues=(row,))
    list(_filled(read_template(path), [letter_facts(sample)], path.name))


def letter_file_name(letter: Letter, number: int) -> str:
    """File name of a letter: number and department, without what file systems refuse.

    The sheets and the zip of a city lie on Windows as well.
    """
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFKC", without_controls(letter.department))).strip("._ ")
    return f"{number:02d}_{name[:_LONGEST_NAME] or '部门'}.docx"


def write_letters(letters: Sequence[Letter], folder: Path, template: bytes | None = None) -> dict[str, Path]:
    """Write every letter as a Word file; two runs give the same bytes.

    Parameters
    ----------
    letters : sequence of Letter
    folder : Path
        Made when absent.
    template : bytes, optional
        A city's own template (:func:`read_template`; placeholders are those of `letter_facts`); the shipped one when
        absent.

    Returns
    -------
    dict
        File name -> path.

    Raises
    ------
    ExportError
        The template is broken or names something that letters do not have.
    """
    data = _shipped() if template is None else template
    out: dict[str, Path] = {}
    folder.mkdir(parents=True, exist_ok=True)
    shown = "opening_letter.docx" if template is None else "(letter_template)"
    if not letters:
        return out
    written = _filled(data, [letter_facts(letter) for letter in letters], shown)
    for number, (letter, content) in enumerate(zip(letters, written, strict=True), start=1):
        path = folder / letter_file_name(letter, number)
        path.write_bytes(content)
        out[path.name] = path
    return out

