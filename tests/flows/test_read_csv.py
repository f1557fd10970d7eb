"""CSV as spreadsheets write it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widget_server.domain.refusals import Problems
from widget_server.flows.read_csv import CsvFile, read_csv

NO_MAP: Mapping[str, str] = {}


def read(tmp_path: Path, text: str | bytes, mapping: Mapping[str, str] = NO_MAP) -> CsvFile:
    file = tmp_path / "names.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_csv(file, mapping)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
def test_delimiters_line_ends_and_marks(tmp_path: Path, delimiter: str, newline: str, bom: bytes) -> None:
    lines = [delimiter.join(cells) for cells in (("Nom", "Genre", "Pays"), ("Élaine", "Individu", "Canada"))]
    file = read(tmp_path, bom + newline.join(lines).encode())
    assert [(row.line, dict(row.cells)) for row in file.rows] == [
        (2, {"name": "Élaine", "kind": "Individu", "country": "Canada"})
    ]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("E-mail", "email"), ("Email", "email"), ("COURRIEL", "email"), ("Adresse courriel", "email"),
        ("Organization", "organization"), ("organisation", "organization"), ("Role", "role"),
        ("Fonction", "role"), ("City", "city"), ("Ville", "city"), ("Postal code", "postal_code"),
        ("Code postal", "postal_code"), ("ZIP", "postal_code"), ("Date", "date"), ("Langue", "locale"),
        ("Site web", "organization_website"),
    ],
)  # fmt: skip
def test_columns_are_known_by_common_names(tmp_path: Path, header: str, field: str) -> None:
    [row] = read(tmp_path, f"Name,Type,Country,{header}\nA,I,CA,x\n").rows
    assert row.cells[field] == "x"


def test_lines_are_those_of_the_file_whatever_cells_hold(tmp_path: Path) -> None:
    text = 'Name,Type,Country,Notes\nA,I,CA,"one\ntwo\n\nthree"\n\nB,I,CA,\n,,,\nC,I,CA,"x\ny"\nD,I,CA\n'
    file = read(tmp_path, text)
    assert [(row.line, row.cells["name"]) for row in file.rows] == [(2, "A"), (7, "B"), (9, "C"), (11, "D")]
    assert file.ignored == ("Notes",)


def test_a_row_that_is_no_csv_is_named_by_its_line(tmp_path: Path) -> None:
    file = read(tmp_path, 'Name,Type,Country\nA,I,CA\n"B"x,I,CA\nC,I,CA,extra\nD,I,CA\n"E,I,CA\n')
    assert [row.cells["name"] for row in file.rows] == ["A", "D"]
    assert [problem.partition(":")[0] for problem in file.problems] == ["line 3", "line 4", "line 6"]


def test_mapping_names_a_column(tmp_path: Path) -> None:
    text = "Who,Type,Category,Country\nA,I,paper,CA\n"
    with pytest.raises(Problems) as caught:
        read(tmp_path, text)
    assert len(caught.value.problems) == 2
    assert '"Type" and "Category"' in caught.value.problems[0]
    assert "no column for name" in caught.value.problems[1]
    file = read(tmp_path, text, {"who": "name", "Type": "kind"})
    assert dict(file.rows[0].cells) == {"name": "A", "kind": "I", "country": "CA"}
    assert file.ignored == ("Category",)


def test_a_wrong_mapping(tmp_path: Path) -> None:
    with pytest.raises(Problems) as caught:
        read(tmp_path, "Name,Type,Country\nA,I,CA\n", {"Name": "nom", "Nope": "name"})
    assert 'unknown field "nom"' in caught.value.problems[0]
    assert 'no column "Nope"' in caught.value.problems[1]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "empty"),
        (b",,\n,,\n", "no header"),
        ("Name\nÉlaine".encode("cp1252"), "CSV UTF-8"),
        ("Name\nÉlaine".encode("utf-16"), "UTF-16"),
        (b"PK\x03\x04abc", "spreadsheet"),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_do(tmp_path: Path, data: bytes, expected: str) -> None:
    with pytest.raises(Problems, match=expected):
        read(tmp_path, data)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(Problems, match="cannot be read"):
        read_csv(tmp_path / "nowhere.csv", {})


cells = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12).map(str.strip)


@given(rows=st.lists(st.tuples(cells, cells), max_size=6), delimiter=st.sampled_from(",;\t"))
def test_whatever_a_writer_quotes_comes_back(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]], delimiter: str
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter)
    writer.writerow(["Name", "Type", "Country"])
    writer.writerows([name, kind, "CA"] for name, kind in rows)
    file = read(tmp_path_factory.mktemp("csv"), text.getvalue().encode())
    assert file.problems == ()
    assert [(row.cells.get("name", ""), row.cells.get("kind", "")) for row in file.rows] == rows
