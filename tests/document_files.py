"""Files for the tests of documents: PDF by reportlab, the others by hand. Each is what its name says, good or bad."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LEFT = ["Glaciers lose their ice in summer, and", "the rivers below them swell until the", "autumn comes with its first frost."]
RIGHT = [
    "Volcanoes throw out ash and lava, and",
    "the villages around them are left for",
    "months until the mountain is quiet.",
]
CHINESE = ["数据库备份的方法：在使用中复制数据库文件而不停止服", "务，这样读者不会察觉。"]


def pdf(path: Path, *pages: list[str], password: str | None = None, font: str = "Helvetica", title: str = "") -> Path:
    """A PDF with the lines of each page."""
    from reportlab.lib import pdfencrypt
    from reportlab.pdfgen import canvas

    made = canvas.Canvas(str(path), encrypt=pdfencrypt.StandardEncryption(password) if password is not None else None)
    if title:
        made.setTitle(title)
    for lines in pages:
        made.setFont(font, 11)
        for number, line in enumerate(lines):
            made.drawString(60, 760 - 14 * number, line)
        made.showPage()
    made.save()
    return path


def columns_pdf(path: Path, *, across: bool) -> Path:
    """A title over two columns, written line by line across the page, or one column after the other."""
    from reportlab.pdfgen import canvas

    made = canvas.Canvas(str(path))
    made.setFont("Helvetica", 11)
    made.drawString(60, 790, "Mountains of ice and mountains of fire: a comparison of what both of them leave behind")
    cells = [(60, row, line) for row, line in enumerate(LEFT)] + [(320, row, line) for row, line in enumerate(RIGHT)]
    for left, row, line in sorted(cells, key=lambda cell: cell[1]) if across else cells:
        made.drawString(left, 760 - 14 * row, line)
    made.save()
    return path


def table_pdf(path: Path) -> Path:
    """Rows of short cells: to be read across."""
    from reportlab.pdfgen import canvas

    made = canvas.Canvas(str(path))
    for row in range(8):
        for column, cell in enumerate((f"item {row}", f"{row * 3}", f"{row}.50")):
            made.drawString(60 + 160 * column, 760 - 14 * row, cell)
    made.save()
    return path


def chinese_pdf(path: Path) -> Path:
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont

    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    return pdf(path, ["第一章"], CHINESE, font="STSong-Light")


def scanned_pdf(path: Path, *, scanned: int, text: str = "") -> Path:
    """Pages that are pictures, after a page of text where there is one."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen import canvas

    made = canvas.Canvas(str(path))
    if text:
        made.drawString(60, 760, text)
        made.showPage()
    for number in range(scanned):
        made.drawImage(ImageReader(Image.new("L", (60, 84), 200)), 0, 0, 595, 842)
        made.drawString(290, 20, str(number + 1))
        made.showPage()
    made.save()
    return path


WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def _run(text: str, tag: str = "t") -> str:
    return f'<w:r><w:{tag} xml:space="preserve">{text}</w:{tag}></w:r>'


def docx(path: Path, body: str | None = None, **more: str) -> Path:
    """A Word file: headings, tracked changes, a table, a footnote."""
    change = 'w:id="9" w:author="a" w:date="2020-01-01T00:00:00Z"'
    body = body or (
        f'<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr>{_run("Annual report")}</w:p>'
        f"<w:p>{_run('The glacier lost ')}<w:del {change}>{_run('two', 'delText')}</w:del>"
        f"<w:ins {change}>{_run('three')}</w:ins>"
        f'{_run(" metres.")}<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
        f"<w:tbl><w:tr><w:tc><w:p>{_run('Aletsch')}</w:p></w:tc><w:tc><w:p>{_run('3.2')}</w:p></w:tc></w:tr></w:tbl>"
    )
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType='
        '"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{relation}/officeDocument" Target="word/document.xml"/></Relationships>',
        "word/_rels/document.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r2" Type="{relation}/footnotes" Target="footnotes.xml"/>'
        f'<Relationship Id="r3" Type="{relation}/styles" Target="styles.xml"/></Relationships>',
        "word/document.xml": f'<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>',
        "word/styles.xml": f'<w:styles xmlns:w="{WORD}"><w:style w:type="paragraph" w:styleId="Heading1">'
        '<w:name w:val="heading 1"/></w:style></w:styles>',
        "word/footnotes.xml": f'<w:footnotes xmlns:w="{WORD}"><w:footnote w:id="2"><w:p>{_run("Measured with stakes.")}</w:p>'
        "</w:footnote></w:footnotes>",
        "docProps/core.xml": '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties"'
        ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/"><dc:title>The year</dc:title>'
        "<dc:creator>Ann Lee</dc:creator><dcterms:created>2021-03-04T10:00:00Z</dcterms:created></cp:coreProperties>",
        **more,
    }
    return archive(path, parts)


def archive(path: Path, parts: dict[str, str | bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in parts.items():
            made.writestr(name, content)
    return path


def epub(path: Path, *, spine: str = '<itemref idref="b"/><itemref idref="a"/>', **more: str | bytes) -> Path:
    """A book of two chapters, to be read in the order b, a."""
    parts: dict[str, str | bytes] = {
        "mimetype": "application/epub+zip",
        "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
        "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        "<dc:title>Of Bread</dc:title><dc:creator>Ann Lee</dc:creator><dc:creator>Bo Li</dc:creator>"
        "<dc:language>en-GB</dc:language></metadata><manifest>"
        '<item id="a" href="text/end%20of%20it.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="b" href="text/start.xhtml" media-type="application/xhtml+xml"/>'
        '<item id="p" href="cover.png" media-type="image/png"/></manifest>'
        f"<spine>{spine}</spine></package>",
        "OPS/text/end of it.xhtml": "<html><title>x</title><body><h1>The oven</h1><p>Bake it hot.</p></body></html>",
        "OPS/text/start.xhtml": '<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body><h1>The dough</h1>'
        "<p>Mix flour &amp; water.</p><aside>A footnote of the book.</aside></body></html>",
        **more,
    }
    return archive(path, parts)


def notebook(path: Path, **parts: object) -> Path:
    cells = [
        {"cell_type": "markdown", "source": ["# Melting\n", "How fast?"]},
        {"cell_type": "code", "source": "# a comment\nrate = 3.2", "outputs": [{"text": "a very long output"}]},
        {"cell_type": "code"},
        {"cell_type": "raw", "source": None},
        "not a cell",
    ]
    whole = {"nbformat": 4, "metadata": {"language_info": {"name": "python"}}, "cells": cells, **parts}
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def message(
    id: str = "<one@example.org>", subject: str = "Bread", body: str = "Proof the dough overnight.", more: str = ""
) -> bytes:
    head = f"From: Ann <ann@example.org>\nTo: Bo <bo@example.org>\nDate: Thu, 4 Mar 2021 10:00:00 +0100\nSubject: {subject}\n"
    return (f"{head}{f'Message-ID: {id}' + chr(10) if id else ''}{more}\n{body}\n").encode()


def zip_bomb(name: str, megabytes: int, before: bytes = b"") -> bytes:
    """A ZIP archive of one part that unpacks to so many MB."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as made, made.open(name, "w", force_zip64=True) as part:
        part.write(before)
        for _ in range(megabytes):
            part.write(b" " * (1 << 20))
    return buffer.getvalue()
