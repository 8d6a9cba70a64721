"""Words and letters that several formats need: titles of layers, words of codes, what an encoding can hold."""

from __future__ import annotations

import datetime as dt
import re

from siteplan.export.exchange.out_layer import OutLayer

CREATED = dt.datetime(2000, 1, 1)  # noqa: DTZ001 - a fixed time: the same plan gives the same bytes
"""When files say that they were made or changed."""
_CHINESE = re.compile("[\u3007\u3400-\u9fff\U00020000-\U0003ffff]")


def layer_title(layer: OutLayer) -> str:
    """Title of a layer; the code of the CRS behind it where the layer is split by zones."""
    return layer.profile.zh + layer.name.removeprefix(layer.profile.out)


def shown_word(word: str, code: str) -> str:
    """What planners are shown of a word of the master and its code in the profile: the Chinese side, the word first.

    >>> shown_word("宏站", "1"), shown_word("pass", "达标"), shown_word("pass", "1")
    ('宏站', '达标', 'pass')
    """
    return code if _CHINESE.search(code) and not _CHINESE.search(word) else word


def encodes(text: str, encoding: str) -> bool:
    """Whether an encoding has all letters of a text.

    >>> encodes("溪口镇", "GBK"), encodes("䶮村", "GBK")
    (True, False)
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def lacking(text: str, encoding: str) -> str:
    """The letters of a text that an encoding lacks, each once.

    >>> lacking("䶮村䶮", "GBK")
    '䶮'
    """
    return "".join(dict.fromkeys(letter for letter in text if not encodes(letter, encoding)))
