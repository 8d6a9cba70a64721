"""The script of the review map as text: its words are all there, and none of its ways to draw takes text for markup."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from siteplan.tables import read_table

ASSETS = files("siteplan.maps").joinpath("assets")
SCRIPTS = {file.name: file.read_text("utf-8") for file in ASSETS.iterdir() if file.name.endswith(".js")}
BODY = ASSETS.joinpath("page.html").read_text("utf-8")
WORDS = read_table("map_words")["words"]
GIVEN = re.compile(r'\bt\(\s*"([a-z_A-Z0-9]+)"\s*[,)]')
BEGUN = re.compile(r'\bt\((?:entry\.name \|\| )?\s*"([a-z_]+_)" \+')


def test_every_word_is_in_the_table_and_every_word_of_the_table_is_used() -> None:
    script = "".join(SCRIPTS.values())
    used = {*GIVEN.findall(script), *re.findall(r'data-(?:word|label)="(\w+)"', BODY)}
    begun = tuple(BEGUN.findall(script))
    assert len(used) > 60
    assert used <= set(WORDS)
    assert {key for key in WORDS if key not in used and not key.startswith(begun) and f'"{key}"' not in script} == set()


@pytest.mark.parametrize("key", sorted(WORDS))
def test_word_has_both_languages_with_the_same_gaps(key: str) -> None:
    chinese, english = WORDS[key]["zh"], WORDS[key]["en"]
    assert sorted(set(re.findall(r"\{\d\}", chinese))) == sorted(set(re.findall(r"\{\d\}", english)))
    assert not re.search(r"[\u4e00-\u9fff]", english)


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_script_takes_no_text_for_markup_and_asks_for_nothing(name: str) -> None:
    script = SCRIPTS[name]
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function",
                      "fetch(", "XMLHttpRequest", "localStorage", "http://", "https://", "import(",
                      "setAttribute(\"on"):
        assert forbidden not in script
    assert len(script.splitlines()) <= 400


def test_body_has_no_words_and_no_handlers_of_its_own() -> None:
    assert not re.search(r"[\u4e00-\u9fff]", BODY)
    assert not re.search(r"\son\w+=", BODY)
