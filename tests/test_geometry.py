"""Places on the globe: known distances, shapes across the date line and the poles, and boxes that enclose every shape."""

from __future__ import annotations

import math

import pytest
from filter_strategies import shapes
from hypothesis import given, settings
from hypothesis import strategies as st

from cosimo.core.errors import InvalidFilter
from cosimo.core.filters import F
from cosimo.core.geometry import (
    EARTH_RADIUS,
    HALF_WAY_ROUND,
    Bounds,
    Box,
    Circle,
    Polygon,
    Position,
    distance,
    position,
    positions,
    wrapped,
)

DEGREE = math.radians(1) * EARTH_RADIUS  # 111,195 m
PARIS, LONDON, TAIPEI, LIMA = (
    Position(48.8566, 2.3522),
    Position(51.5074, -0.1278),
    Position(25.033, 121.5654),
    Position(-12, -77),
)

points = st.builds(
    Position,
    st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, 90.0, 0.0, 48.85])),
    st.one_of(st.floats(-180, 180, exclude_max=True), st.sampled_from([-180.0, 179.5, 0.0, -10.0])),
)


def haversine(a: Position, b: Position) -> float:
    south, north = math.radians(a.lat), math.radians(b.lat)
    half = math.sin((north - south) / 2) ** 2
    half += math.cos(south) * math.cos(north) * math.sin(math.radians(b.lon - a.lon) / 2) ** 2
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1, half)))


@pytest.mark.parametrize(
    ("a", "b", "metres"),
    [
        (PARIS, LONDON, 343_557),
        (PARIS, PARIS, 0),
        (Position(0, 0), Position(0, 1), DEGREE),
        (Position(0, 179.5), Position(0, -179.5), DEGREE),
        (Position(89.5, 0), Position(89.5, 180), DEGREE),
        (Position(90, 0), Position(90, 123), 0),
        (Position(90, 0), Position(-90, 50), HALF_WAY_ROUND),
        (Position(0, 0), Position(0, -180), HALF_WAY_ROUND),
        (Position(12, 103), LIMA, HALF_WAY_ROUND),
    ],
)
def test_known_distances(a: Position, b: Position, metres: float) -> None:
    assert distance(a, b) == pytest.approx(metres, abs=1)


@given(points, points)
def test_distance_is_the_haversine_either_way_round(a: Position, b: Position) -> None:
    assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-6)
    assert distance(a, b) == pytest.approx(haversine(a, b), abs=0.5)  # the haversine itself loses digits at opposite points


def test_a_millimetre_is_told_from_none() -> None:
    assert distance(PARIS, Position(PARIS.lat + 1e-8, PARIS.lon)) == pytest.approx(DEGREE * 1e-8, rel=1e-3)


@pytest.mark.parametrize(
    "value",
    [
        {"lat": 1, "lon": 2},
        {"latitude": 1, "longitude": 2},
        {"lat": 1.0, "lng": 2, "name": "x"},
        {"lat": 1, "long": -358},
        {"type": "Point", "coordinates": [2, 1]},
        {"type": "Point", "coordinates": (2, 1, 35.0)},
        {"lat": None, "latitude": 1, "lon": 2},
        {"Latitude": 1, "LNG": 2},
        {"Lat": 5, "lat": 1, "lon": 2},
    ],
)
def test_a_place_has_many_spellings(value: object) -> None:
    assert position(value) == (1, 2)


@pytest.mark.parametrize(
    "value",
    [
        None, 5, "1,2", [2, 1], {}, {"lat": 1}, {"lat": 91, "lon": 2}, {"lat": -90.001, "lon": 2}, {"lat": 1, "lon": 361},
        {"lat": "1", "lon": "2"}, {"lat": True, "lon": 2}, {"lat": math.nan, "lon": 2}, {"lat": 1, "lon": math.inf},
        {"type": "Point", "coordinates": [2]}, {"type": "Point", "coordinates": "21"}, {"type": "Point"},
        {"lat": [1], "lon": 2}, {"type": "Polygon", "coordinates": [[2, 1], [3, 1], [3, 2]]}, {"lat": 10**400, "lon": 2},
    ],
)  # fmt: skip
def test_what_is_no_place_is_none(value: object) -> None:
    assert position(value) is None


def test_places_are_found_at_any_depth_with_the_keys_to_them() -> None:
    place = {"lat": 1, "lon": 2}
    metadata = {"a": place, "b": {"c.d": place, **place}, "e": [place], "f": {"type": "Point", "coordinates": [2, 1]}, "g": 5}
    assert dict(positions(metadata)) == dict.fromkeys([("a",), ("b",), ("b", "c.d"), ("f",)], (1, 2))
    assert dict(positions(place)) == {(): (1, 2)}
    assert list(positions(None)) == list(positions({"lat": 91, "lon": 2})) == []


def test_longitudes_are_brought_into_one_turn_and_left_alone_inside_it() -> None:
    assert [wrapped(lon) for lon in (180, 190, -190, 360, -360, 539)] == [-180, -170, 170, 0, 0, 179]
    assert wrapped(2.35) == 2.35


def test_a_circle_holds_its_rim_and_crosses_the_date_line_and_the_pole() -> None:
    assert Circle(0, 179.5, DEGREE).contains(Position(0, -179.6))
    assert not Circle(0, 179.5, DEGREE).contains(Position(0, -179.4))
    assert Circle(89, 0, 2 * DEGREE + 1).contains(Position(89, -180))
    assert Circle(*PARIS, 0).contains(PARIS)
    assert Circle(*PARIS, 3e7).contains(LIMA)


@pytest.mark.parametrize(
    ("box", "inside", "outside"),
    [
        (Box(40, 0, 50, 10), [(40, 0), (50, 10), (45, 5)], [(39.9, 5), (45, -0.1), (45, 10.1)]),
        (Box(-20, 170, 20, -170), [(0, 175), (0, -175), (0, -180), (0, 170), (0, -170)], [(0, 0), (0, 169), (0, -169)]),
        (Box(-20, 170, 20, 190), [(0, 175), (0, -175)], [(0, 0)]),
        (Box(-90, -180, 90, 180), [(0, 0), (90, 0), (-90, 5), (0, -180)], []),
        (Box(0, 0, 1, 360), [(0.5, 77), (0.5, -77)], [(2, 0)]),
        (Box(80, 0, 90, 10), [(85, 5), (90, 170)], [(85, 11)]),
        (Box(0, 5, 1, 5), [(0, 5)], [(0, 5.0001), (0, 4.9999)]),
        (Box(0, 160, 1, 180), [(0, 170), (0, -180)], [(0, -179.9)]),
    ],
)
def test_boxes(box: Box, inside: list, outside: list) -> None:
    assert all(box.contains(Position(*point)) for point in inside)
    assert not any(box.contains(Position(*point)) for point in outside)


@pytest.mark.parametrize(
    ("corners", "inside", "outside"),
    [
        ([(0, 0), (0, 10), (10, 10), (10, 0)], [(5, 5), (0.1, 0.1)], [(-1, 5), (11, 5), (5, -1), (5, 11), (5, -170), (90, 5)]),
        ([(0, 0), (0, 10), (10, 10), (10, 0), (0, 0)], [(5, 5)], [(11, 5)]),  # closed, as GeoJSON has it
        ([(0, 0), (0, 10), (5, 5), (10, 10), (10, 0)], [(5, 2), (8, 7)], [(5, 6)]),  # a bite
        ([(0, 0), (10, 10), (0, 10), (10, 0)], [(5, 1), (5, 9)], [(1, 5), (9, 5)]),  # crosses itself
        ([(-10, 170), (-10, -170), (10, -170), (10, 170)], [(0, 175), (0, -175), (0, -180)], [(0, 0), (0, 165), (0, -165)]),
        ([(60, 0), (60, 120), (60, -120)], [(61, 33), (90, 0), (75, -100)], [(59, 33), (-90, 0)]),  # round the north pole
        ([(60, -120), (60, 120), (60, 0)], [(61, 33), (90, 0)], [(59, 33)]),  # the other way round
        ([(-60, 0), (-70, 120), (-65, -120)], [(-80, 50), (-90, 0)], [(-50, 50), (90, 0)]),  # Antarctica
        ([(-1, 100), (1, 200), (0, 300), (5, 0)], [(90, 0), (60, 30)], [(-60, 30)]),
    ],
)
def test_polygons(corners: list, inside: list, outside: list) -> None:
    for ring in (corners, corners[::-1], corners[2:] + corners[:2] if corners[0] != corners[-1] else corners):
        assert all(Polygon(tuple(ring)).contains(Position(*point)) for point in inside)
        assert not any(Polygon(tuple(ring)).contains(Position(*point)) for point in outside)


@given(st.floats(-89, 89), st.floats(-180, 179.99))
def test_neighbouring_polygons_share_no_point_and_leave_none_out(lat: float, lon: float) -> None:
    rings = [
        Polygon(((south, west), (south, west + 90), (north, west + 90), (north, west)))
        for west in (-180, -90, 0, 90)
        for south, north in ((-90, 0), (0, 90))
    ]
    assert sum(ring.contains(Position(lat, lon)) for ring in rings) == 1


@settings(max_examples=500)
@given(shapes(F("x")), points)
def test_bounds_hold_every_point_of_a_shape(filter, point: Position) -> None:
    boxes = filter.shape.bounds()
    assert 1 <= len(boxes) <= 4
    assert all(-90 <= b.south <= b.north <= 90 and -180 <= b.west <= b.east <= 180 for b in boxes)
    if filter.shape.contains(point):
        assert any(b.south <= point.lat <= b.north and b.west <= point.lon <= b.east for b in boxes)


@settings(max_examples=500)
@given(points, st.floats(0, 2.1e7), st.floats(0, 360), st.floats(0, 1))
def test_bounds_hold_the_rim_of_a_circle(centre: Position, metres: float, bearing: float, part: float) -> None:
    angle, course, lat = metres * part / EARTH_RADIUS, math.radians(bearing), math.radians(centre.lat)
    sine = math.sin(lat) * math.cos(angle) + math.cos(lat) * math.sin(angle) * math.cos(course)
    there = math.degrees(math.asin(max(-1, min(1, sine))))
    turn = math.atan2(math.sin(course) * math.sin(angle) * math.cos(lat), math.cos(angle) - math.sin(lat) * sine)
    point = Position(there, wrapped(centre.lon + math.degrees(turn)))
    circle = Circle(*centre, metres)
    if circle.contains(point):
        assert any(b.south <= point.lat <= b.north and b.west <= point.lon <= b.east for b in circle.bounds())


def test_bounds_of_a_small_circle_are_small_and_cut_at_the_date_line() -> None:
    (box,) = Circle(60, 10, 1000).bounds()
    assert box.north - box.south == pytest.approx(2000 / DEGREE, rel=1e-6)
    assert box.east - box.west == pytest.approx(4000 / DEGREE, rel=1e-3)  # a degree of longitude is half as long there
    assert len(Circle(0, 180, 1000).bounds()) == 2
    assert Circle(90, 0, 1000).bounds()[0][1::2] == (-180, 180)
    assert Box(0, 0, 1, 1).bounds() == [pytest.approx(Bounds(0, 0, 1, 1), abs=1e-8)]


@pytest.mark.parametrize(
    "made",
    [
        lambda: Circle(91, 0, 1), lambda: Circle(0, 361, 1), lambda: Circle(0, 0, -1), lambda: Circle(0, 0, math.inf),
        lambda: Circle(math.nan, 0, 1), lambda: Circle("1", 0, 1), lambda: Circle(0, 0, True), lambda: Box(10, 0, 5, 1),
        lambda: Box(-91, 0, 5, 1), lambda: Box(0, 0, 1, 400), lambda: Polygon(((0, 0), (1, 1))),
        lambda: Polygon(((0, 0), (1, 1), (0, 0))),
        lambda: Polygon(((0, 0), (1, 1), (0, 0), (0, 0))), lambda: Polygon(((0, 0), (0, 180), (10, 0))),
        lambda: Polygon(((0, 0), (91, 1), (0, 2))), lambda: Polygon(((5, 0), (5, 1), (5, 2))),
        lambda: Polygon(((-90, -180), (-90, 180), (90, 180), (90, -180))), lambda: Polygon(((0, 0), (1, 1)) * 6000),
    ],
)  # fmt: skip
def test_shapes_that_are_none_are_refused(made) -> None:
    with pytest.raises(InvalidFilter):
        made()
