"""Fonts with Chinese: in which order they are looked for, and that every letter that is drawn has a glyph."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib import font_manager

from siteplan import fonts
from siteplan.errors import ExportError
from siteplan.fonts import (
    BASICS,
    BLANK,
    FONTS,
    Font,
    FontError,
    carried_font,
    chinese_families,
    chinese_font,
    drawable,
    missing_letters,
    text_width,
)
from siteplan.maps import _plots

DEJAVU = Path(mpl.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> Font:
    """Whatever font this machine gives; none = nothing to try with."""
    monkeypatch.delenv(fonts.VARIABLE, raising=False)
    try:
        return chinese_font()
    except FontError:
        pytest.skip("no font with Chinese here")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A font manager that knows DejaVu alone, as on a machine without Chinese."""
    manager = font_manager.FontManager.__new__(font_manager.FontManager)
    entries = [entry for entry in font_manager.fontManager.ttflist if entry.fname == str(DEJAVU)]
    assert entries
    manager.ttflist, manager.afmlist = entries, []
    monkeypatch.setattr(fonts, "_manager", lambda: manager)
    monkeypatch.delenv(fonts.VARIABLE, raising=False)
    return manager


def test_the_font_has_every_common_letter_and_its_file(found: Font) -> None:
    assert found.path.is_file()
    assert missing_letters(BASICS + "㙍 站址\n0123456789", found) == ""
    assert found.source in ("system", "carried")


def test_nothing_of_matplotlib_is_changed(found: Font) -> None:
    before = dict(mpl.rcParams)
    chinese_font(str(found.path))
    carried_font()
    assert dict(mpl.rcParams) == before


def test_what_the_study_names_comes_before_the_environment(found: Font, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fonts.VARIABLE, "no such font")
    named = chinese_font(str(found.path))
    assert (named.source, named.path) == ("named", found.path)
    assert chinese_font(found.family).family == found.family
    with pytest.raises(FontError, match="SITEPLAN_FONT"):
        chinese_font()
    with pytest.raises(ExportError, match="SITEPLAN_FONT"):  # plots tell it as well
        _plots.chinese_fonts()
    monkeypatch.setenv(fonts.VARIABLE, str(found.path))
    assert chinese_font().source == "environment"
    assert chinese_families()[0] == found.family


def test_a_file_of_many_faces_gives_the_simplified_one(found: Font) -> None:
    if found.path.suffix != ".ttc":
        pytest.skip("no collection here")
    assert chinese_font(str(found.path)).family.endswith(" SC")


@pytest.mark.parametrize(("asked", "told"), [
    (str(DEJAVU), "没有常用汉字"), ("DejaVu Sans", "没有常用汉字"), ("no such font", "没有安装"), ("nowhere/font.ttf", "不存在")])
def test_a_font_that_cannot_serve_is_refused_with_the_reason(asked: str, told: str) -> None:
    with pytest.raises(FontError, match=told) as caught:
        chinese_font(asked)
    assert caught.value.remedy


def test_a_file_that_is_no_font_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "font.ttf"
    path.write_text("this is not a font", encoding="utf-8")
    with pytest.raises(FontError, match="不能读取"):
        chinese_font(str(path))


def test_system_fonts_come_in_their_order() -> None:
    manager: Any = SimpleNamespace(ttflist=[SimpleNamespace(name=name) for name in ("Arial", FONTS[3], FONTS[1])])
    assert chinese_families(manager) == (FONTS[1], FONTS[3])


def test_on_a_bare_machine_the_carried_font_serves(bare: Any, found_file: Path, tmp_path: Path,
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "noto_cjk_sans_otc"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('the package is found, not run')", encoding="utf-8")
    (package / "NotoSansCJK-Regular.ttc").symlink_to(found_file)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    first, second = chinese_font(), chinese_font()
    assert first == second
    assert (first.source, first.path.parent) == ("carried", package)
    assert chinese_families()[0] == first.family


@pytest.fixture
def found_file() -> Path:
    """A collection with the faces of Noto Sans CJK, from this machine."""
    for entry in font_manager.fontManager.ttflist:
        if entry.name == "Noto Sans CJK SC" and entry.fname.endswith(".ttc"):
            return Path(entry.fname)
    carried = carried_font()
    if carried is None:
        pytest.skip("no Noto Sans CJK here")
    return carried.path


def test_without_any_font_the_message_says_what_to_install(bare: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_CARRIED", "no_such_package")
    with pytest.raises(FontError, match="noto-cjk-sans-otc"):
        chinese_font()
    assert chinese_families() == ()


def test_letters_that_the_font_lacks_are_told_and_replaced(found: Font) -> None:
    lacking = next(char for char in map(chr, range(0x3134A, 0x20000, -1)) if missing_letters(char, found))
    assert missing_letters(f"站{lacking}址{lacking}", found) == lacking
    assert drawable(f"站{lacking}址", found) == f"站{BLANK}址"
    assert missing_letters(drawable(f"站{lacking}址", found), found) == ""


@pytest.mark.parametrize(("text", "line"), [
    ("a\nb\tc", "a b c"), ("  站  址 ", "站 址"), ("a\x00\x07b", "ab"), ("\u202e站", "站"), ("", "")])
def test_a_text_is_drawn_on_one_line_without_controls(found: Font, text: str, line: str) -> None:
    assert drawable(text, found) == line


def test_width_of_a_text_is_what_matplotlib_draws(found: Font) -> None:
    from matplotlib.textpath import TextPath

    text, size = "站址ABC站址", 100.0
    with mpl.rc_context({"font.family": [found.family]}):
        drawn = TextPath((0, 0), text, size=size).get_extents()
    # the drawn letters alone, without the blank rims of the outer ones
    assert drawn.width == pytest.approx(text_width(text, found) * size, rel=0.04)
