"""How a table may be written, and what is no table."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.study.reading import read_table

PLAIN = "a\tb\n1\tx\n2\ty\n"


def _read(tmp_path, content: bytes):
    path = tmp_path / "samples.tsv"
    path.write_bytes(content)
    return read_table(path)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace("\n", "\r").encode(),
        PLAIN.rstrip("\n").encode(),
        b'a\tb\n"1"\t"x"\n2\ty\n',
        b"a\tb\t\t\n1\tx\t\t\n2\ty\t\t\n",
    ],
    ids=["plain", "bom", "crlf", "cr", "no last newline", "quoted", "empty columns at the end"],
)
def test_one_table_however_it_is_written(tmp_path, content):
    table = _read(tmp_path, content)
    assert table.faults == ()
    assert table.frame.to_dict("split") == {
        "index": [2, 3],
        "columns": ["a", "b"],
        "data": [["1", "x"], ["2", "y"]],
    }


def test_lines_are_those_of_the_file(tmp_path):
    table = _read(tmp_path, b'a\tb\n\n1\t"two\nlines"\n\t\n2\ty\n\n')
    assert table.frame["b"].to_dict() == {3: "two\nlines", 6: "y"}


@pytest.mark.parametrize(
    ("content", "line", "value", "allowed"),
    [
        (b"", 0, "an empty file", "tab-separated"),
        (b"\n\n", 0, "", "column names"),
        (b"<!DOCTYPE html><html>login</html>", 0, "a web page", "tab-separated"),
        (b"PK\x03\x04xlsx", 0, "a spreadsheet", "tab-separated"),
        (PLAIN.encode("utf-16"), 0, "UTF-16", "UTF-8"),
        (b"a\tb\n1\t\0\n", 0, "a binary file", "tab-separated"),
        (b"a,b\n1,2\n", 1, "a,b", "not by commas"),
        (b"a;b\n1;2\n", 1, "a;b", "not by semicolons"),
        ("a\tb\n1\tü\n".encode("latin-1"), 2, "byte 0xfc", "save the table as UTF-8"),
        (b"a\tb\n1\n", 2, "1 fields", "2 fields"),
        (b"a\tb\n1\t2\t3\n", 2, "3 fields", "2 fields"),
        (b"a\ta\n1\t2\n", 1, "a", "each column name once"),
        (b"a\t\n1\t2\n", 1, "", "a name for column 2"),
        (b"a\t b\n1\t2\n", 1, " b", "no blanks"),
        (b'a\tb\n1\t"2\n3\t4\n', 2, "unexpected end", "in pairs"),
    ],
)
def test_what_is_no_table_is_one_fault(tmp_path, content, line, value, allowed):
    table = _read(tmp_path, content)
    (fault,) = table.faults
    assert (fault.table, fault.row) == ("samples.tsv", line)
    assert fault.value.startswith(value)
    assert allowed in fault.allowed
    assert not table.is_complete


def test_ragged_rows_leave_the_others(tmp_path):
    table = _read(tmp_path, b"a\tb\n1\n2\tx\n3\ty\tz\n4\t\t\n")
    assert [fault.row for fault in table.faults] == [2, 4]
    assert table.frame["a"].to_dict() == {3: "2", 5: "4"}


_fields = st.text(st.characters(codec="utf-8", exclude_characters='\t\r\n"\0'), max_size=5)


@given(rows=st.lists(st.tuples(_fields.filter(str.strip), _fields), min_size=1, max_size=6))
def test_reads_back_what_was_written(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("table") / "t.tsv"
    text = "".join(f"{left}\t{right}\n" for left, right in [("a", "b"), *rows])
    path.write_bytes(text.encode())
    frame = read_table(path).frame
    expected = pd.DataFrame(rows, columns=["a", "b"], index=range(2, len(rows) + 2), dtype="str")
    pd.testing.assert_frame_equal(frame, expected, check_names=False, check_index_type=False)
