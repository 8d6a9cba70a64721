"""Word files from templates that a city may edit: one filling for letters, briefs and reports."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from siteplan.errors import ExportError

MOST_BYTES = 20_000_000
"""A template that unpacks to more is refused."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
_FORBIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_ATTRIBUTE = re.compile(r"has no attribute '([^']*)'|'([^']*)' is undefined")
_WORD = re.compile(r"(?:named|unknown tag|got|attribute) '(\w+)'")
"""The template's own word in a message of the template engine; the rest of it is English."""
_DOCUMENT = "word/document.xml"


@dataclass(frozen=True)
class WordTemplate:
    """A Word file with places to fill.

    Attributes
    ----------
    data : bytes
        The ``.docx``.
    kind : str
        What it is, in Chinese, such as ``函件模板``.
    name : str
        File name, as messages say it.
    rows : str
        Which names its rows have, as messages say it.
    picture_mm : mapping of str to float
        Names that hold a picture (PNG bytes) -> width on paper.
    """

    data: bytes
    kind: str
    name: str
    rows: str = ""
    picture_mm: Mapping[str, float] | None = None

    @property
    def shown(self) -> str:
        """Kind and name."""
        return f"{self.kind} {self.name}"


def even_zip(data: bytes) -> bytes:
    """The same archive with fixed days, so that equal contents are equal bytes."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for item in old.infolist():
            entry = zipfile.ZipInfo(item.filename, _EPOCH)
            entry.compress_type, entry.external_attr, entry.create_system = zipfile.ZIP_DEFLATED, 0o600 << 16, 3
            new.writestr(entry, old.read(item.filename))
    return out.getvalue()


def without_controls(text: str) -> str:
    """A text without what XML cannot hold."""
    return _FORBIDDEN.sub("", text)


def plain_line(text: str) -> str:
    """A text without what XML cannot hold, on one line; braces that the template engine would turn stay as written."""
    line = " ".join(without_controls(text).split("\n"))
    return re.sub(r"([{}])_([{}%])|(%)_(})", lambda found: found[0].replace("_", "_\u200b"), line.replace("\t", " "))


def read_word(path: Path, kind: str, hint: str = "请核对路径") -> bytes:
    """A template of a city's own.

    Parameters
    ----------
    path : Path
    kind : str
        What it is, in Chinese.
    hint : str
        What to look at where it is missing.

    Raises
    ------
    ExportError
        The file is missing, too large, or no Word file.
    """
    try:
        data = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MOST_BYTES:
                raise ExportError(f"{kind} {path.name} 太大,解开后超过 {MOST_BYTES // 1_000_000} MB")
            archive.getinfo(_DOCUMENT)
    except ExportError:
        raise
    except FileNotFoundError as error:
        raise ExportError(f"找不到{kind} {path.name},不能读取,{hint}") from error
    except OSError as error:
        raise ExportError(f"{kind} {path.name or path} 不能读取,{hint}是不是一个文件") from error
    except (zipfile.BadZipFile, KeyError) as error:
        raise ExportError(f"{kind} {path.name} 不是可用的 Word 文件(.docx),请另存为 .docx 再试") from error
    return data


def _environment() -> Any:
    """Jinja in its sandbox: unknown names are errors, text is escaped, templates reach only what they are given."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment: Any = ImmutableSandboxedEnvironment(autoescape=True, undefined=StrictUndefined)
    environment.from_string = cache(environment.from_string)  # a text of the template is compiled once for all files
    return environment


def fill_word(template: WordTemplate, every: Sequence[Mapping[str, Any]]) -> Iterator[bytes]:
    """A template filled with each set of facts; every fault of the template told in words.

    Parameters
    ----------
    template : WordTemplate
    every : sequence of mapping
        Facts by name, all with the same names; texts without control characters (:func:`plain_line`).

    Yields
    ------
    bytes
        One ``.docx`` for each; equal facts give equal bytes.

    Raises
    ------
    ExportError
        The template cannot be used, or names something that it is not given.
    """
    from docxtpl import DocxTemplate
    from jinja2 import TemplateSyntaxError, UndefinedError
    from jinja2.exceptions import TemplateError

    shown, listed = template.shown, _listed(template, every[0])
    environment = _environment()
    try:
        document = DocxTemplate(io.BytesIO(template.data))
        unknown = sorted(document.get_undeclared_template_variables(environment) - set(every[0]))
        if unknown:
            raise ExportError(f"{shown} 中有不认识的占位符:{'、'.join(unknown)}。{listed}")
        for facts in every:
            document.render(_with_pictures(document, template, facts), environment, autoescape=True)
            buffer = io.BytesIO()
            document.save(buffer)
            yield even_zip(buffer.getvalue())
    except ExportError:
        raise
    except UndefinedError as error:
        found = _ATTRIBUTE.search(str(error))
        word = f":{found[1] or found[2]}" if found else ""
        raise ExportError(f"{shown} 中有不认识的占位符{word}。{listed}") from error
    except TemplateSyntaxError as error:
        raise ExportError(f"{shown} 的占位符写法有误{_named_word(error)},请核对 {{{{ }}}} 与 {{% %}} 是否成对") from error
    except TemplateError as error:
        raise ExportError(f"{shown} 不能填写{_named_word(error)},占位符只能取给定的内容。{listed}") from error
    except Exception as error:
        raise ExportError(f"{shown} 不能使用,请用 Word 打开后另存为 .docx 再试") from error


def _listed(template: WordTemplate, facts: Mapping[str, Any]) -> str:
    return f"可用:{'、'.join(facts)}" + (f";清单行内:{template.rows}" if template.rows else "")


def _with_pictures(document: Any, template: WordTemplate, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with pictures in the form that the template engine sets."""
    from docx.shared import Mm
    from docxtpl import InlineImage

    widths = template.picture_mm or {}
    pictures = {name: InlineImage(document, io.BytesIO(facts[name]), width=Mm(width)) for name, width in widths.items()
                if facts.get(name)}
    return {**facts, **pictures}


def _named_word(error: Exception) -> str:
    """The word of the template that an error is about, in brackets; nothing where it names none."""
    found = _WORD.search(str(error))
    return f"({found[1]})" if found else ""
