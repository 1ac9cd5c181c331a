"""Geometry on the globe: distances, circles, boxes, polygons, and the place in a value. Degrees and metres; reads no files.

The Earth is a sphere of the mean radius 6,371,008.8 m, which is within 0.6% of the ellipsoid everywhere. Longitudes from
-360 to 360 are taken and brought into [-180, 180), so 190 is -170. Every shape can say which plain boxes enclose it: what
an R*Tree is asked before the exact question.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .errors import InvalidFilter

EARTH_RADIUS = 6_371_008.8  # metres: the mean radius (2a + b) / 3 of WGS 84
HALF_WAY_ROUND = math.pi * EARTH_RADIUS
MARGIN = 1e-9  # degrees, a tenth of a millimetre: enclosing boxes are this much larger, rounding never loses a point
MAX_CORNERS = 10_000
LATITUDES = ("lat", "latitude", "Lat", "Latitude", "LAT", "LATITUDE")
LONGITUDES = ("lon", "lng", "long", "longitude", "Lon", "Lng", "Long", "Longitude", "LON", "LNG", "LONG", "LONGITUDE")


class Position(NamedTuple):
    """A point: latitude in [-90, 90], longitude in [-180, 180)."""

    lat: float
    lon: float


class Bounds(NamedTuple):
    """A box that crosses nothing: south <= north, west <= east, all within ±90 and ±180."""

    south: float
    west: float
    north: float
    east: float


def wrapped(lon: float) -> float:
    """A longitude in [-180, 180). Those inside come back untouched, to the last bit."""
    return lon if -180 <= lon < 180 else (lon + 180) % 360 - 180


def position(value: Any) -> Position | None:
    """The place in a value from somebody's metadata, or None where there is none.

    Parameters
    ----------
    value : an object with `lat` or `latitude` and `lon`, `lng`, `long` or `longitude` (`Lat` and `LAT` too), or a GeoJSON
        Point, whose coordinates are [longitude, latitude]. A bare pair of numbers is no place: half the world writes it
        the other way round.

    Returns
    -------
    None also for a latitude beyond ±90, a longitude beyond ±360, and anything that is not a number.
    """
    if not isinstance(value, Mapping):
        return None
    if value.get("type") == "Point" and "coordinates" in value:
        pair = value["coordinates"]
        lon, lat = pair[:2] if isinstance(pair, list | tuple) and len(pair) >= 2 else (None, None)
    else:
        lat, lon = _first(value, LATITUDES), _first(value, LONGITUDES)
    if not (_number_within(lat, 90) and _number_within(lon, 360)):
        return None
    return Position(float(lat), wrapped(float(lon)))


def _first(value: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((value[name] for name in names if value.get(name) is not None), None)


def _number_within(value: Any, limit: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and -limit <= value <= limit  # NaN is not


def positions(value: Any) -> Iterator[tuple[tuple[str, ...], Position]]:
    """(path, place) of every place in somebody's metadata, at any depth: the keys to it from the outside, none for itself.

    Lists are not gone into, as no name of a filter reaches into one.
    """
    waiting: list[tuple[tuple[str, ...], Any]] = [((), value)]
    while waiting:
        path, found = waiting.pop()
        if isinstance(found, Mapping):
            point = position(found)
            if point is not None:
                yield path, point
            waiting += [((*path, key), inner) for key, inner in found.items() if isinstance(inner, Mapping)]


def distance(a: Position, b: Position) -> float:
    """Metres between two points along the great circle.

    The haversine distance in the form with two arguments to the arc tangent, which loses no digits at opposite points.
    """
    north, other, turn = math.radians(a.lat), math.radians(b.lat), math.radians(b.lon - a.lon)
    sine, cosine, reach = math.sin(north), math.cos(north), math.cos(other) * math.cos(turn)
    across = math.hypot(math.cos(other) * math.sin(turn), cosine * math.sin(other) - sine * reach)
    return EARTH_RADIUS * math.atan2(across, sine * math.sin(other) + cosine * reach)


def _checked(value: float, limit: float, what: str, hint: str = "") -> float:
    if not _number_within(value, limit):
        raise InvalidFilter(f"{value} is no {what}; it must be a number from -{limit:g} to {limit:g}{hint}")
    return float(value)


def _latitude(value: float) -> float:
    return _checked(value, 90, "latitude", ", and comes before the longitude")


def _longitude(value: float) -> float:
    return _checked(value, 360, "longitude")


def _split(south: float, west: float, north: float, width: float) -> list[Bounds]:
    """Enclosing boxes of a strip that starts at `west` and is `width` degrees wide, cut at the date line."""
    south, north = max(-90.0, south - MARGIN), min(90.0, north + MARGIN)
    west, width = west - MARGIN, width + 2 * MARGIN
    if width >= 360:
        return [Bounds(south, -180, north, 180)]
    west = wrapped(west)
    east = west + width
    if east <= 180:
        return [Bounds(south, west, north, east)]
    return [Bounds(south, west, north, 180), Bounds(south, -180, north, east - 360)]


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within `metres` of a point, the rim included.

    Raises
    ------
    InvalidFilter : a latitude beyond ±90, a longitude beyond ±360, a negative or infinite radius
    """

    lat: float
    lon: float
    metres: float
    centre: Position = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "centre", Position(_latitude(self.lat), wrapped(_longitude(self.lon))))
        if not _number_within(self.metres, 1e300) or self.metres < 0:
            raise InvalidFilter(f"{self.metres} is no distance; it must be a number of metres, 0 or more")

    def contains(self, point: Position) -> bool:
        """Whether a point is within the radius."""
        return distance(self.centre, point) <= self.metres

    def bounds(self) -> list[Bounds]:
        """One or two boxes that hold every point of the circle, and others."""
        lat, lon = self.centre
        angle = min(math.pi, self.metres / EARTH_RADIUS * (1 + 1e-12) + 1e-12)  # radians; what rounding may add to a distance
        south, north = lat - math.degrees(angle), lat + math.degrees(angle)
        if south <= -90 + MARGIN or north >= 90 - MARGIN:  # a pole is inside: every longitude comes near
            return _split(south, -180, north, 360)
        # where the meridian touches the circle: the sides are widest nearer to the pole than the centre
        half = math.degrees(math.asin(min(1.0, math.sin(angle) / math.cos(math.radians(lat)))))
        return _split(south, lon - half - MARGIN, north, 2 * (half + MARGIN))


@dataclass(frozen=True, slots=True)
class Box:
    """All points between two latitudes, from `west` eastwards to `east`, edges included.

    `west` greater than `east` means across the date line; -180 to 180 is the whole way round. A pole on the edge is
    inside, whatever longitude it was given.

    Raises
    ------
    InvalidFilter : degrees out of range, or `south` north of `north`
    """

    south: float
    west: float
    north: float
    east: float
    width: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        _latitude(self.south), _latitude(self.north), _longitude(self.west), _longitude(self.east)
        if self.south > self.north:
            raise InvalidFilter(
                f"a box from latitude {self.south} to {self.north} is upside down; give south, west, north, east"
            )
        around = self.east - self.west >= 360
        object.__setattr__(self, "width", 360.0 if around else (wrapped(self.east) - wrapped(self.west)) % 360)

    def contains(self, point: Position) -> bool:
        """Whether a point is inside or on the edge."""
        if not self.south <= point.lat <= self.north:
            return False
        if abs(point.lat) == 90 or self.width >= 360:
            return True
        west, east = wrapped(self.west), wrapped(self.east)
        return west <= point.lon <= east if west <= east else point.lon >= west or point.lon <= east

    def bounds(self) -> list[Bounds]:
        """Boxes that hold every point of this one."""
        found = _split(self.south, wrapped(self.west), self.north, self.width)
        poles = [pole for pole in (self.south, self.north) if abs(pole) == 90]
        return found + [Bounds(pole, -180, pole, 180) for pole in poles if self.width < 360]


class Edge(NamedTuple):
    """One side of a polygon, from its western end eastwards: `lat` is the latitude there, `rise` the other end's minus it."""

    west: float
    east: float  # less than `west` where the edge crosses the date line
    width: float  # degrees, less than 180
    lat: float
    rise: float

    def passes_north_of(self, point: Position) -> bool:
        """Whether the edge crosses the point's meridian north of it. The western end belongs to an edge, the eastern not.

        By comparison, not by difference: a point a hair west of a corner would round into no edge at all.
        """
        west, east, lon = self.west, self.east, point.lon
        if not (west <= lon < east if west <= east else lon >= west or lon < east):
            return False
        return self.lat + self.rise * ((lon - west) % 360) / self.width > point.lat


@dataclass(frozen=True, slots=True)
class Polygon:
    """All points that a ring of (latitude, longitude) corners encloses, by the even-odd rule.

    An edge is a straight line in latitude and longitude (RFC 7946), the shorter way round: a ring may cross the date line.
    A ring that goes round the Earth encloses the pole on the side of its corners' mean latitude. Points exactly on an
    edge belong to one side of it: inside where the polygon is north of them, outside where it is south.

    Raises
    ------
    InvalidFilter : fewer than three corners, degrees out of range, an edge half the world wide, all corners on one line
        of latitude or longitude
    """

    corners: tuple[tuple[float, float], ...]
    edges: tuple[Edge, ...] = field(init=False, repr=False)
    turns: int = field(init=False, repr=False)  # how often the ring goes round the Earth, east positive
    west: float = field(init=False, repr=False)  # where its westernmost corner is, from the first going along the ring
    width: float = field(init=False, repr=False)

    def __post_init__(self) -> None:
        corners = tuple((_latitude(lat), _longitude(lon)) for lat, lon in self.corners)
        while len(corners) > 1 and corners[0] == corners[-1]:
            corners = corners[:-1]  # rings of GeoJSON end where they began; more than once, and what is written must read alike
        if not 3 <= len(corners) <= MAX_CORNERS:
            raise InvalidFilter(f"a polygon of {len(corners)} corners; it needs 3 to {MAX_CORNERS:,}")
        points = [Position(lat, wrapped(lon)) for lat, lon in corners]
        edges, steps = zip(*map(_edge, points, [*points[1:], points[0]]), strict=True)
        if (len({p.lat for p in points}) == 1 and not round(sum(steps) / 360)) or len({p.lon for p in points}) == 1:
            raise InvalidFilter(
                "a polygon whose corners all lie on one line encloses nothing; check that each is latitude, longitude"
            )
        along = [points[0].lon]
        for step in steps[:-1]:
            along.append(along[-1] + step)
        for name, value in (
            ("corners", corners),
            ("edges", edges),
            ("turns", round(sum(steps) / 360)),
            ("west", min(along)),
            ("width", max(along) - min(along)),
        ):
            object.__setattr__(self, name, value)

    @property
    def pole(self) -> int:
        """The pole inside: 90, -90, or 0 for none."""
        if self.turns % 2 == 0:
            return 0
        return 90 if math.fsum(lat for lat, _ in self.corners) >= 0 else -90

    def contains(self, point: Position) -> bool:
        """Whether a point is inside: the ring crosses the meridian north of it an odd number of times."""
        inside = self.pole == 90
        for edge in self.edges:
            inside ^= edge.passes_north_of(point)
        return inside

    def bounds(self) -> list[Bounds]:
        """Boxes that hold every point inside."""
        lats = [lat for lat, _ in self.corners]
        south, north = min(lats), max(lats)
        if self.turns:
            return _split(-90 if self.pole == -90 else south, -180, 90 if self.pole == 90 else north, 360)
        return _split(south, self.west, north, self.width)


def _edge(a: Position, b: Position) -> tuple[Edge, float]:
    """The edge between two corners, and by how many degrees it goes east (negative: west)."""
    width = (b.lon - a.lon) % 360
    if width == 180:
        raise InvalidFilter(
            f"a polygon's edge from longitude {a.lon:g} to {b.lon:g} goes half round the Earth; add a corner between"
        )
    if width < 180:
        return Edge(a.lon, b.lon, width, a.lat, b.lat - a.lat), width
    width = (a.lon - b.lon) % 360
    return Edge(b.lon, a.lon, width, b.lat, a.lat - b.lat), -width


Shape = Circle | Box | Polygon
