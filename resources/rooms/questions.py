"""VSI-Bench's ten types of question, with their truth from the scene graph.

Wording and rules are published (Thinking in Space, arXiv 2412.14171, appendix B.1; prompts of its data set):

- only things that the camera saw are asked about, by names that are theirs alone; groups only in counts and as options;
- distances are between the closest points of the boxes around things, sizes the longest side of that box;
- options of a relative distance differ by more than 15 cm (30 cm in rooms above 40 square metres);
- directions are of the things' centres on the floor, left and right easy, back (135 degrees and more) medium,
  quadrants hard; no two of the three things are closer than 0.3 m or farther apart than 5 m;
- first appearance is when a thing crosses a number of pixels, a second and more apart for things in one question.

Where the publication says only that ambiguous questions are left out, the rule here is: a direction is asked where
the centre is 10 degrees and more from a border and all corners lie in the same sector; a route's turn is 55 to 125
degrees (left, right) or 160 and more (back), and no thing stands on the way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise, permutations, product
from math import dist

from resources.rooms.draw import Draw
from resources.rooms.scene import Scene, Thing, bearing, gap

BORDER = 10  # degrees
NEAR, FAR = 0.3, 5.0  # metres between any two things of a direction
LATER = 1.0  # seconds between first appearances
_WAYS = ("Turn Left", "Turn Right", "Turn Back")


@dataclass(frozen=True)
class Question:
    """kind: VSI-Bench's `question_type`. options: texts without letters, or () where a number is wanted. truth: the
    right option's text, or the number."""

    kind: str
    text: str
    truth: str
    options: tuple[str, ...] = ()


def object_counting(scene: Scene, draw: Draw) -> Iterator[Question]:
    """Of groups of two and more, all of which are seen."""
    for name, count in scene.counts.items():
        if count > 1 and all(thing.first_seen is not None for thing in scene.named(name)):
            yield Question("object_counting", f"How many {name}(s) are in this room?", str(count))


def object_size(scene: Scene, draw: Draw) -> Iterator[Question]:
    for thing in scene.single:
        text = (f"What is the length of the longest dimension (length, width, or height) of the {thing.name}, "
                "measured in centimeters?")  # fmt: skip
        yield Question("object_size_estimation", text, str(round(100 * max(thing.size))))


def room_size(scene: Scene, draw: Draw) -> Iterator[Question]:
    text = ("What is the size of this room (in square meters)?\nIf multiple rooms are shown, estimate the size of the "
            "combined space.")  # fmt: skip
    yield Question("room_size_estimation", text, f"{scene.area:.1f}")


def absolute_distance(scene: Scene, draw: Draw) -> Iterator[Question]:
    for a, b in combinations(scene.single, 2):
        text = (f"Measuring from the closest point of each object, what is the distance between the {a.name} and the "
                f"{b.name} (in meters)?")  # fmt: skip
        yield Question("object_abs_distance", text, f"{gap([a], [b]):.1f}")


def relative_distance(scene: Scene, draw: Draw) -> Iterator[Question]:
    least = 0.3 if scene.area > 40 else 0.15
    seen = [name for name in scene.counts if all(t.first_seen is not None for t in scene.named(name))]
    for main in scene.single:
        far = {name: gap([main], scene.named(name)) for name in seen if name != main.name}
        for four in combinations(far, 4):
            ordered = sorted(far[name] for name in four)
            if all(b - a > least for a, b in pairwise(ordered)):
                listed = tuple(draw.shuffled(four))
                text = (f"Measuring from the closest point of each object, which of these objects "
                        f"({', '.join(listed)}) is the closest to the {main.name}?\n"
                        "If there are multiple instances of an object category, measure to the closest.")  # fmt: skip
                yield Question("object_rel_distance", text, min(four, key=far.__getitem__), listed)


def _directions(kind: str, text: str, options: tuple[str, ...], sector: Callable[[float], str],
                borders: Sequence[int]) -> Callable[[Scene, Draw], Iterator[Question]]:  # fmt: skip
    """Questions where one stands by A and faces B: in which sector is C?"""

    def ask(scene: Scene, draw: Draw) -> Iterator[Question]:
        for a, b, c in permutations(scene.single, 3):
            if not all(NEAR <= gap([one], [other]) <= FAR for one, other in combinations((a, b, c), 2)):
                continue
            angle = bearing(a.centre, b.centre, c.centre)
            truth = sector(angle)
            clear = min(abs((angle - border + 180) % 360 - 180) for border in borders) >= BORDER
            if clear and all(sector(bearing(a.centre, b.centre, corner)) == truth for corner in c.corners):
                yield Question(kind, text.format(a=a.name, b=b.name, c=c.name), truth, tuple(draw.shuffled(options)))

    return ask


def side(angle: float) -> str:
    return "left" if angle > 0 else "right"


def side_or_back(angle: float) -> str:
    return "back" if abs(angle) >= 135 else side(angle)


def quadrant(angle: float) -> str:
    return f"{'front' if abs(angle) < 90 else 'back'}-{side(angle)}"


_STANDING = "If I am standing by the {a} and facing the {b}, is the {c} to "
direction_easy = _directions(
    "object_rel_direction_easy", _STANDING + "the left or the right of the {b}?", ("left", "right"), side, (0, 180)
)
direction_medium = _directions(
    "object_rel_direction_medium",
    _STANDING + "my left, right, or back?\nAn object is to my back if I would have to turn at least 135 degrees in "
    "order to face it.",
    ("left", "right", "back"), side_or_back, (0, 135, -135),
)  # fmt: skip
direction_hard = _directions(
    "object_rel_direction_hard",
    _STANDING + "my front-left, front-right, back-left, or back-right?\nThe directions refer to the quadrants of a "
    "Cartesian plane (if I am standing at the origin and facing along the positive y-axis).",
    ("front-left", "front-right", "back-left", "back-right"), quadrant, (0, 90, 180, -90),
)  # fmt: skip


def appearance_order(scene: Scene, draw: Draw) -> Iterator[Question]:
    first: dict[str, float] = {}
    for thing in scene.things:
        if thing.first_seen is not None:
            first[thing.name] = min(thing.first_seen, first.get(thing.name, thing.first_seen))
    for four in combinations(sorted(first, key=lambda name: (first[name], name)), 4):
        if all(first[b] - first[a] > LATER for a, b in pairwise(four)):
            truth = ", ".join(four)
            others = draw.shuffled([", ".join(order) for order in permutations(four) if order != four])[:3]
            text = ("What will be the first-time appearance order of the following categories in the video: "
                    f"{', '.join(draw.shuffled(four))}?")  # fmt: skip
            yield Question("obj_appearance_order", text, truth, tuple(draw.shuffled([truth, *others])))


def turn(angle: float) -> str | None:
    """How a robot turns by this angle (left is positive); None where it is not clear."""
    if 55 <= abs(angle) <= 125:
        return "Turn Left" if angle > 0 else "Turn Right"
    return "Turn Back" if abs(angle) >= 160 else None


def route_plan(scene: Scene, draw: Draw) -> Iterator[Question]:
    """From A, facing B, by way of B to C and, in the harder half of the levels, on to D."""
    length = 4 if scene.difficulty >= 3 else 3
    passable = {pair for pair in permutations(scene.single, 2) if _open(scene, *pair)}
    onward = {(a, b, c): found for (a, b), (again, c) in product(passable, repeat=2)
              if b == again and a != c and (found := turn(bearing(b.centre, _beyond(a, b), c.centre)))}  # fmt: skip
    routes: list[tuple[Thing, ...]] = list(onward)
    if length == 4:
        routes = [(*r, s[2]) for r in onward for s in onward if r[1:] == s[:2] and r[0] != s[2]]
    for route in draw.shuffled(sorted(routes, key=lambda r: [t.name for t in r])):
        turns = [onward[route[i : i + 3]] for i in range(length - 2)]  # type: ignore[index]
        steps = [f"Go forward until the {route[1].name}"]
        for thing in route[2:]:
            steps += ["[please fill in]", f"Go forward until the {thing.name}"]
        listed = " ".join(f"{i}. {step}" for i, step in enumerate(steps, 1))
        text = (f"You are a robot beginning at the {route[0].name} facing the {route[1].name}. You want to "
                f"navigate to the {route[-1].name}. You will perform the following actions (Note: for each [please "
                "fill in], choose either 'turn back,' 'turn left,' or 'turn right.'): "
                f"{listed}. You have reached the final destination.")  # fmt: skip
        truth = ", ".join(turns)
        others = draw.shuffled([way for ways in product(_WAYS, repeat=length - 2) if (way := ", ".join(ways)) != truth])
        yield Question("route_planning", text, truth, tuple(draw.shuffled([truth, *others[:3]])))


def _beyond(a: Thing, b: Thing) -> tuple[float, float]:
    """A point straight ahead for one who has come from a to b."""
    return 2 * b.x - a.x, 2 * b.y - a.y


def _open(scene: Scene, a: Thing, b: Thing) -> bool:
    """Whether nothing stands on the straight line between two centres."""
    from shapely import LineString

    if dist(a.centre, b.centre) < 1:
        return False
    line = LineString([a.centre, b.centre])
    return not any(t not in (a, b) and line.intersects(t.footprint) for t in (*scene.things, *scene.screens))


KINDS: tuple[Callable[[Scene, Draw], Iterator[Question]], ...] = (
    object_counting, absolute_distance, object_size, room_size, relative_distance,
    direction_easy, direction_medium, direction_hard, route_plan, appearance_order,
)  # fmt: skip


def ask(scene: Scene, each: int, seed: str) -> list[Question]:
    """At most `each` questions of every type, the same for equal seeds; a type that nothing clear can be asked of in
    this room is absent."""
    found: list[Question] = []
    for number, kind in enumerate(KINDS):
        draw = Draw(f"{seed}/{number}")
        found += _balanced(list(kind(scene, draw)), draw)[:each]
    return found


def _balanced(candidates: list[Question], draw: Draw) -> list[Question]:
    """In random order; where options are the same for all, their truths by turns, so that none is the rule."""
    mixed = draw.shuffled(candidates)
    if not mixed or not mixed[0].kind.startswith(("object_rel_direction", "route")):
        return mixed
    rank = {truth: i for i, truth in enumerate(draw.shuffled(sorted({q.truth for q in mixed})))}
    so_far: Counter[str] = Counter()
    turns = []
    for question in mixed:
        turns.append((so_far[question.truth], rank[question.truth]))
        so_far[question.truth] += 1
    return [mixed[i] for i in sorted(range(len(mixed)), key=turns.__getitem__)]
