"""Letters to departments: who gets one, what it says, the Word file, templates of a city and their faults."""

from __future__ import annotations

import dataclasses
import functools
import io
import re
import runpy
import zipfile
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
from opening_town import AS_OF, decisions, facilities, opening, sites

from siteplan.errors import ExportError
from siteplan.export._letter_files import LIST, earlier_letters, write_letter_files
from siteplan.export._letters import check_template, letter_facts, letter_file_name, read_template, write_letters
from siteplan.opening import Letter, LetterVenue, build_opening, letters, unaddressed
from siteplan.venues import load_venues, venues_of

STUDY = {"name": "东市规划", "notices": ["合成数据：全部虚构。"], "synthetic": True}
OFFICE = "通信建设管理办公室"
SCHOOLS, HOUSES, LAMPS, OFFICES = "教育和体育局", "住房和城乡建设局", "城市管理和综合执法局", "机关事务管理局"


@functools.cache
def town():
    """The toy town without decisions: nobody has refused."""
    return opening([])


def changed(**columns):
    """The toy town with other values in columns of its venues, by venue id."""
    venues = town().venues.copy()
    for column, values in columns.items():
        for key, value in values.items():
            venues.loc[key, column] = value
    return dataclasses.replace(town(), venues=venues)


def some(table=None, profile="national", **changes):
    given = {"office": OFFICE, "reply_days": 15, "as_of": AS_OF, **changes}
    catalogue = venues_of(profile)
    if profile != "national":
        table = build_opening(sites(), facilities(), decisions([]), catalogue)
    return letters(town() if table is None else table, catalogue, STUDY, **given)


def told(letter) -> str:
    """All sentences of a letter."""
    return "\n".join((letter.title, letter.opening, letter.duty, *letter.asks, letter.fees, letter.private,
                      letter.annex,
                      letter.note, *letter.bases))


def text_of(path: Path) -> str:
    from docx import Document

    document = Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([paragraph.text for paragraph in document.paragraphs] + cells)


@pytest.fixture
def own_template(tmp_path):
    def make(*lines: str) -> Path:
        from docx import Document

        document = Document()
        for line in lines:
            document.add_paragraph(line)
        document.save(str(tmp_path / "own.docx"))
        return tmp_path / "own.docx"
    return make


def test_one_letter_for_each_department_with_proposed_venues_in_the_order_of_the_table():
    assert [letter.department for letter in some()] == [SCHOOLS, HOUSES, LAMPS, OFFICES]


def test_no_letter_says_who_is_in_a_coordination_group():
    """The group of the table is another city's."""
    assert not [letter.department for letter in some() if "协调工作组" in told(letter)]


def test_a_duty_is_one_where_a_paper_of_the_place_says_so():
    """The national reading borrows papers of other provinces; so does a profile for classes that it does not name."""
    by = {letter.department: letter for letter in some(profile="shandong")}
    assert "1处场所设置5G基站（清单见附件），其中依规应当开放的1处、应当免费开放的1处。" in by[OFFICES].opening
    assert "待核实" not in "".join(by[OFFICES].bases)
    assert "免费开放的" not in by[SCHOOLS].opening
    assert "其中拟按应当开放对待的1处（依据待核实）" in by[LAMPS].opening
    national = {letter.department: letter for letter in some()}
    assert "拟按应当开放对待的1处（依据待核实）、拟按免费开放对待的1处（依据待核实）" in national[OFFICES].opening
    assert "依规" not in national[OFFICES].opening
    assert all(line.endswith("（参照，依据待核实）") for line in national[OFFICES].bases)


def test_a_venue_whose_owner_reads_private_is_not_said_to_be_bound():
    catalogue = venues_of("shandong")
    for owner, words in (("第一小学", "依规应当开放的1处"), ("阳光教育有限公司", "拟按应当开放对待的1处（依据待核实）")):
        places = facilities().assign(owner=owner)
        table = build_opening(sites().assign(owner=owner), places, decisions([]), catalogue)
        school, = (item for item in letters(table, catalogue, STUDY, OFFICE, 15) if item.department == SCHOOLS)
        assert words in school.opening


def test_what_remarks_to_planners_say_is_in_no_letter():
    for profile in ("national", "shandong", "qinghai_xining"):
        text = "\n".join(told(letter) for letter in some(profile=profile))
        assert not [word for word in ("推断", "推定", ".com", "转引") if word in text], profile


def test_both_duties_have_their_basis_and_a_row_names_both():
    letter = next(letter for letter in some() if letter.department == OFFICES)
    assert [line[:8] for line in letter.bases] == ["① 应当开放：山", "② 免费开放：山"]
    assert letter.venues[0].basis == "①②"
    same = changed(free_basis={"V-facility:F1": town().venues.loc["V-facility:F1", "open_basis"]})
    letter = next(letter for letter in some(same) if letter.department == OFFICES)
    assert letter.bases[0].startswith("① 应当开放、免费开放：")
    assert (len(letter.bases), letter.venues[0].basis) == (1, "①")


def test_where_nothing_must_open_the_letter_asks_for_help_only():
    letter = next(letter for letter in some() if letter.department == HOUSES)
    text = told(letter)
    assert letter.opening.startswith("为完善5G网络覆盖")
    assert letter.annex == "拟商请协商的站址清单"
    assert (letter.fees, letter.bases, letter.private) == ("", (), "")
    assert "公平协商" in text
    for word in ("免费开放", "应当开放的1处", "登记并转", "禁止收取", "政策"):
        assert word not in text, word
    assert any("业主" in ask and "物业" in ask for ask in letter.asks)
    row = letter.venues[0]
    assert (row.basis, row.free, row.site_ids) == ("—", "协商", "B-building:B1")


def test_a_mixed_letter_asks_opening_only_of_those_that_must():
    mixed = changed(department={"B-building:B1": SCHOOLS})
    letter = next(letter for letter in some(mixed) if letter.department == SCHOOLS)
    assert len(letter.venues) == 2
    assert all("其中应当开放的场所" in ask for ask in letter.asks[:2])
    assert "公平协商" in letter.private
    assert not any("其中应当开放的场所" in ask for ask in some()[0].asks)


def test_the_answer_is_due_some_days_after_the_receipt_and_the_day_of_the_letter_is_left_open():
    """The day of the data is not the day of the letter."""
    letter = some()[0]
    assert letter.reply_by == "自收文之日起15日内"
    assert any("自收文之日起15日内反馈" in text for text in letter.asks)
    assert letter.date.split() == ["年", "月", "日"]
    assert letter.reference == "开放函〔2026〕　　号（拟稿）"
    assert "2026" not in some(as_of=None)[0].reference


def test_rows_name_what_opens_and_why_by_number():
    letter = next(letter for letter in some() if letter.department == SCHOOLS)
    row = letter.venues[0]
    assert (row.number, row.name, row.opens, row.free, row.opened) == (1, "第一小学", "光纤、基站、室分 / 楼顶", "否", "—")
    assert letter.bases[0].startswith(f"{row.basis} ")
    assert load_venues().classes["school"].source_open[:12] in letter.bases[0]


@pytest.mark.parametrize(("opened", "asked"), [
    ("", "光纤、基站、室分 / 楼顶（已签协议）"), ("光纤", "基站、室分 / 楼顶（已签协议）"),
    ("光纤、基站 / 楼顶", "室分、增设基站 / 楼顶（已签协议）"), ("全部", "增设基站 / 楼顶（已签协议）"),
    ("光纤、基站、室分", "增设基站 / 楼顶（已签协议）")])
def test_a_venue_with_an_agreement_is_asked_for_the_rest(opened, asked):
    key = "V-facility:F2"
    table = changed(opened={key: opened}, agreed={key: True}, agreed_on={key: "2025-03-01"})
    row = next(letter for letter in some(table) if letter.department == SCHOOLS).venues[0]
    assert row.opens == asked
    assert row.opened == "，".join(filter(None, (opened, "2025-03-01")))


def test_a_place_without_an_address_is_told_by_its_coordinates():
    table = changed(address={"B-building:B1": ""}, name={"B-building:B1": ""},
                    lon={"B-building:B1": 113.3912345678}, lat={"B-building:B1": 22.5})
    row = next(letter for letter in some(table) if letter.department == HOUSES).venues[0]
    assert row.address == "东经113.391235°，北纬22.500000°（CGCS2000）"
    assert row.name == "住宅小区（名称不详）"
    nowhere = changed(address={"B-building:B1": ""}, lon={"B-building:B1": float("nan")})
    assert next(letter for letter in some(nowhere) if letter.department == HOUSES).venues[0].address == ""


def test_a_venue_that_refused_or_is_secret_is_in_no_letter_and_told():
    catalogue = load_venues()
    refused = opening()   # of B1, with the decisions of the town
    assert HOUSES not in {letter.department for letter in some(refused)}
    left = unaddressed(refused, catalogue, OFFICE).set_index("department")
    assert "已拒绝开放" in left.loc[HOUSES, "why"]
    secret = changed(secret={"V-facility:F1": True})
    assert "镇政府" not in {row.name for letter in some(secret) for row in letter.venues}
    left = unaddressed(secret, catalogue, OFFICE)
    assert left[["department", "sites"]].values.tolist() == [["涉密单位(不列名)", 1]]


def test_of_a_department_only_the_venues_that_refuse_are_left_out():
    table = changed(department={"B-building:B1": SCHOOLS}, state={"B-building:B1": "refused"})
    assert [row.name for row in some(table)[0].venues] == ["第一小学"]
    assert unaddressed(table, load_venues(), OFFICE)[["department", "sites"]].values.tolist() == [[SCHOOLS, 1]]


@pytest.mark.parametrize("office", ["市通管办", "通信建设管理办公室（代章）", "某市通信建设管理办公室", "通信建设管理办公室"])
def test_the_office_does_not_write_to_itself_however_it_is_called(office):
    table = changed(department={"V-facility:F1": "通信建设管理办公室"})
    assert "通信建设管理办公室" not in {letter.department for letter in some(table, office=office)}
    assert unaddressed(table, load_venues(), office)["why"].tolist() == ["由本办公室直接办理，不发函"]


@pytest.mark.parametrize("office", [OFFICE, SCHOOLS, f"东市{SCHOOLS}"])
def test_every_proposed_venue_is_in_a_letter_or_told_why_not(office):
    catalogue = load_venues()
    for table in (town(), opening(), changed(secret={"P-pole:L1": True})):
        written = sum(len(letter.venues) for letter in letters(table, catalogue, STUDY, office, 15))
        left = unaddressed(table, catalogue, office)
        assert written + left["sites"].sum() == (table.venues["status"] == "proposed").sum()


def test_a_letter_as_a_word_file(tmp_path):
    made = write_letters(some(), tmp_path)
    assert list(made) == ["01_教育和体育局.docx", "02_住房和城乡建设局.docx", "03_城市管理和综合执法局.docx", "04_机关事务管理局.docx"]
    text = text_of(made["04_机关事务管理局.docx"])
    for word in ("机关事务管理局：", OFFICE, "　　　年　　月　　日", "镇政府", "新街1号", "进场费、协调费、分摊费", "合成数据：全部虚构。",
                 "不作公文使用", "附件：请予开放的场所清单（1处）"):
        assert word in text
    assert "{" not in text
    assert "%" not in text


def test_two_runs_give_the_same_bytes(tmp_path):
    one, two = write_letters(some(), tmp_path / "a"), write_letters(some(), tmp_path / "b")
    assert [path.read_bytes() for path in one.values()] == [path.read_bytes() for path in two.values()]
    with zipfile.ZipFile(next(iter(one.values()))) as archive:
        assert {item.date_time for item in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}


@pytest.mark.parametrize("evil", ["<A&B>", "{{ office }}", "{% for x in y %}", "{_{ office }_}", "a\x07b\ud800c",
                                  "甲\n乙\t丙", "</w:t></w:r>", "{{ ''.__class__ }}"])
def test_data_are_text_whatever_they_look_like(tmp_path, evil):
    letter = some()[0]
    row = letter.venues[0]._replace(name=evil, owner=evil)
    made = write_letters([dataclasses.replace(letter, opening=evil, venues=(row,))], tmp_path)
    text = text_of(next(iter(made.values())))
    plain = "".join(mark for mark in evil if mark.isprintable() or mark in "\n\t").replace("\n", " ").replace("\t", " ")
    assert plain in text.replace("\u200b", "")


def test_no_letters_no_files(tmp_path):
    assert write_letters([], tmp_path / "none") == {}


def test_file_names_are_safe_everywhere():
    letter = dataclasses.replace(some()[0], department='市/县:"局"*' + "长" * 200)
    name = letter_file_name(letter, 3)
    assert name.startswith("03_市_县_局_长")
    assert len(name) < 80
    assert letter_file_name(dataclasses.replace(letter, department="../.."), 1) == "01_部门.docx"


def test_a_template_of_the_city(tmp_path, own_template):
    own = own_template("致{{ department }}：", "{% for venue in venues %}{{ venue.name }}；{% endfor %}", "{{ office }}")
    made = write_letters(some(), tmp_path / "out", read_template(own))
    assert text_of(made["04_机关事务管理局.docx"]).split("\n") == ["致机关事务管理局：", "镇政府；", OFFICE]


LETTER_WORDS = ["own", "docx", "venue", *Letter.__dataclass_fields__, *LetterVenue._fields]


@pytest.mark.parametrize(("lines", "word"), [
    (["{{ departmant }}"], "departmant"), (["{% for venue in venues %}{{ venue.nmae }}{% endfor %}"], "nmae"),
    (["{{ department "], "占位符写法有误"), (["{% for venue in venues %}x"], "占位符写法有误"),
    (["{{ ''.__class__.__mro__ }}"], "__class__"), (["{{ venues | nofilter }}"], "nofilter"),
    (["{% nothing %}"], "nothing"), (["{{ bases[0][99] }}"], "own.docx")])
def test_faults_of_a_template_are_told_in_words(own_template, lines, word):
    with pytest.raises(ExportError, match=r"函件模板 own\.docx") as caught:
        check_template(own_template(*lines))
    assert word in str(caught.value)
    english = set(re.findall(r"[A-Za-z_]{2,}", str(caught.value))) - set(LETTER_WORDS) - {word}
    assert not english, "the words of the template engine are no help to planners"


def test_the_shipped_template_passes_its_own_check(tmp_path):
    path = tmp_path / "shipped.docx"
    path.write_bytes(files("siteplan").joinpath("templates", "opening_letter.docx").read_bytes())
    check_template(path)


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_a_broken_template_is_told(tmp_path, content):
    path = tmp_path / "broken.docx"
    path.write_bytes(content)
    with pytest.raises(ExportError, match=r"broken\.docx 不是可用的 Word 文件"):
        write_letters(some(), tmp_path, read_template(path))
    with pytest.raises(ExportError, match="找不到函件模板"):
        check_template(tmp_path / "none.docx")


def test_a_folder_in_place_of_a_template_is_told(tmp_path):
    for path in (tmp_path, Path(".")):
        with pytest.raises(ExportError, match="不能读取"):
            check_template(path)


def test_a_zip_that_is_no_word_file_is_told(tmp_path):
    path = tmp_path / "half.docx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("word/document.xml", "<x/>")
    with pytest.raises(ExportError, match=r"half\.docx 不能使用"):
        check_template(path)


def run_into(folder: Path, given) -> list[str]:
    """A run as the writer of a plan does it: a draft, moved over what is there, then old letters dropped."""
    draft = folder.parent / "draft"
    earlier = earlier_letters(folder)
    names = write_letter_files(given, draft / LIST, earlier=earlier)
    folder.mkdir(exist_ok=True)
    for path in draft.iterdir():
        path.replace(folder / path.name)
    for name in earlier.dropped(names):
        (folder / name).unlink()
    return names


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_letters_that_are_no_longer_needed_go_and_files_of_the_office_stay(tmp_path):
    folder = tmp_path / "letters"
    first = run_into(folder, some())
    for own in ("01_教育和体育局_已盖章发出.docx", "99_其他.docx"):
        (folder / own).write_bytes(b"own")
    run_into(folder, some()[1:2])
    assert names_in(folder) == sorted([LIST, "01_住房和城乡建设局.docx", "01_教育和体育局_已盖章发出.docx", "99_其他.docx"])
    assert len(first) == 4


def test_a_letter_that_the_office_changed_is_never_written_over_or_deleted(tmp_path):
    folder = tmp_path / "letters"
    name, beside = "01_教育和体育局.docx", "01_教育和体育局_新.docx"
    run_into(folder, some())
    (folder / name).write_bytes(b"sealed")
    for reply_days in (20, 25):   # the draft beside it is ours and follows every run
        names = run_into(folder, some(reply_days=reply_days))
        assert (folder / name).read_bytes() == b"sealed"
        assert names[0] == beside
        assert f"{reply_days}日内" in text_of(folder / beside)
        listed = pd.read_csv(folder / LIST, dtype=str).fillna("").set_index("文件")
        assert "已被改动" in listed.loc[beside, "备注"]
        assert len(listed) == 4
    (folder / "04_机关事务管理局.docx").write_bytes(b"sealed too")
    run_into(folder, some()[1:2])
    assert names_in(folder) == sorted([LIST, name, "01_住房和城乡建设局.docx", "04_机关事务管理局.docx"])
    listed = pd.read_csv(folder / LIST, dtype=str).set_index("文件")
    assert "保留未删" in listed.loc["04_机关事务管理局.docx", "备注"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00bad", "文件,主管部门\n01_教育和体育局.docx,x\n".encode()])
def test_without_a_readable_list_every_file_is_left(tmp_path, content):
    folder = tmp_path / "letters"
    run_into(folder, some())
    (folder / LIST).write_bytes(content)
    run_into(folder, some(reply_days=30)[:1])
    assert len(names_in(folder)) == 1 + 4 + 1   # the list, the old ones, one beside


def test_the_shipped_template_is_what_the_script_writes():
    script = Path(__file__).resolve().parents[1] / "docs" / "make_templates.py"
    made = runpy.run_path(str(script))["make"]()
    shipped = files("siteplan").joinpath("templates", "opening_letter.docx").read_bytes()

    def contents(data: bytes) -> dict[str, bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return {name: archive.read(name) for name in archive.namelist()
                    if name.startswith("word/") and name.endswith("document.xml")}

    assert contents(made) == contents(shipped)


def test_facts_of_a_letter_are_all_its_fields():
    letter = some()[0]
    assert set(letter_facts(letter)) == {field.name for field in dataclasses.fields(letter)}
