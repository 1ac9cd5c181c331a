"""Documents: PDF with its pages, web pages, Word, EPUB, notebooks and mail; what is damaged is named, the rest is read."""

from __future__ import annotations

import json
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from document_files import (
    CHINESE,
    LEFT,
    RIGHT,
    archive,
    chinese_pdf,
    columns_pdf,
    docx,
    epub,
    message,
    notebook,
    pdf,
    scanned_pdf,
    table_pdf,
    zip_bomb,
)  # fmt: skip

import cosimo
from cosimo.interfaces.cli import cli
from cosimo.sources.files import Files
from cosimo.sources.reading_order import tidied
from cosimo.sources.running_lines import without_running_lines

if TYPE_CHECKING:
    from pathlib import Path

    from cosimo.core.types import Document

ARTICLE = """<!doctype html><html lang="de-CH"><head><title>Glaciers melt – The Daily</title>
<meta name=author content="Ann Lee">
<meta property="article:published_time" content="2021-03-04"><script>var hidden = "<p>no</p>"</script></head><body>
<div class="cookie-banner">We use cookies. Accept all</div><nav><ul><li><a href=/>Home</a><li><a href=/w>World</a></ul></nav>
<div class="content"><h1>Glaciers melt</h1><p>The glaciers of the Alps lost a tenth of their ice in two years,
a <b>record</b> according to the survey that was published on Tuesday.</p><h2>What is measured</h2>
<p>Stakes are driven into the ice &amp;
read twice a year; the <code>difference</code> is the mass balance, in metres of water.</p><ul><li>winter balance</li>
<li>summer balance</li></ul>
<pre><code># a comment
balance = winter + summer
</code></pre><table><tr><th>Glacier</th><th>Loss</th></tr><tr><td>Aletsch</td><td>3.2</td></tr></table></div>
<footer>© The Daily. Imprint. Privacy.</footer></body></html>"""


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("a document made cosimo look something up")

    monkeypatch.setattr(socket, "getaddrinfo", refused)


def read(path: Path) -> tuple[list[Document], list[str]]:
    """The documents of a file, and what was said about it."""
    source = Files(path)
    documents = list(source)
    return documents, [problem.reason for problem in source.problems]


def only(path: Path) -> Document:
    (document,), said = read(path)
    assert said == []
    return document


def text_of(path: Path) -> str:
    content = only(path).content
    assert isinstance(content, str)
    return content


def reason(path: Path) -> str:
    documents, said = read(path)
    assert documents == []
    assert len(said) == 1
    return said[0]


# -- PDF


def test_pdf_gives_its_text_and_where_pages_begin(tmp_path: Path) -> None:
    document = only(pdf(tmp_path / "a.pdf", ["First page."], [], ["Third page."], title="On pages"))
    assert document.content == "First page.\n\n\n\nThird page."
    assert document.metadata is not None
    assert {**document.metadata, "date": ""} == {
        "type": "pdf", "title": "On pages", "date": "", "pages": 3, "page_starts": [0, 13, 15],
    }  # fmt: skip
    (prepended,) = Files(tmp_path / "a.pdf", prepend="passage: ")
    starts = (prepended.metadata or {})["page_starts"]
    assert str(prepended.content)[starts[2] :] == "Third page."


@pytest.mark.parametrize("across", [False, True], ids=["column by column", "line by line"])
def test_columns_are_read_one_after_the_other(tmp_path: Path, across: bool) -> None:
    lines = text_of(columns_pdf(tmp_path / "two.pdf", across=across)).splitlines()
    assert lines[0].startswith("Mountains of ice")
    assert lines[1:] == [*LEFT, *RIGHT]


def test_table_is_read_across(tmp_path: Path) -> None:
    assert text_of(table_pdf(tmp_path / "t.pdf")).split()[:8] == ["item", "0", "0", "0.50", "item", "1", "3", "1.50"]


def test_dots_of_a_table_of_contents_are_not_read(tmp_path: Path) -> None:
    assert (
        text_of(pdf(tmp_path / "t.pdf", ["1 Bread " + ". " * 40 + "7", "2 Cake" + "." * 40 + "9 ..."]))
        == "1 Bread … 7\n2 Cake … 9 ..."
    )


def test_chinese_lines_are_joined_where_a_sentence_goes_on(tmp_path: Path) -> None:
    assert text_of(chinese_pdf(tmp_path / "zh.pdf")) == "第一章\n\n" + "".join(CHINESE)


def test_words_cut_at_line_ends_are_whole(tmp_path: Path) -> None:
    lines = ["We give an exam-", "ple of the state-of-the-", "art by Smith-", "Jones."]
    assert text_of(pdf(tmp_path / "h.pdf", lines)) == "We give an example of the state-of-the-art by Smith-Jones."


def test_headers_footers_and_page_numbers_are_read_once(tmp_path: Path) -> None:
    pages = [
        [f"On bread {number}" if number % 2 else f"{number} Ann Lee", f"{number * 7} loaves, {number * 3} sold", "Text is",
         f"sentence {number * number}.", "© The Bakers", f"Page {number} of 8"]
        for number in range(1, 9)
    ]  # fmt: skip
    document = only(pdf(tmp_path / "h.pdf", *pages))
    text, starts = str(document.content), (document.metadata or {})["page_starts"]
    assert [text.count(each) for each in ("On bread", "Ann Lee", "© The Bakers", "of 8")] == [1, 1, 1, 1]
    assert [text[start:].split("\n")[0] for start in starts[2:]] == [f"{n * 7} loaves, {n * 3} sold" for n in range(3, 9)]
    assert all(f"sentence {number * number}." in text for number in range(1, 9))


def test_pages_of_numbers_alone_take_little_time_and_memory() -> None:
    pages = ["1 " * 100_000] * 5
    assert without_running_lines(pages) == pages


def test_what_stands_outside_of_the_paper_is_not_read(tmp_path: Path) -> None:
    from reportlab.pdfgen import canvas

    drawing = canvas.Canvas(str(tmp_path / "o.pdf"))
    for x, y, text in ((100, 700, "On the paper."), (100, -300, "Below it."), (5_000, 700, "Right of it.")):
        drawing.drawString(x, y, text)
    drawing.save()
    assert text_of(tmp_path / "o.pdf") == "On the paper."


def test_soft_hyphens_are_in_no_word(tmp_path: Path) -> None:
    (tmp_path / "s.html").write_text("<p>Donau&shy;dampf\u00adschiff</p>")
    assert text_of(tmp_path / "s.html") == "Donaudampfschiff"
    assert tidied("a soft\u00ad\nened cut and an exam\u2010\nple") == "a softened cut and an example"


def test_scanned_pages_are_said_and_the_others_read(tmp_path: Path) -> None:
    (document,), said = read(scanned_pdf(tmp_path / "s.pdf", scanned=3, text="A page that was typed."))
    assert str(document.content).startswith("A page that was typed.")
    assert (document.metadata or {})["scanned_pages"] == [2, 3, 4]
    assert said == ["pages 2-4 without text, scanned; the rest is read"]


def test_pdf_without_text_is_reported(tmp_path: Path) -> None:
    assert reason(scanned_pdf(tmp_path / "s.pdf", scanned=2)).startswith("its 2 pages are pictures without text")


def test_pdf_of_blank_pages_is_an_empty_text(tmp_path: Path) -> None:
    assert text_of(pdf(tmp_path / "b.pdf", [], [])).strip() == ""


def test_encrypted_pdf_is_reported_unless_it_opens_without_a_password(tmp_path: Path) -> None:
    assert reason(pdf(tmp_path / "e.pdf", ["x"], password="secret")) == "it is encrypted; save a copy without its password"
    assert text_of(pdf(tmp_path / "o.pdf", ["for everybody"], password="")) == "for everybody"


def test_damaged_pdf_is_reported(tmp_path: Path) -> None:
    whole = pdf(tmp_path / "a.pdf", ["text"] * 40).read_bytes()
    for cut in (20, len(whole) // 2):
        (tmp_path / "d.pdf").write_bytes(whole[:cut])
        assert "damaged" in reason(tmp_path / "d.pdf")


def test_ten_thousand_pages_are_read_and_the_right_one_found(tmp_path: Path) -> None:
    document = only(pdf(tmp_path / "l.pdf", *[[f"Page {number} of a long book."] for number in range(1, 10_001)]))
    starts = (document.metadata or {})["page_starts"]
    assert len(starts) == 10_000
    assert str(document.content)[starts[8_887] :].startswith("Page 8888 ")


# -- web pages


def test_web_page_gives_its_main_text_and_what_it_says_of_itself(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(ARTICLE, encoding="utf-8")
    document = only(tmp_path / "a.html")
    assert document.metadata == {
        "type": "html", "title": "Glaciers melt – The Daily", "author": "Ann Lee", "date": "2021-03-04", "language": "de",
    }  # fmt: skip
    text = str(document.content)
    assert text.startswith("# Glaciers melt\n\nThe glaciers of the Alps")
    assert "ice & read twice a year; the difference is" in text
    assert "- winter balance\n- summer balance" in text
    assert "```\n# a comment\nbalance = winter + summer\n```" in text
    assert "| Glacier | Loss\n| Aletsch | 3.2" in text
    for unwanted in ("cookies", "Home", "Imprint", "hidden"):
        assert unwanted not in text


def test_page_without_a_main_text_is_read_as_it_is_shown(tmp_path: Path) -> None:
    items = "".join(f"<li><a href={n}>Recipe {n} of the day</a>" for n in range(30))
    (tmp_path / "l.html").write_text(f"<title>Recipes</title><nav>Home</nav><ul>{items}</ul>", encoding="utf-8")
    text = text_of(tmp_path / "l.html")
    assert text.startswith("# Recipes\n\n")
    assert "Recipe 29 of the day" in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ('<meta charset="gb2312"><p>数据库备份的方法</p>'.encode("gb18030"), "数据库备份的方法"),
        ('<meta http-equiv=X content="text/html; charset=Shift_JIS"><p>猫は窓辺で眠る</p>'.encode("cp932"), "猫は窓辺で"),
        ('<meta charset="iso-8859-1"><p>Café “au lait” costs €3</p>'.encode("cp1252"), "Café “au lait” costs €3"),
        ('<meta charset="iso-8859-1"><p>Crème brûlée 数据</p>'.encode(), "Crème brûlée 数据"),  # declared wrongly
        ("<meta charset=iso-2022-jp><p>猫は窓辺で眠る</p>".encode("iso2022_jp"), "猫は窓辺で眠る"),
        ('<?xml version="1.0" encoding="koi8-r"?><html><p>Ледники тают</p></html>'.encode("koi8-r"), "Ледники тают"),
        ("<p>Crème brûlée à la carte, déjà vu près du café en été</p>".encode("cp1252"), "Crème brûlée"),  # says nothing
        ("<p>Crème brûlée</p>".encode("utf-16"), "Crème brûlée"),
        (b"<p>" + b"Plain words. " * 40 + b"by Jan Pokorn\x81", "by Jan Pokorn\ufffd"),  # not enough to tell
        ('<meta charset="klingon"><p>Crème brûlée</p>'.encode(), "Crème brûlée"),
    ],
)  # fmt: skip
def test_pages_are_decoded_as_browsers_do(tmp_path: Path, data: bytes, expected: str) -> None:
    (tmp_path / "c.html").write_bytes(data)
    assert expected in text_of(tmp_path / "c.html")


@pytest.mark.parametrize(
    "html",
    [
        "<div>" * 50_000 + "<p>the words inside" + "</div>" * 50_000,
        "<table><tr><td>" * 5_000 + "the words inside",
        "<ul><li>" * 5_000 + "the words inside",
        "<a " * 50_000 + "><p>the words inside",
        "<p>the words inside</p>" + "<b>x " * 20_000,
        "<p>the words inside" + "<span>word</span> " * 100_000,
        "<p>the words inside</p><!--" * 3 + "<![CDATA[" * 10_000,
        '<!DOCTYPE html [<!ENTITY a SYSTEM "file:///etc/passwd"><!ENTITY b "&a;&a;">]><p>the words inside &b;</p>',
        "<p>the words inside</p><img src=http://example.invalid/x.png><script src=http://example.invalid/x.js></script>",
    ],
    ids=["divs", "tables", "lists", "attributes", "bold", "spans", "comments", "entities", "links"],
)
def test_hostile_pages_are_read_without_a_tree_of_them(tmp_path: Path, html: str) -> None:
    (tmp_path / "h.html").write_text(html, encoding="utf-8")
    documents, _ = read(tmp_path / "h.html")
    text = str(documents[0].content)
    assert "the words inside" in text or html.startswith("<a ")  # a tag that never ends holds all the rest
    assert "root:" not in text
    assert len(text) <= 20 * len(html)


def test_what_a_page_hides_is_not_its_main_text(tmp_path: Path) -> None:
    hidden = '<template><p>Alpha</p></template><p hidden>Beta</p><p style="DISPLAY : none">Gamma</p>'
    shown = "The dough rests before it is shaped. " * 9
    (tmp_path / "h.html").write_text(f"<html><body>{hidden}<p>{shown}</p></body></html>")
    assert text_of(tmp_path / "h.html") == shown.strip()


def test_a_tag_of_a_hundred_thousand_attributes_takes_no_time(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(f"<p {' '.join(f'a{number}=1' for number in range(100_000))}>Text.</p>")
    assert text_of(tmp_path / "a.html") == "Text."


def test_empty_page_is_an_empty_text(tmp_path: Path) -> None:
    for content in ("", "   ", "<!-- nothing -->"):
        (tmp_path / "e.html").write_text(content)
        assert text_of(tmp_path / "e.html") == ""


# -- Word, EPUB


def test_word_file_gives_insertions_tables_and_notes_and_no_deletions(tmp_path: Path) -> None:
    document = only(docx(tmp_path / "r.docx"))
    assert document.metadata == {"type": "docx", "title": "The year", "author": "Ann Lee", "date": "2021-03-04"}
    text = str(document.content)
    assert text.startswith("# Annual report\n\nThe glacier lost three metres.")
    assert "two" not in text
    assert "| Aletsch | 3.2" in text
    assert text.endswith("Measured with stakes.")


def test_word_files_that_are_none_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "w.docx"
    path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))
    assert "encrypted or an old Office document" in reason(path)
    path.write_bytes(docx(tmp_path / "ok.docx").read_bytes()[:-300])
    assert "not a Word file" in reason(path)
    assert "not a Word file" in reason(archive(path, {"a.txt": "x"}))
    assert "damaged" in reason(docx(path, "<w:p>never closed"))
    assert "nested deeper" in reason(docx(path, "<w:sdt><w:sdtContent>" * 3_000 + "</w:sdtContent></w:sdt>" * 3_000))


def test_book_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    document = only(epub(tmp_path / "b.epub"))
    assert document.metadata == {"type": "epub", "title": "Of Bread", "author": "Ann Lee, Bo Li", "language": "en"}
    assert document.content == ("# The dough\n\nMix flour & water.\n\nA footnote of the book.\n\n# The oven\n\nBake it hot.")


def test_book_with_a_broken_spine_is_read_all_the_same(tmp_path: Path) -> None:
    assert text_of(epub(tmp_path / "n.epub", spine='<itemref idref="nowhere"/>')).startswith("# The oven")
    parts: dict[str, Any] = {"OPS/book.opf": "<package"}
    assert text_of(epub(tmp_path / "p.epub", **parts)).startswith("# The oven")
    twice = '<itemref idref="a"/><itemref idref="lost"/><itemref idref="a"/>'
    assert text_of(epub(tmp_path / "l.epub", spine=twice)).count("Bake it hot.") == 1


def test_chapters_that_are_not_in_the_book_are_said(tmp_path: Path) -> None:
    opf = (
        '<package><manifest><item id="a" href="a.xhtml"/><item id="b" href="b.xhtml"/></manifest>'
        '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>'
    )
    (document,), said = read(archive(tmp_path / "b.epub", {"c.opf": opf, "a.xhtml": "<p>first chapter"}))
    assert document.content == "first chapter"
    assert said == ["1 of its 2 chapters are not in it, b.xhtml for one; the rest is read"]


def test_books_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    locked: dict[str, Any] = {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/text/start.xhtml"/></e>'}
    assert "DRM" in reason(epub(tmp_path / "d.epub", **locked))
    fonts: dict[str, Any] = {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/font.otf"/></e>'}
    assert text_of(epub(tmp_path / "f.epub", **fonts))
    assert "not an EPUB" in reason(archive(tmp_path / "z.epub", {"a.txt": "x"}))


def test_archives_that_unpack_to_gigabytes_are_refused_before_they_are(tmp_path: Path) -> None:
    (tmp_path / "b.epub").write_bytes(zip_bomb("a.xhtml", 40, b"<p>x"))
    assert "unpacked, its part a.xhtml has 40 MB" in reason(tmp_path / "b.epub")
    (tmp_path / "b.docx").write_bytes(zip_bomb("word/document.xml", 60))
    assert "unpacked, its XML has 60 MB" in reason(tmp_path / "b.docx")


def test_entities_that_multiply_are_not_expanded(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY l0 "lol">{entities}]>'
    outside = '<!DOCTYPE x [<!ENTITY l9 SYSTEM "file:///etc/passwd">]>'
    for start in (bomb, outside):
        parts: dict[str, Any] = {"OPS/book.opf": f"{start}<package><title>&l9;</title></package>"}
        assert "root:" not in text_of(epub(tmp_path / "b.epub", **parts))
        body = f'{start}<w:document xmlns:w="x"><w:body>&l9;</w:body></w:document>'
        documents, said = read(docx(tmp_path / "b.docx", **{"word/document.xml": body}))
        assert said or "root:" not in str(documents[0].content)


# -- notebooks


def test_notebook_gives_prose_and_code_without_outputs(tmp_path: Path) -> None:
    document = only(notebook(tmp_path / "n.ipynb"))
    assert document.content == "# Melting\nHow fast?\n\n```python\n# a comment\nrate = 3.2\n```"
    assert document.metadata == {"type": "notebook", "code_language": "python"}


def test_pictures_in_the_text_of_a_notebook_are_left_out(tmp_path: Path) -> None:
    cell = {"cell_type": "markdown", "source": f"A cat: ![cat](data:image/png;base64,{'iVBORw0KGgo' * 1_000}=) and text."}
    (tmp_path / "p.ipynb").write_text(json.dumps({"cells": [cell]}))
    assert text_of(tmp_path / "p.ipynb") == "A cat: ![cat]() and text."


def test_notebook_of_format_3_is_read(tmp_path: Path) -> None:
    cells = [{"cell_type": "heading", "level": 2, "source": ["Melting"]}, {"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]
    whole = {"nbformat": 3, "metadata": {"name": "Ice"}, "worksheets": [{"cells": cells}, {}]}
    (tmp_path / "n.ipynb").write_text(json.dumps(whole))
    document = only(tmp_path / "n.ipynb")
    assert document.content == "## Melting\n\n```\nx = 1\ny = 2\n```"
    assert (document.metadata or {})["title"] == "Ice"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', "[" * 100_000, "<html>", '{"nbformat": 4}'])
def test_what_is_no_notebook_is_reported(tmp_path: Path, content: str) -> None:
    (tmp_path / "n.ipynb").write_text(content)
    assert reason(tmp_path / "n.ipynb")


# -- mail


def test_message_gives_subject_and_body_and_who_wrote_it(tmp_path: Path) -> None:
    (tmp_path / "m.eml").write_bytes(message(subject="=?utf-8?q?Br=C3=B6tchen?="))
    document = only(tmp_path / "m.eml")
    assert document.content == "# Brötchen\n\nProof the dough overnight."
    assert document.metadata == {
        "type": "mail", "subject": "Brötchen", "date": "2021-03-04T10:00:00+01:00", "from": "Ann <ann@example.org>",
        "to": "Bo <bo@example.org>", "message_id": "one@example.org",
    }  # fmt: skip


def test_attachments_are_named_and_html_is_read_where_there_is_nothing_else(tmp_path: Path) -> None:
    body = (
        "--b\nContent-Type: text/html; charset=gb2312\nContent-Transfer-Encoding: 8bit\n\n"
        "<p>数据库备份<br>第二行<style>no</style>\n"
        "--b\nContent-Type: application/pdf; name=report.pdf\nContent-Disposition: attachment; filename=report.pdf\n"
        "Content-Transfer-Encoding: base64\n\nJVBERi0=\n--b--\n"
    )
    mail = message(body="").replace(b"\n\n\n", b'\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b"\n\n')
    (tmp_path / "m.eml").write_bytes(mail + body.encode("gb18030"))
    document = only(tmp_path / "m.eml")
    assert document.content == "# Bread\n\n数据库备份\n第二行"
    assert (document.metadata or {})["attachments"] == ["report.pdf"]


@pytest.mark.parametrize(
    ("charset", "data"),
    [
        ("iso-8859-1", "Crème brûlée".encode("cp1252")),
        ("x-unknown", "Crème brûlée".encode()),
        ("utf-8", "Crème brûlée à la carte où déjà été".encode("cp1252")),
    ],
)  # fmt: skip
def test_odd_charsets_of_mail(tmp_path: Path, charset: str, data: bytes) -> None:
    head = message(body="", more=f"Content-Type: text/plain; charset={charset}\nContent-Transfer-Encoding: 8bit\n")
    (tmp_path / "m.eml").write_bytes(head.rstrip() + b"\n\n" + data)
    assert "Crème brûlée" in text_of(tmp_path / "m.eml")


def test_text_behind_an_attachment_is_read_and_of_alternatives_one(tmp_path: Path) -> None:
    plain, html = "Content-Type: text/plain\n\n{}\n", "Content-Type: text/html\n\n<p>{}</p>\n"
    both = f"Content-Type: multipart/alternative; boundary=i\n\n--i\n{html.format('Rich.')}--i\n{plain.format('Plain.')}--i--\n"
    attached = "Content-Type: text/plain\nContent-Disposition: attachment; filename=a.txt\n\nAttached.\n"
    parts = "--o\n".join(["", both, attached, plain.format("Behind it."), html.format("And <b>more</b>.")])
    (tmp_path / "m.eml").write_text(f"From: a@b.org\nContent-Type: multipart/mixed; boundary=o\n\n{parts}--o--\n")
    assert text_of(tmp_path / "m.eml") == "Plain.\n\nBehind it.\n\nAnd more."


def test_headers_that_are_not_encoded_are_read_as_the_text_is(tmp_path: Path) -> None:
    raw = "From: 李 <li@b.org>\nSubject: 中文标题\nContent-Type: text/plain; charset=gb2312\n\n中文正文内容\n".encode("gbk")
    (tmp_path / "r.eml").write_bytes(raw)
    document = only(tmp_path / "r.eml")
    assert document.content == "# 中文标题\n\n中文正文内容"
    assert (document.metadata or {})["from"] == "李 <li@b.org>"


def test_mailbox_gives_one_document_a_message_with_stable_ids(tmp_path: Path) -> None:
    start = b"From ann@example.org Thu Mar  4 10:00:00 2021\n"
    one = message("<one@x>", "One", "First.\n>From here on it is quoted.\n\nFrom the start, a line of the text.\nMore.")
    two, nameless = message("<two@x>", "Two"), message("", "No id")
    path = tmp_path / "in.mbox"
    path.write_bytes(b"".join(start + each + b"\n" for each in (one, two, two, nameless)))
    documents, said = read(path)
    assert said == []
    ids = [document.id for document in documents]
    assert ids[:3] == ["in.mbox#one@x", "in.mbox#two@x", "in.mbox#two@x#2"]
    assert ids[3].startswith("in.mbox#md5-")
    assert documents[0].content == "# One\n\nFirst.\nFrom here on it is quoted.\n\nFrom the start, a line of the text.\nMore."
    path.write_bytes(b"".join(start + each + b"\n" for each in (nameless, two)))
    assert [document.id for document in read(path)[0]] == [ids[3], ids[1]]
    path.write_bytes(b"")
    assert read(path) == ([], [])


def test_mail_that_is_something_else_is_reported(tmp_path: Path) -> None:
    for name in ("m.eml", "m.mbox"):
        (tmp_path / name).write_text("<!doctype html><p>log in first")
        assert "a web page" in reason(tmp_path / name)


def test_deeply_nested_message_is_reported_or_read(tmp_path: Path) -> None:
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="b%d"\n\n--b%d\n' % (n, n) for n in range(3_000))
    (tmp_path / "m.eml").write_bytes(b"Subject: deep\nMIME-Version: 1.0\n" + nested)
    documents, said = read(tmp_path / "m.eml")
    assert len(documents) + len(said) == 1


# -- all of them


@pytest.mark.parametrize("ending", ["pdf", "html", "docx", "epub", "ipynb", "eml", "mbox"])
def test_no_bytes_whatever_stop_a_run(tmp_path: Path, ending: str) -> None:
    import random

    chance = random.Random(ending)
    starts = [b"", b"%PDF-1.7\n", b"PK\x03\x04", b"<html>", b"From x\n", b"Subject: x\n\n", b'{"cells": [']
    for number, start in enumerate(starts):
        (tmp_path / f"{number}.{ending}").write_bytes(start + chance.randbytes(3_000))
    (tmp_path / "zz.txt").write_text("the last one")
    source = Files(tmp_path)
    assert list(source)[-1].content == "the last one"


def test_a_name_that_lies_is_said(tmp_path: Path) -> None:
    (tmp_path / "paper.pdf").write_text("<!doctype html><title>Log in</title>")
    assert reason(tmp_path / "paper.pdf") == "it is not a PDF but a web page; rename it"
    (tmp_path / "page.html").write_bytes(pdf(tmp_path / "x.pdf", ["text"]).read_bytes())
    assert reason(tmp_path / "page.html") == "it is not a web page but a PDF; rename it"
    (tmp_path / "empty.pdf").write_bytes(b"")
    assert reason(tmp_path / "empty.pdf") == "it is empty (0 bytes)"


def test_missing_package_is_named_for_its_files_and_the_others_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pdf(tmp_path / "a.pdf", ["text"])
    docx(tmp_path / "b.docx")
    notebook(tmp_path / "c.ipynb")
    (tmp_path / "d.md").write_text("plain")
    for package in ("pypdfium2", "mammoth"):
        monkeypatch.setitem(sys.modules, package, None)
    source = Files(tmp_path)
    assert [document.id for document in source] == ["c.ipynb", "d.md"]
    line = "run: pip install 'cosimo[documents]'"
    assert [(problem.name, line in problem.reason) for problem in source.problems] == [("a.pdf", True), ("b.docx", True)]
    assert source.unread == ["a.pdf", "b.docx"]


def test_binary_gives_the_bytes_of_documents(tmp_path: Path) -> None:
    data = pdf(tmp_path / "a.pdf", ["text"]).read_bytes()
    (document,) = Files(tmp_path, binary=True)
    assert document.content == data


# -- as a user meets them


def papers(folder: Path) -> Path:
    """Ten PDFs, good and bad."""
    folder.mkdir()
    pdf(folder / "bread.pdf", ["Sourdough needs a starter."], ["Proof the dough overnight."], ["Bake it in a hot oven."])
    columns_pdf(folder / "two.pdf", across=False)
    columns_pdf(folder / "across.pdf", across=True)
    chinese_pdf(folder / "zh.pdf")
    scanned_pdf(folder / "scanned.pdf", scanned=2)
    scanned_pdf(folder / "partly.pdf", scanned=1, text="Typed minutes of the meeting about the budget.")
    pdf(folder / "encrypted.pdf", ["secret"], password="x")
    pdf(folder / "blank.pdf", [])
    (folder / "damaged.pdf").write_bytes(b"%PDF-1.4\nnot much more")
    (folder / "empty.pdf").write_bytes(b"")
    return folder


def test_mailbox_is_embedded_by_its_name(tmp_path: Path, minilm: Path) -> None:
    path = tmp_path / "inbox.mbox"
    path.write_bytes(b"From a\n" + message("<one@x>", "One") + b"\nFrom b\n" + message("<two@x>", "Two"))
    run = CliRunner()
    done = run.invoke(cli, ["embed-multi", "mail", str(path), "-d", str(tmp_path / "m.db"), "--prefix", "m/"])
    assert "2 added" in done.stderr, done.output
    found = run.invoke(cli, ["search", "mail", "two", "--where", "subject = 'Two'", "-d", str(tmp_path / "m.db")])
    assert [json.loads(line)["id"] for line in found.stdout.splitlines()] == ["m/inbox.mbox#two@x"]
    refused = run.invoke(cli, ["embed-multi", "mail", str(path), "-d", str(tmp_path / "m.db"), "--id-column", "x"])
    assert refused.exit_code == 2
    assert "is for tables" in refused.stderr


@pytest.mark.parametrize("store", [True, False], ids=["stored", "not stored"])
def test_text_of_papers_is_found_with_its_page(tmp_path: Path, minilm: Path, store: bool) -> None:
    run = CliRunner()
    database = str(tmp_path / "p.db")
    command = ["embed-multi", "papers", "--files", str(papers(tmp_path / "papers")), "**/*.pdf", "-d", database]
    done = run.invoke(cli, [*command, *(["--store"] if store else [])])
    assert done.exit_code == 0, done.output
    for name, why in (("scanned", "pictures"), ("partly", "page 2 without text"), ("encrypted", "password"),
                      ("damaged", "damaged"), ("empty", "0 bytes")):  # fmt: skip
        assert any(line.startswith(f"{name}.pdf: ") and why in line for line in done.stderr.splitlines())
    for query, id, page in (("proofing dough for a night", "bread.pdf", 2), ("数据库备份", "zh.pdf", 2),
                            ("meeting about money", "partly.pdf", 1)):  # fmt: skip
        found = run.invoke(cli, ["search", "papers", query, "-d", database, "-n", "1"])
        hit = json.loads(found.stdout.splitlines()[0])
        assert hit["id"] == id
        if store:
            assert hit["page"] == page
    again = run.invoke(cli, [*command, "--sync"])
    assert "5 unchanged" in again.stderr
    assert "removed" not in again.stderr


def test_page_of_a_long_paper_is_known_without_its_text(tmp_path: Path, minilm: Path) -> None:
    filler = ["The committee met and spoke about the budget of the coming year once more."] * 40
    pages = [[*filler[:20], *filler[20:]] for _ in range(6)]
    pages[3] = ["Glaciers lose their ice in the heat of summer, and the rivers swell with meltwater."] * 40
    with cosimo.open(tmp_path / "p.db") as db:
        collection = db.collection("papers")
        collection.add(Files(pdf(tmp_path / "l.pdf", *pages)), store=False)
        (hit,) = collection.search("melting glaciers", 1)
        assert hit.content is None
        assert hit.passages[0].page == 4


def test_front_door_reads_documents_among_other_files(tmp_path: Path) -> None:
    pdf(tmp_path / "a.pdf", ["Of bread."])
    epub(tmp_path / "b.epub")
    (tmp_path / "c.txt").write_text("plain")
    (tmp_path / "m.eml").write_bytes(message())
    assert [document.id for document in cosimo.read(tmp_path)] == ["a.pdf", "b.epub", "c.txt", "m.eml"]
    (document,) = cosimo.read(tmp_path / "a.pdf")
    assert document.content == "Of bread."
