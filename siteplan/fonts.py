"""Fonts with Chinese: the one that was asked for, one of the machine, else the one that is carried."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from matplotlib.font_manager import FontManager

FONTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei",
         "Microsoft YaHei", "SimHei", "PingFang SC", "Heiti TC", "Arial Unicode MS")
"""Fonts with Chinese, in the order they are looked for."""
VARIABLE = "SITEPLAN_FONT"
"""Environment variable that names a font file or family."""
BASICS = "站址基站规划覆盖溪口镇街道村审图号"
"""Letters that every font with Chinese has; rarer ones are asked for with :func:`missing_letters`."""
BLANK = "〓"
"""Stands for a letter that the font does not have, as printers do."""
_CARRIED = "noto_cjk_sans_otc"
_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")

FontSource = Literal["named", "environment", "system", "carried"]


class FontError(ValueError):
    """There is no font with Chinese, or the one that was asked for cannot be used.

    Attributes
    ----------
    asked, reason, remedy : str
        What was asked for (empty: nothing), what is wrong with it and how to mend it, in Chinese.
    """

    def __init__(self, asked: str, reason: str, remedy: str) -> None:
        self.asked, self.reason, self.remedy = asked, reason, remedy
        super().__init__(f"没有可用的中文字体:{asked}{' ' if asked else ''}{reason} -> {remedy}")


@dataclass(frozen=True)
class Font:
    """A font with Chinese that matplotlib knows by its family.

    Attributes
    ----------
    family : str
    path : Path
    source : {"named", "environment", "system", "carried"}
        Who asked for it: the study, the environment; or where it was found.
    face : int
        Number of the face in a collection.
    """

    family: str
    path: Path
    source: FontSource
    face: int = 0


def chinese_font(named: str | None = None) -> Font:
    """The font of texts with Chinese.

    Parameters
    ----------
    named : str, optional
        Family or file that the study asks for; else the environment (``SITEPLAN_FONT``), the machine and the carried
        package ``noto-cjk-sans-otc`` are asked, in this order.

    Returns
    -------
    Font
        Known to matplotlib's font manager; ``rcParams`` stay as they are.

    Raises
    ------
    FontError
        The font that was asked for is not there or has no Chinese, or there is none at all.

    Examples
    --------
    >>> font = chinese_font()
    >>> missing_letters("站址", font)
    ''
    """
    asked = named or os.environ.get(VARIABLE, "").strip()
    if asked:
        return _asked(asked, "named" if named else "environment")
    ours = _carried_places()
    for name in FONTS:
        for entry in _manager().ttflist:
            path = Path(entry.fname)
            if entry.name == name and path.parent not in ours and _has(path, entry.index, BASICS):
                return Font(name, path, "system", entry.index)
    carried = carried_font()
    if carried is None:
        raise FontError("", "这台电脑上没有中文字体", "安装 noto-cjk-sans-otc(pip)或任一中文字体,或用 [deliver] font 指定字体文件")
    return carried


def carried_font() -> Font | None:
    """The font of the package ``noto-cjk-sans-otc``, made known to matplotlib; None where it is not installed."""
    for path in sorted(path for place in _carried_places() for path in place.glob("*.ttc")):
        return _of_file(path, "carried")
    return None


def _carried_places() -> list[Path]:
    """Folders of the package with the font; it is found, not imported."""
    spec = find_spec(_CARRIED)
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def chinese_families(manager: FontManager | None = None, names: Sequence[str] = FONTS) -> tuple[str, ...]:
    """Families with Chinese among ``names``, best first: of the environment, of the machine, else the carried one.

    ``manager`` is matplotlib's when absent; of another one only what it lists counts.

    Examples
    --------
    >>> set(chinese_families()) <= set(FONTS) or bool(os.environ.get("SITEPLAN_FONT"))
    True
    """
    installed = {font.name for font in (manager or _manager()).ttflist}
    found = tuple(name for name in names if name in installed)
    if manager is not None:
        return found
    asked = os.environ.get(VARIABLE, "").strip()
    if asked and names is FONTS:
        return tuple(dict.fromkeys((_asked(asked, "environment").family, *found)))
    carried = None if found else carried_font()
    return found if carried is None or carried.family not in names else (carried.family,)


def missing_letters(text: str | Iterable[str], font: Font) -> str:
    """Letters of a text that the font cannot draw, each once, in order of their code; blanks are none.

    Examples
    --------
    >>> missing_letters("站址 A", chinese_font())
    ''
    """
    wanted = {char for part in ([text] if isinstance(text, str) else text) for char in part}
    known = _letters(font.path, font.face)
    return "".join(sorted(char for char in wanted if ord(char) not in known and not _unseen(char)))


def drawable(text: str, font: Font) -> str:
    """A text on one line as the font can draw it: without control characters, ``〓`` for letters it lacks.

    Examples
    --------
    >>> drawable("  站 址 ", chinese_font())
    '站 址'
    """
    known = _letters(font.path, font.face)
    line = " ".join(str(text).split())
    blank = BLANK if ord(BLANK) in known else "?"
    return "".join(char if ord(char) in known else "" if _unseen(char) else blank for char in line).strip()


@lru_cache(maxsize=100_000)
def letter_width(char: str, font: Font) -> float:
    """How far the pen goes on for a letter, in ems; 1 for a letter that the font lacks.

    Examples
    --------
    >>> letter_width("站", chinese_font())
    1.0
    """
    from matplotlib.ft2font import LoadFlags

    face = _face(font.path, font.face)
    if not face.get_char_index(ord(char)):
        return 1.0
    face.set_size(100, 72)
    glyph = face.load_char(ord(char), flags=LoadFlags.NO_HINTING)
    return round(float(glyph.linearHoriAdvance) / 65536.0 / 100.0, 4)


def text_width(text: str, font: Font) -> float:
    """Length of a text in ems: times the size of the letters in points it is in points.

    Examples
    --------
    >>> text_width("站址", chinese_font())
    2.0
    """
    return sum(letter_width(char, font) for char in text)


def _unseen(char: str) -> bool:
    """Whether a character is no letter: blanks, controls, marks of direction."""
    return char.isspace() or unicodedata.category(char) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zs")


def _manager() -> FontManager:
    from matplotlib import font_manager

    return font_manager.fontManager


@lru_cache(maxsize=32)
def _face(path: Path, face: int) -> Any:
    """A face of a font file; matplotlib before 3.11 knows only the first one of a collection."""
    from matplotlib.ft2font import FT2Font

    return FT2Font(str(path), face_index=face) if face else FT2Font(str(path))


@lru_cache(maxsize=32)
def _letters(path: Path, face: int) -> frozenset[int]:
    return frozenset(_face(path, face).get_charmap())


def _has(path: Path, face: int, text: str) -> bool:
    """Whether a font file can be read and has these letters."""
    try:
        return {ord(char) for char in text} <= _letters(path, face)
    except (OSError, RuntimeError):
        return False


def _asked(asked: str, source: FontSource) -> Font:
    """The font that was asked for, by file or family."""
    by = "[deliver] font" if source == "named" else f"环境变量 {VARIABLE}"
    path = Path(asked)
    if path.suffix.lower() in _SUFFIXES or path.is_file():
        if not path.is_file():
            raise FontError(asked, f"{by} 所指的字体文件不存在", "核对路径,或改写为已安装的字体名称")
        font = _of_file(path, source)
    else:
        entries = [entry for entry in _manager().ttflist if entry.name.casefold() == asked.casefold()]
        if not entries:
            raise FontError(asked, f"{by} 所指的字体没有安装", "核对名称,或改写为字体文件的路径")
        regular = sorted(entries, key=lambda entry: (abs(_weight(entry.weight) - 400), entry.style != "normal",
                                                     entry.fname))[0]
        font = Font(regular.name, Path(regular.fname), source, regular.index)
    if not _has(font.path, font.face, BASICS):
        lacks = missing_letters(BASICS, font)
        raise FontError(asked, f"{by} 所指的字体没有常用汉字,缺“{lacks}”", "换用含中文的字体,如 Noto Sans CJK SC、微软雅黑、黑体")
    return font


def _weight(weight: str | int) -> int:
    return weight if isinstance(weight, int) else {"bold": 700, "light": 300}.get(weight, 400)


def _of_file(path: Path, source: FontSource) -> Font:
    """The simplified Chinese face of a font file (else its first), made known to matplotlib."""
    manager = _manager()
    try:
        if not any(Path(entry.fname) == path for entry in manager.ttflist):
            manager.addfont(str(path))
    except (OSError, RuntimeError) as error:
        raise FontError(path.name, "字体文件不能读取", "换一个 .ttf、.otf 或 .ttc 字体文件") from error
    faces = [entry for entry in manager.ttflist if Path(entry.fname) == path]
    entry = next((face for face in faces if face.name.endswith(" SC")), faces[0])
    return Font(entry.name, path, source, entry.index)
