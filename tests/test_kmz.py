"""KMZ: styled folders, descriptions that show hostile names as they are, nothing fetched from anywhere."""

from __future__ import annotations

import dataclasses
import io
import zipfile
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from exchange_layers import HOSTILE, plain_layer, texts
from hypothesis import given
from lxml import etree
from PIL import Image

from siteplan.errors import ExportError
from siteplan.export.exchange.compare import differences
from siteplan.export.exchange.formats.kmz import KMZ, _markup
from siteplan.export.exchange.style import COLOURS, OTHERS

KML = "{http://www.opengis.net/kml/2.2}"


class Seen(HTMLParser):
    """Tags and text that a program finds in a description."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.text += "\n" if tag == "br" else ""

    def handle_data(self, data: str) -> None:
        self.text += data


def document(folder: Path) -> Any:
    with zipfile.ZipFile(folder / "plan.kmz") as archive:
        return etree.fromstring(archive.read("doc.kml"))


def written(folder: Path, **changes: Any) -> Any:
    KMZ.write([plain_layer(**changes)], folder)
    return document(folder)


def test_a_folder_for_each_layer_and_in_it_one_for_each_value(tmp_path: Path) -> None:
    root = written(tmp_path)
    folders = root.findall(f"{KML}Document/{KML}Folder")
    assert [folder.findtext(f"{KML}name") for folder in folders] == ["规划站址"]
    values = folders[0].findall(f"{KML}Document")
    assert [value.findtext(f"{KML}name") for value in values] == ["规划站址:宏站(1)", f"规划站址:{OTHERS}(1)"]
    assert [mark.findtext(f"{KML}name") for mark in root.iter(f"{KML}Placemark")] == ["溪口镇政府", "A2"]


def test_folders_bear_the_chinese_of_word_and_code(tmp_path: Path) -> None:
    """A bureau's code may be the number of a Chinese word, or the Chinese of a word of the toolkit."""
    layer = plain_layer(LX="达标")
    fields = tuple(dataclasses.replace(field, codes={"pass": "达标"}) if field.name == "LX" else field
                   for field in layer.profile.fields)
    KMZ.write([dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, fields=fields))], tmp_path)
    names = [each.text for each in document(tmp_path).iterfind(f".//{KML}Folder/{KML}Document/{KML}name")]
    assert names == ["规划站址:达标(1)", f"规划站址:{OTHERS}(1)"]


def test_colours_are_those_of_the_qgis_style(tmp_path: Path) -> None:
    """KML writes opacity, blue, green, red; the first colour is 0,114,178."""
    root = written(tmp_path)
    assert COLOURS[0] == "0,114,178"
    styles = {style.get("id"): style.findtext(f"{KML}IconStyle/{KML}color") for style in root.iter(f"{KML}Style")}
    assert styles == {"ghzz-0": "ffb27200", "ghzz-1": "ff999999"}
    used = [mark.findtext(f"{KML}styleUrl") for mark in root.iter(f"{KML}Placemark")]
    assert used == ["#ghzz-0", "#ghzz-1"]


def test_nothing_is_fetched_and_every_icon_is_in_the_file(tmp_path: Path) -> None:
    root = written(tmp_path)
    hrefs = {element.text for element in root.iter(f"{KML}href")}
    with zipfile.ZipFile(tmp_path / "plan.kmz") as archive:
        assert hrefs
        assert hrefs <= set(archive.namelist())
        assert archive.namelist()[0] == "doc.kml"  # Google Earth opens the first
        for name in archive.namelist()[1:]:
            image = Image.open(io.BytesIO(archive.read(name)))
            assert image.size == (32, 32)
            assert len(set(image.convert("RGBA").tobytes())) > 2
    text = etree.tostring(root, encoding="unicode").replace("http://www.opengis.net/kml/2.2", "")
    assert "http" not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_text_on_the_map_and_in_the_balloon(name: str, tmp_path: Path) -> None:
    root = written(tmp_path, MC=name)
    mark = next(mark for mark in root.iter(f"{KML}Placemark") if mark.get("id") == "ghzz.0")
    assert mark.findtext(f"{KML}name") == name
    seen = Seen(mark.findtext(f"{KML}description"))
    assert seen.tags <= {"b", "table", "tr", "td", "br"}
    assert seen.attributes == {"border", "cellspacing", "cellpadding", "nowrap"}
    assert seen.text.startswith(name)
    assert f"站址名称{name}" in seen.text
    # `$[name]` would be filled in by the program
    assert "$" not in mark.findtext(f"{KML}description")


def test_hostile_words_of_a_profile_are_text_too(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>$[name]"
    layer = plain_layer(LX=evil)
    fields = tuple(dataclasses.replace(field, zh=f"{field.zh}{evil}") for field in layer.profile.fields)
    layer = dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, fields=fields, zh=f"层{evil}"))
    KMZ.write([layer], tmp_path)
    root = document(tmp_path)
    assert not list(root.iter(f"{KML}img"))
    for mark in root.iter(f"{KML}Placemark"):
        assert Seen(mark.findtext(f"{KML}description")).tags == {"b", "table", "tr", "td"}
    assert differences(layer, KMZ.read(tmp_path, layer), KMZ.kept) == []


@given(text=texts(narrow=False))
def test_markup_of_any_text_says_that_text(text: str | None) -> None:
    seen = Seen(_markup(text or ""))
    assert seen.tags <= {"br"}
    assert seen.text == (text or "").replace("\r\n", "\n").replace("\r", "\n")


def test_the_balloon_shows_only_the_description(tmp_path: Path) -> None:
    """The balloon that Google Earth makes by itself shows the name as markup."""
    root = written(tmp_path)
    assert {text.text for text in root.iterfind(f".//{KML}BalloonStyle/{KML}text")} == {"$[description]"}


def test_fields_have_types_and_titles_and_missing_ones_are_left_out(tmp_path: Path) -> None:
    root = written(tmp_path)
    for schema in root.iter(f"{KML}Schema"):
        fields = {field.get("name"): (field.get("type"), field.findtext(f"{KML}displayName")) for field in schema}
        assert fields["GG"] == ("double", "天线挂高(米)")
        assert fields["NF"] == ("int", "建设年度")
        assert fields["RQ"] == ("string", "填报日期")
    second = next(mark for mark in root.iter(f"{KML}Placemark") if mark.get("id") == "ghzz.1")
    assert [(data.get("name"), data.text) for data in second.iter(f"{KML}SimpleData")] == [("BH", "A2")]


def test_long_names_are_cut_on_the_map_and_whole_in_the_fields(tmp_path: Path) -> None:
    root = written(tmp_path, MC="长" * 300)
    mark = next(root.iter(f"{KML}Placemark"))
    assert mark.findtext(f"{KML}name") == "长" * 59 + "…"
    assert "长" * 300 in {data.text for data in mark.iter(f"{KML}SimpleData")}


def test_a_layer_without_values_is_one_folder_in_one_colour(tmp_path: Path) -> None:
    layer = plain_layer()
    KMZ.write([dataclasses.replace(layer, profile=dataclasses.replace(layer.profile, style=""))], tmp_path)
    names = [each.text for each in document(tmp_path).iterfind(f".//{KML}Folder/{KML}Document/{KML}name")]
    assert names == ["规划站址(2)"]


def test_points_are_lon_lat_of_wgs84(tmp_path: Path) -> None:
    root = written(tmp_path)
    assert next(root.iter(f"{KML}coordinates")).text == "113.392800000,22.516800000"


def test_control_characters_are_told(tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="A1 / MC: 含有控制字符"):
        KMZ.write([plain_layer(MC="站\x07")], tmp_path)


def test_a_row_of_another_value_is_noticed(tmp_path: Path) -> None:
    """The text of one SimpleData changed in the file itself."""
    layer = plain_layer()
    KMZ.write([layer], tmp_path)
    with zipfile.ZipFile(tmp_path / "plan.kmz") as archive:
        content = archive.read("doc.kml").replace(b'<SimpleData name="GG">35.5<', b'<SimpleData name="GG">36.5<')
    with zipfile.ZipFile(tmp_path / "plan.kmz", "w") as archive:
        archive.writestr("doc.kml", content)
    assert differences(layer, KMZ.read(tmp_path, layer), KMZ.kept) == ["GG / A1: 写出“35.5”,读回“36.5”"]


def test_entities_of_a_foreign_file_are_not_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for you", "utf-8")
    layer = plain_layer()
    KMZ.write([layer], tmp_path)
    with zipfile.ZipFile(tmp_path / "plan.kmz") as archive:
        content = archive.read("doc.kml").decode().replace(
            "<kml ", f'<!DOCTYPE kml [<!ENTITY e SYSTEM "{secret.as_uri()}">]><kml ').replace(">溪口镇政府<", ">&e;<")
    with zipfile.ZipFile(tmp_path / "plan.kmz", "w") as archive:
        archive.writestr("doc.kml", content)
    read = KMZ.read(tmp_path, layer)
    assert differences(layer, read, KMZ.kept) != []
    assert "not for you" not in read.to_csv()


def test_whole_numbers_over_32_bits_are_doubles(tmp_path: Path) -> None:
    fields = [field for field in written(tmp_path, RK=2**40).iter(f"{KML}SimpleField") if field.get("name") == "RK"]
    assert {field.get("type") for field in fields} == {"double"}
