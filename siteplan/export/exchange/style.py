"""Styles of QGIS (``.qml``): a layer coloured by one field, labelled by its names, fields with their Chinese titles.

QGIS loads a style of the same name beside a Shapefile. The colours are those of Okabe and Ito (2008), which people with
any colour vision tell apart; beyond the eighth value shapes, dashes or hatchings change too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree as Xml

from siteplan.export.exchange.out_layer import OutLayer
from siteplan.profiles import ProfileField

COLOURS = ("0,114,178", "213,94,0", "0,158,115", "204,121,167", "230,159,0", "86,180,233", "240,228,66", "0,0,0")
"""Okabe and Ito: blue, vermilion, bluish green, reddish purple, orange, sky blue, yellow, black."""
OTHER_COLOUR = "153,153,153"
OTHERS = "其他"
MOST_VALUES = 32
"""Values that get a colour of their own; the rest are `OTHERS`."""
_MARKERS = ("circle", "square", "triangle", "diamond")
_DASHES = ("solid", "dash", "dot", "dash dot")
_FILLS = ("solid", "b_diagonal", "f_diagonal", "cross")
_SYMBOL = {"Point": ("marker", "SimpleMarker"), "LineString": ("line", "SimpleLine"), "Polygon": ("fill", "SimpleFill")}
_PLACEMENT = {"Point": "6", "LineString": "2", "Polygon": "1"}
"""Where labels stand: around points, along lines, in areas (numbers of QGIS)."""
_LAYER_GEOMETRY = {"Point": "0", "LineString": "1", "Polygon": "2"}
_CHINESE = re.compile("[\u3400-\u9fff\U00020000-\U0003ffff]")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write_style(layer: OutLayer, path: Path) -> None:
    """Write the style of a layer.

    Parameters
    ----------
    layer : OutLayer
        As it is written: columns bear the names that stand in the file.
    path : Path
        The ``.qml``.
    """
    path.write_text(style_text(layer), encoding="utf-8")


def style_text(layer: OutLayer) -> str:
    """The style as XML; words of the data are text in it, whatever they say.

    Examples
    --------
    >>> import geopandas as gpd
    >>> from siteplan.profiles import Profile
    >>> field = ProfileField("MC", "名称", "名称", "text", 20, source="name")
    >>> profile = Profile("p", "点", "sites", "p", "Point", "MC", (field,), style="MC")
    >>> text = style_text(OutLayer(profile, "p", gpd.GeoDataFrame({"MC": ["<b>"]}, geometry=[None])))
    >>> '<category type="string" value="&lt;b&gt;" symbol="0" label="&lt;b&gt;" render="true"/>' in text
    True
    """
    names = {field.name: str(name) for field, name in
             zip(layer.profile.fields, layer.table.columns.drop(layer.table.geometry.name), strict=True)}
    root = Xml.Element("qgis", version="3.28.0-Firenze", styleCategories="Symbology|Labeling|Fields|Forms",
                       labelsEnabled="1", readOnly="0", hasScaleBasedVisibilityFlag="0")
    _add_renderer(root, layer, names)
    _add_labels(root, layer, names)
    _add_fields(root, layer, names)
    Xml.SubElement(root, "layerGeometryType").text = _LAYER_GEOMETRY[layer.profile.geometry]
    Xml.indent(root, " ")
    return ("<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
            + Xml.tostring(root, encoding="unicode", short_empty_elements=True).replace(" />", "/>") + "\n")


def categories(layer: OutLayer) -> list[tuple[str, str]]:
    """Values of the style's field and their words, in the order of the codes, then of the alphabet.

    Values that no row has are left out; so are those beyond `MOST_VALUES`.
    """
    field = next((field for field in layer.profile.fields if field.name == layer.profile.style), None)
    if field is None:
        return []
    column = layer.table[str(layer.table.columns[layer.profile.fields.index(field)])]
    found = dict.fromkeys(sorted(_value(value) for value in column.dropna().unique()))
    words = code_words(field)
    ordered = [code for code in words if code in found] + [value for value in found if value not in words]
    return [(value, words.get(value, value)) for value in ordered if value][:MOST_VALUES]


def code_words(field: ProfileField) -> dict[str, str]:
    """Codes of a field as they stand in files, and their words for readers: of the two sides the one in Chinese.

    >>> code_words(ProfileField("A", "类型", "类型", "text", 4, source="kind", codes={"宏站": "01", "微站": "02"}))
    {'01': '宏站', '02': '微站'}
    >>> code_words(ProfileField("B", "判定", "判定", "text", 9, source="verdict", codes={"pass": "达标"}))
    {'达标': '达标'}
    """
    words: dict[str, str] = {}
    for word, code in field.codes.items():
        words.setdefault(code, code if _CHINESE.search(code) and not _CHINESE.search(word) else word)
    return words


def _value(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _add_renderer(root: Xml.Element, layer: OutLayer, names: Mapping[str, str]) -> None:
    kind = layer.profile.geometry
    found = categories(layer)
    usual = {"symbollevels": "0", "enableorderby": "0", "forceraster": "0", "referencescale": "-1"}
    if not found:
        renderer = Xml.SubElement(root, "renderer-v2", {"type": "singleSymbol", **usual})
        _add_symbol(Xml.SubElement(renderer, "symbols"), "0", kind, 0)
        return
    renderer = Xml.SubElement(root, "renderer-v2", {"type": "categorizedSymbol", "attr": names[layer.profile.style],
                                                    **usual})
    listed, symbols = Xml.SubElement(renderer, "categories"), Xml.SubElement(renderer, "symbols")
    field = next(field for field in layer.profile.fields if field.name == layer.profile.style)
    typed = {"int": "long", "float": "double"}.get(field.type, "string")
    for number, (value, word) in enumerate(found):
        Xml.SubElement(listed, "category", type=typed, value=_text(value), symbol=str(number), label=_text(word),
                       render="true")
        _add_symbol(symbols, str(number), kind, number)
    # a category without a value takes all others
    Xml.SubElement(listed, "category", type="string", value="", symbol=str(len(found)), label=OTHERS, render="true")
    _add_symbol(symbols, str(len(found)), kind, None)


def _add_symbol(symbols: Xml.Element, name: str, kind: str, number: int | None) -> None:
    """A symbol in the colour and shape of a number; grey without one."""
    colour = OTHER_COLOUR if number is None else COLOURS[number % len(COLOURS)]
    turn = 0 if number is None else number // len(COLOURS) % len(_MARKERS)
    look = {
        "Point": {"name": _MARKERS[turn], "color": f"{colour},255", "outline_color": "255,255,255,255",
                  "outline_style": "solid", "outline_width": "0.2", "outline_width_unit": "MM", "size": "2.6",
                  "size_unit": "MM", "angle": "0", "scale_method": "diameter"},
        "LineString": {"line_color": f"{colour},255", "line_style": _DASHES[turn], "line_width": "0.6",
                       "line_width_unit": "MM", "capstyle": "round", "joinstyle": "round"},
        "Polygon": {"color": f"{colour},110", "style": _FILLS[turn], "outline_color": f"{colour},255",
                    "outline_style": "solid", "outline_width": "0.4", "outline_width_unit": "MM", "joinstyle": "bevel"},
    }[kind]
    kind_name, class_name = _SYMBOL[kind]
    symbol = Xml.SubElement(symbols, "symbol", type=kind_name, name=name, alpha="1", clip_to_extent="1", force_rhr="0")
    drawn = Xml.SubElement(symbol, "layer", {"class": class_name, "pass": "0", "enabled": "1", "locked": "0"})
    options = Xml.SubElement(drawn, "Option", type="Map")
    for key, value in look.items():
        Xml.SubElement(options, "Option", type="QString", name=key, value=value)


def name_field(layer: OutLayer) -> ProfileField:
    """The field whose words label a place: the first text that is a name, else the key."""
    fields = layer.profile.fields
    named = [field for field in fields if field.type == "text" and (
        field.source == "name" or field.source.endswith("_name") or field.zh.endswith(("名称", "名")))]
    own = [field for field in named if field.source == "name"]
    return next(iter(own or named), next(field for field in fields if field.name == layer.profile.key))


def _add_labels(root: Xml.Element, layer: OutLayer, names: Mapping[str, str]) -> None:
    settings = Xml.SubElement(Xml.SubElement(root, "labeling", type="simple"), "settings", calloutType="simple")
    text = Xml.SubElement(settings, "text-style", {
        "fieldName": names[name_field(layer).name], "isExpression": "0", "fontFamily": "Noto Sans CJK SC",
        "fontSize": "8", "fontSizeUnit": "Point", "textColor": "40,40,40,255", "textOpacity": "1",
        "multilineHeight": "1"})
    Xml.SubElement(text, "text-buffer", bufferDraw="1", bufferSize="0.8", bufferSizeUnits="MM",
                   bufferColor="255,255,255,255", bufferOpacity="1")
    Xml.SubElement(settings, "text-format", plussign="0", multilineAlign="3", wrapChar="")
    Xml.SubElement(settings, "placement", placement=_PLACEMENT[layer.profile.geometry], dist="1", distUnits="MM",
                   priority="5")
    # 10,000 labels on a city map hide it: they come where one sees a town
    Xml.SubElement(settings, "rendering", drawLabels="1", scaleVisibility="1", scaleMin="1", scaleMax="50000",
                   obstacle="1", limitNumLabels="0", maxNumLabels="2000", displayAll="0")


def _add_fields(root: Xml.Element, layer: OutLayer, names: Mapping[str, str]) -> None:
    """Titles of the fields, and the words of their codes in forms and tables."""
    configuration, aliases = Xml.SubElement(root, "fieldConfiguration"), Xml.SubElement(root, "aliases")
    for index, field in enumerate(layer.profile.fields):
        widget = Xml.SubElement(Xml.SubElement(configuration, "field", name=_text(names[field.name])), "editWidget",
                                type="ValueMap" if _coded(field) else "TextEdit")
        if _coded(field):
            given = Xml.SubElement(Xml.SubElement(Xml.SubElement(widget, "config"), "Option", type="Map"), "Option",
                                   type="List", name="map")
            for code, word in code_words(field).items():
                Xml.SubElement(Xml.SubElement(given, "Option", type="Map"), "Option", type="QString", name=_text(word),
                               value=_text(code))
        Xml.SubElement(aliases, "alias", index=str(index), field=_text(names[field.name]), name=_text(field.zh))


def _coded(field: ProfileField) -> bool:
    return any(word != code for word, code in field.codes.items())


def _text(words: str) -> str:
    """Words without the characters that XML cannot hold."""
    return _NOT_XML.sub("�", words)
