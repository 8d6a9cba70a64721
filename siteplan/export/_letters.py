"""Letters to departments as Word files, from the shipped template or a city's own."""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from siteplan.errors import ExportError
from siteplan.opening import Letter, LetterVenue

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\s]+')
ATTRIBUTE = re.compile(r"has no attribute '([^']*)'|'([^']*)' is undefined")
_WORD = re.compile(r"(?:named|unknown tag|got|attribute) '(\w+)'")
"""The template's own word in a message of the template engine; the rest of it is English."""
_LONGEST_NAME = 60
MOST_BYTES = 20_000_000
"""A template that unpacks to more is refused."""


def even_zip(data: bytes) -> bytes:
    """The same archive with fixed days, so that equal contents are equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            entry = zipfile.ZipInfo(item.filename, _EPOCH)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            new.writestr(entry, old.read(item.filename))
    return out.getvalue()


def plain_line(text: str) -> str:
    """A text without what XML cannot hold, on one line; braces that the template engine would turn stay as written."""
    line = " ".join(_FORBIDDEN.sub("", text).split("\n"))
    return re.sub(r"([{}])_([{}%])|(%)_(})", lambda found: found[0].replace("_", "_\u200b"), line.replace("\t", " "))


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
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_BYTES:
                raise ExportError(f"函件模板 {path.name} 太大,解开后超过 {MOST_BYTES // 1_000_000} MB")
            archive.getinfo("word/document.xml")
    except FileNotFoundError as error:
        raise ExportError(f"找不到函件模板 {path.name},请核对 [opening] letter_template") from error
    except OSError as error:
        raise ExportError(f"函件模板 {path.name or path} 不能读取,请核对 [opening] letter_template 是不是一个文件") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ExportError(f"函件模板 {path.name} 不是可用的 Word 文件(.docx),请另存为 .docx 再试") from error
    return data


def letter_environment() -> Any:
    """Jinja in its sandbox: unknown names are errors, text is escaped, templates reach nothing but the letter."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment: Any = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    environment.from_string = cache(environment.from_string)  # a text of the template is compiled once for all letters
    return environment


def _rendered(data: bytes, every: Sequence[dict[str, Any]], name: str) -> Iterator[bytes]:
    """A template filled with the facts of each letter; every fault of the template told in words."""
    from docxtpl import DocxTemplate
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import TemplateError

    listed = f"可用:{'、'.join(every[0])};清单行内:{'、'.join(f'venue.{field}' for field in LetterVenue._fields)}"
    environment = letter_environment()
    try:
        document = DocxTemplate(io.BytesIO(data))
        unknown = sorted(document.get_undeclared_template_variables(environment) - set(every[0]))
        if unknown:
            raise ExportError(f"函件模板 {name} 中有不认识的占位符:{'、'.join(unknown)}。{listed}")
        for facts in every:
            document.render(facts, environment, autoescape=True)
            buffer = io.BytesIO()
            document.save(buffer)
            yield even_zip(buffer.getvalue())
    except ExportError:
        raise
    except UndefinedError as error:
        found = ATTRIBUTE.search(str(error))
        word = f":{found[1] or found[2]}" if found else ""
        raise ExportError(f"函件模板 {name} 中有不认识的占位符{word}。{listed}") from error
    except TemplateSyntaxError as error:
        raise ExportError(f"函件模板 {name} 的占位符写法有误{named_word(error)},请核对 {{{{ }}}} 与 {{% %}} 是否成对") from error
    except TemplateError as error:
        raise ExportError(f"函件模板 {name} 不能填写{named_word(error)},占位符只能取函件的内容。{listed}") from error
    except Exception as error:
        raise ExportError(f"函件模板 {name} 不能使用,请用 Word 打开后另存为 .docx 再试") from error


def named_word(error: Exception) -> str:
    """The word of the template that an error is about, in brackets; nothing where it names none."""
    found = _WORD.search(str(error))
    return f"({found[1]})" if found else ""


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
    list(_rendered(read_template(path), [letter_facts(sample)], path.name))


def letter_file_name(letter: Letter, number: int) -> str:
    """File name of a letter: number and department, without what file systems refuse.

    The sheets and the zip of a city lie on Windows as well.
    """
    name = _NOT_IN_NAMES.sub("_", unicodedata.normalize("NFKC", _FORBIDDEN.sub("", letter.department))).strip("._ ")
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
    written = _rendered(data, [letter_facts(letter) for letter in letters], shown)
    for number, (letter, content) in enumerate(zip(letters, written, strict=True), start=1):
        path = folder / letter_file_name(letter, number)
        path.write_bytes(content)
        out[path.name] = path
    return out

