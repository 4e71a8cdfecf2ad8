"""The neutral form of points: laws of equality, and what cannot be carried."""

from __future__ import annotations

import json
import math
import struct
import uuid
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from outgrow.movers.bodies import (
    DISTANCES,
    form_of,
    normalised,
    numbers_of,
    parts_of_body,
    payload_text,
    payload_texts,
    point_bodies,
    point_body,
    read_body,
    read_payloads,
)
from outgrow.movers.point_ids import id_of, id_or_none, ids_behind, key_of
from outgrow.ports import StoreFailed

FLOATS = st.floats(allow_nan=False, allow_infinity=False, width=32)
VECTORS = st.integers(1, 9).flatmap(lambda size: arrays.arrays(np.float32, size, elements=FLOATS))
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
PAYLOADS = st.dictionaries(TEXTS, JSON, max_size=4)


@given(VECTORS, PAYLOADS, st.sampled_from(DISTANCES))
def test_what_is_read_makes_the_same_body_again(vector: Any, payload: dict[str, Any], distance: str) -> None:
    body = point_body(vector, payload, distance)
    point = read_body(body)
    assert point_body(point.vector, point.payload, distance) == body
    assert point_body(point.vector.tolist(), point.payload, distance) == body


@given(PAYLOADS)
def test_the_order_of_keys_and_a_way_through_json_change_nothing(payload: dict[str, Any]) -> None:
    turned = dict(reversed(payload.items()))
    assert payload_text(turned) == payload_text(payload)
    assert payload_text(json.loads(json.dumps(payload))) == payload_text(payload)
    assert payload_text(json.loads(payload_text(payload))) == payload_text(payload)


SEPARATING = st.sampled_from(["\x1e", '"', ',"\\u001e",', "\\", "-0.0", "1e22", ""]) | TEXTS
ODD = st.dictionaries(SEPARATING, st.lists(SEPARATING | NUMBERS, max_size=4) | SEPARATING | NUMBERS, max_size=3)


@given(st.lists(st.none() | ODD | PAYLOADS, max_size=6))
def test_many_payloads_are_written_and_read_as_each_alone(payloads: list[dict[str, Any] | None]) -> None:
    keys = list(map(str, range(len(payloads))))
    texts = payload_texts(payloads, keys)
    assert texts == [payload_text(payload) for payload in payloads]
    assert read_payloads(texts) == [json.loads(text) for text in texts]


@given(st.sampled_from([{"a": math.nan}, {"a": 2**64 + 1}, {"a": "\ud800"}]), st.integers(0, 3))
def test_of_many_payloads_the_one_that_cannot_be_carried_is_named(wrong: dict[str, Any], at: int) -> None:
    payloads: list[dict[str, Any]] = [{"fine": place} for place in range(4)]
    payloads[at] = wrong
    with pytest.raises(StoreFailed, match=f"the payload of point key-{at} cannot be carried"):
        payload_texts(payloads, [f"key-{place}" for place in range(4)])


@pytest.mark.parametrize("texts", [[b"{"], [b"{},{}", b"{}"], [b"1"], [b"{}", b"[1]"], [b'{"a":1', b'"b":2}']])
def test_payloads_that_cannot_be_read_are_said(texts: list[bytes]) -> None:
    with pytest.raises(StoreFailed, match="a point to be put has a payload"):
        read_payloads(texts)


@given(st.lists(VECTORS, min_size=1, max_size=4), st.sampled_from(DISTANCES))
def test_vectors_in_bytes_are_the_same_as_in_numbers(vectors: list[Any], distance: str) -> None:
    keys: list[str] = list(map(str, range(len(vectors))))
    ways: list[object] = []
    for given_ in (vectors, [vector.astype("<f4").tobytes() for vector in vectors]):
        try:
            ways.append(point_bodies(keys, given_, [{}] * len(vectors), distance))
        except StoreFailed as refused:
            ways.append(refused.message)
    assert ways[0] == ways[1]
    for vector in vectors:
        held, _ = parts_of_body(point_body(vector, {}, "dot"))
        assert list(numbers_of(held)) == (vector + np.float32(0)).tolist()


@given(PAYLOADS, PAYLOADS)
def test_different_payloads_have_different_bodies(one: dict[str, Any], other: dict[str, Any]) -> None:
    if json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True):
        assert payload_text(one) == payload_text(other)
    elif one != other:
        assert payload_text(one) != payload_text(other)


@given(st.integers(1, 12).flatmap(lambda size: arrays.arrays(np.float32, (3, size), elements=FLOATS)))
def test_length_one_is_a_fixed_point_that_no_store_needs_to_normalise(matrix: Any) -> None:
    once = normalised(matrix)
    assert np.array_equal(normalised(once), once)
    lengths = np.linalg.norm(once.astype(np.float64), axis=1)
    nothing = ~(matrix != 0).any(axis=1)
    assert (nothing | (np.abs(lengths**2 - 1) <= 2.5e-7)).all()
    wide = matrix.astype(np.float64)
    apart = once - wide / np.where(nothing, 1, np.linalg.norm(wide, axis=1))[:, None]
    assert np.abs(apart).max() < 1e-6


@pytest.mark.parametrize("size", [3, 4, 8, 64, 384])
def test_a_store_that_divides_every_vector_again_changes_nearly_none(size: int) -> None:
    once = normalised(np.random.default_rng(size).standard_normal((2000, size)).astype(np.float32) * 7)
    wide = once.astype(np.float64)
    divided = (wide / np.linalg.norm(wide, axis=1, keepdims=True)).astype(np.float32)
    assert (divided != once).any(axis=1).mean() < 0.005


def test_what_is_one_and_what_is_not() -> None:
    def text(value: object) -> bytes:
        return payload_text({"x": value})

    assert text(-0.0) == text(0.0) != text(0)
    assert text(3.0) != text(3)
    assert text(1e22) == text(10**22)
    assert text(1e-7) == b'{"x":1e-07}'
    assert text([True, None, "é\u0000"]) == b'{"x":[true,null,"\xc3\xa9\\u0000"]}'
    assert text("e\u0301") != text("é")
    assert payload_text(None) == payload_text({}) == b"{}"
    assert point_body([2.0**24, -1.1754944e-38], {}) == point_body([2.0**24, 0.0], {})
    assert point_body([-0.0, 2.0], {}, "dot") == point_body([0.0, 2.0], {}, "dot")
    assert point_body([3.0, 4.0], {}) == point_body([6.0, 8.0], {}) != point_body([3.0, 4.0], {}, "dot")
    assert point_body([1.0, 0.0], {"a": 1}, "dot") == b'pt1\n\x02\0\0\0\0\0\x80\x3f\0\0\0\0{"a":1}'
    assert [form_of(distance) for distance in DISTANCES][:2] == ["points", "points by dot"]


@pytest.mark.parametrize(
    ("vector", "sentence"),
    [
        (None, "has no vector"),
        ({"image": [1.0]}, r"named vectors \(image\)"),
        ([[1.0], [2.0]], "several vectors"),
        ([], "several sizes or none"),
        ([math.nan, 1.0], "float32 does not"),
        ([1e39, 1.0], "float32 does not"),
        (object(), "sparse"),
    ],
)
def test_vectors_that_are_not_carried(vector: object, sentence: str) -> None:
    with pytest.raises(StoreFailed, match=sentence) as refused:
        point_bodies(["here"], [vector], [{}])
    assert "here" in refused.value.message
    assert refused.value.next_step
    with pytest.raises(StoreFailed):
        point_bodies(["one", "two"], [[1.0, 2.0], vector], [{}, {}])


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**64 + 1, 10**400, b"bytes", {1, 2}, "\ud800", {1: 2, "a": 3}])
def test_payloads_that_are_not_carried(value: object) -> None:
    with pytest.raises(StoreFailed, match="payload of point here cannot be carried"):
        payload_text({"x": value}, "here")


def test_a_payload_that_is_nested_too_deep_is_said() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"x": deep}
    with pytest.raises(StoreFailed, match="cannot be carried"):
        payload_text(deep)
    while deep:
        deep = deep["x"]


@pytest.mark.parametrize("body", [b"", b'{"row": 1}', b"pt1\n", b"pt1\n" + struct.pack("<I", 9) + b"{}"])
def test_what_is_no_point_is_said(body: bytes) -> None:
    with pytest.raises(StoreFailed, match="point"):
        read_body(body)


IDS = st.integers(0, 2**64 - 1) | st.integers(0, 2**128 - 1).map(lambda value: uuid.UUID(int=value))
FEW = st.integers(0, 120) | st.integers(0, 300).map(lambda value: uuid.UUID(int=value << 118))


@given(IDS)
def test_a_key_is_its_id(found: int | uuid.UUID) -> None:
    assert id_of(key_of(found)) == found


@pytest.mark.parametrize("key", ["", "01", "-1", str(2**64), "１", "A" * 8, str(uuid.UUID(int=10**38)).upper(), "1 "])
def test_what_is_no_id_is_none(key: str) -> None:
    assert id_or_none(key) is None
    with pytest.raises(StoreFailed, match="no id"):
        id_of(key)


@given(st.sets(FEW | IDS, max_size=40), st.integers(1, 9), FEW.map(str) | TEXTS)
def test_a_page_of_ids_is_what_sorting_their_keys_gives(ids: set[Any], limit: int, after: str) -> None:
    order = sorted(ids, key=lambda each: (isinstance(each, uuid.UUID), each if isinstance(each, int) else each.int))

    def scroll(first: Any, most: int) -> list[Any]:
        def behind(each: Any) -> bool:
            if isinstance(each, int) and isinstance(first, int):
                return each >= first
            return isinstance(each, uuid.UUID) and (isinstance(first, int) or each >= first)

        return [each for each in order if behind(each)][:most]

    wanted = sorted((str(each) for each in ids if str(each).encode() > after.encode()), key=str.encode)[:limit]
    assert [key_of(each) for each in ids_behind(after, limit, scroll)] == wanted
