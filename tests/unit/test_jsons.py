"""JSON as the standard library has it, but sooner."""
import json
import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tricircle import jsons

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4), max_leaves=12)


@given(DOCUMENTS, st.booleans(), st.sampled_from(["utf-8", "utf-16", "utf-32"]))
@example(2**64, True, "utf-8")
@example(-2**63 - 1, True, "utf-8")
@example({"a": "\ud800"}, True, "utf-8")
def test_a_document_is_read_and_written_as_the_standard_library_does(document, ascii_only, encoding):
    data = json.dumps(document, ensure_ascii=ascii_only).encode(encoding, "surrogatepass")
    found = jsons.loads(data)
    assert repr(found) == repr(json.loads(data))
    assert repr(json.loads(jsons.dumps(found))) == repr(found)


@pytest.mark.parametrize("data", [
    b"18446744073709551616", b"[1,18446744073709551616]", b'{"a":-9223372036854775809}',
    b'{"a":\n18446744073709551616}',
    b'{"id": "00000000000000000000"}', b'{"1:18446744073709551616": 2}', b"0.30000000000000004440892098500626161694",
    b"[1.5e-18446744073709551616]"])
def test_long_numbers_stay_what_they_are(data):
    assert repr(jsons.loads(data)) == repr(json.loads(data))


def test_what_is_no_number_is_read_all_the_same():
    assert math.isnan(jsons.loads(b"NaN"))
    assert jsons.loads(b"[Infinity]") == [math.inf]


@pytest.mark.parametrize("data", [b"", b"{", b"<html>", b"\xff\xff", b"{'a': 1}"])
def test_what_is_no_json_is_an_error(data):
    with pytest.raises(ValueError):   # noqa: PT011 - of two kinds
        jsons.loads(data)
