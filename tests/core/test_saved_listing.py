"""A listing as JSON, there and back, and what is not one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hashmark.core.errors import UsageError
from hashmark.core.model import Key, RemoteObject
from hashmark.core.saved_listing import parse, to_json
from support.core_values import any_keys, in_bytes, keys, md5, remote

HEX = md5(b"")


def test_a_listing_has_the_documented_shape() -> None:
    """Names, facts by name, and how many."""
    assert to_json([remote("a b.png", b"12345"), RemoteObject(Key("c/d.txt"))]) == {
        "files": ["a b.png", "c/d.txt"],
        "fileMap": {
            "a b.png": {"etag": md5(b"12345"), "size": 5, "lastModified": "2024-05-06T07:08:09Z"},
            "c/d.txt": {"etag": None, "size": None, "lastModified": None},
        },
        "count": 2,
    }
    assert to_json([]) == {"files": [], "fileMap": {}, "count": 0}


objects = st.dictionaries(
    st.one_of(keys, any_keys),
    st.tuples(
        st.one_of(st.none(), st.integers(0, 1 << 50)),
        st.sampled_from([None, HEX, f"{HEX}-3", "opaque"]),
        st.sampled_from([None, "2024-05-06T07:08:09.000Z"]),
    ),
    max_size=8,
).map(lambda found: [RemoteObject(Key(key), *found[key]) for key in in_bytes(found)])


@given(objects, st.booleans())
def test_what_is_printed_is_read_back(rows: list[RemoteObject], plain: bool) -> None:
    """Every object with all its facts, in key order, whatever characters the names have."""
    text = json.dumps(to_json(rows), ensure_ascii=plain)
    assert parse(text.encode().decode(), "listing.json") == rows


@given(objects)
def test_the_order_of_a_saved_listing_does_not_matter(rows: list[RemoteObject]) -> None:
    """It comes out in key order, ready to be joined."""
    data = to_json(rows)
    data["files"].reverse()
    assert parse(json.dumps(data), "listing.json") == rows


def test_a_name_that_is_not_utf8_is_printed_so_that_it_can_be_encoded() -> None:
    """Strict readers refuse lone surrogates; the name can't be a safe path in either form."""
    printed = json.dumps(to_json([remote("a\udcff.png")]), ensure_ascii=False).encode()
    (row,) = parse(printed.decode(), "listing.json")
    assert row.key == "a\\xff.png"


ROWS: dict[str, tuple[dict[str, Any], RemoteObject]] = {
    "names only": ({"files": ["a"]}, RemoteObject(Key("a"))),
    "names and a count": ({"files": ["a"], "count": 1}, RemoteObject(Key("a"))),
    "no map": ({"files": ["a"], "fileMap": None, "count": 1}, RemoteObject(Key("a"))),
    "not in the map": ({"files": ["a"], "fileMap": {}}, RemoteObject(Key("a"))),
    "an ETag in quotes": (
        {"files": ["a"], "fileMap": {"a": {"etag": f'"{HEX}"', "size": 0}}},
        RemoteObject(Key("a"), 0, HEX),
    ),
    "an empty ETag": ({"files": ["a"], "fileMap": {"a": {"etag": "", "size": 0}}}, RemoteObject(Key("a"), 0)),
    "empty quotes": ({"files": ["a"], "fileMap": {"a": {"etag": '""'}}}, RemoteObject(Key("a"))),
    "more than is known": (
        {"files": ["a"], "fileMap": {"a": {"size": 1, "owner": "x"}}, "bucket": "x"},
        RemoteObject(Key("a"), 1),
    ),
}


@pytest.mark.parametrize(("data", "row"), ROWS.values(), ids=ROWS.keys())
def test_a_listing_may_say_less(data: dict[str, Any], row: RemoteObject) -> None:
    """What it leaves out is unknown, never made up."""
    assert parse(json.dumps(data), "listing.json") == [row]


DAMAGED: dict[str, str] = {
    "empty": "",
    "cut off": '{"files": ["a", "b',
    "a web page": "<!DOCTYPE html><title>Sign in</title>",
    "nested too deep": "[" * 100_000,
    "a number too long": '{"files": [], "count": ' + "9" * 5_000 + "}",
    "not an object": '["a"]',
    "null": "null",
    "no files": '{"fileMap": {}}',
    "files is an object": '{"files": {"a": 1}}',
    "files is text": '{"files": "abc"}',
    "a name is a number": '{"files": ["a", 1]}',
    "a name is null": '{"files": [null]}',
    "a name is half a character": '{"files": ["a\\ud83d.png"]}',
    "a name is bytes in disguise": '{"files": ["\\udcc3\\udca9"]}',
    "a name twice": '{"files": ["a", "a"]}',
    "count too high": '{"files": ["a"], "count": 2}',
    "count too low": '{"files": ["a", "b"], "count": 1}',
    "count is text": '{"files": ["a"], "count": "1"}',
    "count is null": '{"files": ["a"], "count": null}',
    "fileMap is a list": '{"files": ["a"], "fileMap": ["a"]}',
    "fileMap is text": '{"files": ["a"], "fileMap": "a"}',
    "an entry is text": '{"files": ["a"], "fileMap": {"a": "etag"}}',
    "an entry is a list": '{"files": ["a"], "fileMap": {"a": []}}',
    "a size is text": '{"files": ["a"], "fileMap": {"a": {"size": "5"}}}',
    "a size is negative": '{"files": ["a"], "fileMap": {"a": {"size": -1}}}',
    "a size is a fraction": '{"files": ["a"], "fileMap": {"a": {"size": 1.5}}}',
    "a size is infinite": '{"files": ["a"], "fileMap": {"a": {"size": Infinity}}}',
    "a size is true": '{"files": ["a"], "fileMap": {"a": {"size": true}}}',
    "an ETag is a number": '{"files": ["a"], "fileMap": {"a": {"etag": 5}}}',
    "a time is a number": '{"files": ["a"], "fileMap": {"a": {"lastModified": 5}}}',
}


@pytest.mark.parametrize("text", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_listing_is_an_error_that_names_it_and_the_way_out(text: str) -> None:
    """Never a short list, and never another kind of error."""
    with pytest.raises(UsageError) as caught:
        parse(text, "old.json")
    assert "old.json" in caught.value.message
    assert "ls-remote" in caught.value.hint


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("abc"), inner, max_size=3)),
    max_leaves=6,
)


@given(
    st.one_of(
        json_values,
        st.fixed_dictionaries(
            {"files": st.lists(st.sampled_from("abc"), max_size=3)},
            optional={"fileMap": st.dictionaries(st.sampled_from("abc"), json_values), "count": json_values},
        ),
    )
)
def test_any_json_is_a_listing_or_a_usage_error(data: object) -> None:
    """A listing has a row for every name."""
    try:
        rows = parse(json.dumps(data), "x")
    except UsageError:
        return
    assert isinstance(data, dict)
    assert [row.key for row in rows] == in_bytes(data["files"])
