"""Texts of the page in its language: the Chinese text is the key of its English one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siteplan.tables import read_table

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Say:
    """Says what the page says, in one language.

    Attributes
    ----------
    language : {"zh", "en"}

    Examples
    --------
    >>> CHINESE("{number} 处", number=3), ENGLISH("{number} 处", number=3)
    ('3 处', '3')
    >>> ENGLISH.word("宏站"), ENGLISH.word("溪口一中")
    ('macro', '溪口一中')
    """

    language: Language = "zh"

    def __call__(self, text: str, **parts: Any) -> str:
        """A text of the page; ``{name}`` in it stands for a part. Never a text of the data."""
        return self.word(text).format(**parts) if parts else self.word(text)

    def word(self, text: str) -> str:
        """A word in the language; one that ``tables/map_labels.toml`` does not have stays as it is."""
        if self.language == "zh":
            return text
        english: Mapping[str, str] = read_table("map_labels")["english"]
        return english.get(text, text)

    def words(self, *texts: str) -> list[str]:
        """Several words."""
        return [self.word(text) for text in texts]


CHINESE, ENGLISH = Say("zh"), Say("en")


def script_words(language: Language) -> dict[str, str]:
    """Texts of the page's script by key, from ``tables/map_words.toml``; none before there is such a table."""
    try:
        words: Mapping[str, Mapping[str, str]] = read_table("map_words")["words"]
    except FileNotFoundError:
        return {}
    return {key: entry[language] for key, entry in words.items()}
