"""Documents become records that say where they stand, and what is no document is refused with a sentence."""

import io
from datetime import UTC, datetime

import pypdf
import pytest

from memory.documents import PART_MAX, DocumentError, _cut, read_document
from memory.events import Origin

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)


def read(name, content):
    return read_document(name, content if isinstance(content, bytes) else content.encode(), at=AT)


def told(records):
    return [(record.source, record.text) for record in records]


def pdf(*pages):
    """A PDF as plain as they come (ISO 32000-1, 7.5): one font, one line a page."""
    objects = ["<</Type/Catalog/Pages 2 0 R>>", ""]
    kids = []
    for page in pages:
        stream = f"BT /F1 12 Tf 72 720 Td ({page}) Tj ET"
        kids.append(f"{len(objects) + 1} 0 R")
        font = "<</Font<</F1<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>>>>>"
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Resources{font}/Contents {len(objects) + 2} 0 R>>"
        )
        objects.append(f"<</Length {len(stream)}>>stream\n{stream}\nendstream")
    objects[1] = f"<</Type/Pages/Count {len(pages)}/Kids[{' '.join(kids)}]>>"
    out, offsets = io.BytesIO(), []
    out.write(b"%PDF-1.4\n")
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(f"{number} 0 obj{body}endobj\n".encode())
    start = out.tell()
    rows = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode())
    out.write(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF".encode())
    return out.getvalue()


def test_a_pdf_is_read_by_page() -> None:
    records = read("terms.pdf", pdf("Acme pays in 14 days.", "Late fees are 2 percent."))
    assert told(records) == [
        ("file:terms.pdf#page=1", "Acme pays in 14 days."),
        ("file:terms.pdf#page=2", "Late fees are 2 percent."),
    ]
    assert {record.thread for record in records} == {"file:terms.pdf"}
    assert [record.position for record in records] == [0, 1]


def test_markdown_stands_under_its_heading() -> None:
    text = "# Hosting\n\nThe server is\ncalled Bert.\n\n## Backup\n\nNightly.\n"
    assert told(read("notes.md", text)) == [
        ("file:notes.md#line=3", "Hosting: The server is called Bert."),
        ("file:notes.md#line=8", "Backup: Nightly."),
    ]


def test_a_long_paragraph_is_cut_between_sentences() -> None:
    records = read("long.txt", "A sentence of some length stands here. " * 100)
    assert all(len(record.text) <= PART_MAX for record in records)
    assert all(record.text.endswith(".") for record in records)


def test_a_paragraph_of_millions_of_letters_is_cut_without_copying_its_rest_each_time() -> None:
    copied = 0

    class Counting(str):
        __slots__ = ()

        def strip(self, *_):
            return self

        def __getitem__(self, part):
            nonlocal copied
            piece = super().__getitem__(part)
            copied += len(piece) * isinstance(part, slice)
            return Counting(piece)

    words = Counting("lorem ipsum dolor. " * 20_000)
    pieces = list(_cut(words))
    assert "".join(pieces).replace(" ", "") == words.replace(" ", "")
    assert copied <= len(words)


def test_a_damaged_pdf_is_told_once_in_our_words(caplog) -> None:
    with pytest.raises(DocumentError, match=r"bad\.pdf was not read: the PDF is damaged"):
        read("bad.pdf", b"%PDF-1.7\n garbage garbage")
    assert not caplog.records


def test_a_table_is_read_by_row_with_its_headings() -> None:
    assert told(read("prices.csv", "item;price\nLogo;900\nFlyer;\n")) == [
        ("file:prices.csv#line=2", "item: Logo; price: 900"),
        ("file:prices.csv#line=3", "item: Flyer"),
    ]


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"name|amount\nAcme|12\n", ["name: Acme; amount: 12"]),
        ("name\tamount\nAcme\t12\n".encode("utf-16"), ["name: Acme; amount: 12"]),
        (b"sep=;\r\nname;amount\r\nAcme;12\r\n", ["name: Acme; amount: 12"]),
        ("Name;Ort\nMüller;Köln\n".encode("cp1252"), ["Name: Müller; Ort: Köln"]),
        (
            b"name;note\nAcme, Inc.;a, b, c\nBob, Ltd;d\n",
            ["name: Acme, Inc.; note: a, b, c", "name: Bob, Ltd; note: d"],
        ),
        (b'"last, first";age\n"Doe, Jo";7\n', ["last, first: Doe, Jo; age: 7"]),
        (b"a,b\n1,2,3,4\n5\n", ["a: 1; b: 2; column 3: 3; column 4: 4", "a: 5"]),
        (b"a,more\n1,2,3\n", ["a: 1; more: 2; column 3: 3"]),
        (b"note\nfirst; second\n", ["note: first; second"]),
    ],
)
def test_a_table_is_read_however_its_columns_are_parted(content, rows) -> None:
    assert [text for _, text in told(read("t.csv", content))] == rows


@pytest.mark.parametrize(("password", "says"), [("secret", "the PDF is locked"), ("", "no words in it")])
def test_a_locked_pdf_is_told_from_one_that_is_only_guarded_against_printing(password, says) -> None:
    writer, out = pypdf.PdfWriter(), io.BytesIO()
    writer.add_blank_page(200, 200)
    writer.encrypt(password, "owner")
    writer.write(out)
    with pytest.raises(DocumentError, match=says):
        read("locked.pdf", out.getvalue())


def test_a_mail_archive_is_read_by_message_as_the_words_of_who_sent_it() -> None:
    mails = b"".join(
        b"From x@y Mon Mar  2 09:00:00 2026\nFrom: Eva <eva@fjord.example>\nSubject: Re: Offer\n"
        b"Date: Mon, 2 Mar 2026 10:00:00 +0100\nMessage-ID: <%d@fjord>\n\nNumber %d suits us.\n> what you said\n\n"
        % (n, n)
        for n in (1, 2)
    )
    first, second = read("old.mbox", mails)
    assert (first.source, first.text) == ("mail:<1@fjord>", "Re: Offer\nNumber 1 suits us.")
    assert (first.speaker, first.author, first.origin) == ("Eva", "eva@fjord.example", Origin.STRANGER)
    assert first.thread == second.thread == "mail:offer"
    assert first.at == AT


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("x.exe", b"MZ", "I do not read .exe"),
        ("x", b"words", "files without an ending"),
        ("x.pdf", b"%PDF-1.4 torn", "the PDF is damaged"),
        ("x.md", b"", "there are no words in it"),
        ("x.txt", b"ab\0cd", "holds no text"),
        ("x.jsonl", b'{"colour": 1}', "line 1 is no record of an export"),
        ("x.jsonl", b"not json", "line 1 is no record of an export"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_sentence(name, content, says) -> None:
    with pytest.raises(DocumentError, match=says):
        read(name, content)
