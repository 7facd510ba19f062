"""Questions: their truths are what one finds who only reads them, nothing is ambiguous, wording is published."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("shapely", reason="shapely is not installed: pip install 'eval-assets[spatial]'")

from resources.rooms.baselines import GLANCE, answer_at_random, guess_levels, seen_at_a_glance
from resources.rooms.draw import Draw
from resources.rooms.layout import LEVELS, furnish
from resources.rooms.oracle import answer
from resources.rooms.questions import KINDS, ask
from resources.rooms.scene import Scene, Thing, gap
from resources.rooms.write import Plan, rows_of


def seen(level: int, seed: int) -> Scene:
    """A room that was not filmed: when its things are seen is drawn, one is never seen."""
    scene, draw = furnish("room", level, str(seed)), Draw(str(seed))
    when = [None, *(round(draw.between(0, 30), 1) for _ in scene.things[1:])]
    return replace(
        scene, fps=8, things=tuple(replace(t, first_seen=w) for t, w in zip(scene.things, when, strict=True))
    )


rooms = st.builds(seen, st.sampled_from(sorted(LEVELS)), st.integers(0, 10**6))


@settings(max_examples=25, deadline=None)
@given(rooms)
def test_who_reads_the_question_and_knows_the_room_is_right(room):
    for q in ask(room, 3, "seed"):
        options = [f"{letter}. {text}" for letter, text in zip("ABCD", q.options, strict=False)]
        said = answer(room, q.text, options or None)
        assert said == ("ABCD"[q.options.index(q.truth)] if q.options else q.truth), q


@settings(max_examples=25, deadline=None)
@given(rooms)
def test_what_was_not_seen_is_not_asked_about(room):
    hidden = room.things[0].name
    for q in ask(room, 20, "seed"):
        if q.kind != "obj_appearance_order":  # a group appears with the first of it that is seen
            assert hidden not in q.text, q


@settings(max_examples=25, deadline=None)
@given(rooms)
def test_options_of_a_distance_and_of_an_order_are_apart(room):
    least = 0.3 if room.area > 40 else 0.15
    first = {name: min((t.first_seen for t in room.named(name) if t.first_seen is not None), default=None)
             for name in room.counts}  # fmt: skip
    for q in ask(room, 20, "seed"):
        if q.kind == "object_rel_distance":
            main = re.search(r"closest to the ([a-z ]+)\?", q.text)[1]
            away = sorted(gap(room.named(main), room.named(name)) for name in q.options)
            assert min(b - a for a, b in pairwise(away)) > least
        if q.kind == "obj_appearance_order":
            times = [first[name] for name in q.truth.split(", ")]
            assert min(b - a for a, b in pairwise(times)) > 1
            assert len(set(q.options)) == 4
            assert all(sorted(o.split(", ")) == sorted(q.truth.split(", ")) for o in q.options)


def test_every_type_is_asked_with_its_own_kinds_of_answer():
    counted: Counter[str] = Counter()
    truths: dict[str, set[str]] = {}
    for seed in range(12):
        for q in ask(seen(3, seed), 2, str(seed)):
            counted[q.kind] += 1
            truths.setdefault(q.kind, set()).add(q.truth)
            assert (q.truth in q.options) == bool(q.options)
    assert len(counted) == len(KINDS) == 10
    assert truths["object_rel_direction_easy"] == {"left", "right"}
    assert truths["object_rel_direction_medium"] == {"left", "right", "back"}
    assert truths["object_rel_direction_hard"] == {"front-left", "front-right", "back-left", "back-right"}
    assert len(truths["route_planning"]) >= 5


def box(name: str, x: float, y: float, size=(0.4, 0.4, 0.4)) -> Thing:
    return Thing(name, name.rsplit(maxsplit=1)[-1], x, y, 0, size, first_seen=0.0)


def one_of(scene: Scene, kind: str, *words: str) -> str:
    """The only truth among questions of this kind whose text has the words in this order."""
    pattern = ".*".join(map(re.escape, words))
    return next(q.truth for q in ask(scene, 1000, "s") if q.kind == kind and re.search(pattern, q.text, re.DOTALL))


def test_a_room_that_one_can_check_by_hand():
    """North is up: table in the south, sofa in the north, lamp in the west, crate in the south-east."""
    scene = Scene("hand", 1, 6.0, 5.0, (
        box("red table", 3, 2), box("blue sofa", 3, 4, (1.8, 0.8, 0.8)), box("green lamp", 1, 3.2),
        box("pink crate", 3.8, 0.4), box("black stool", 0.5, 0.5), box("black stool", 1.5, 0.5),
    ))  # fmt: skip
    assert one_of(scene, "object_counting", "How many black stool(s)") == "2"
    assert one_of(scene, "room_size_estimation", "size of this room") == "30.0"
    assert one_of(scene, "object_size_estimation", "blue sofa") == "180"
    assert one_of(scene, "object_abs_distance", "red table", "blue sofa") == "1.4"  # 4 - 0.4 - (2 + 0.2)
    assert (
        one_of(scene, "object_rel_direction_easy", "the red table and facing the blue sofa, is the green lamp")
        == "left"
    )
    facing = "the red table and facing the blue sofa, is the pink crate to my"
    assert one_of(scene, "object_rel_direction_medium", facing) == "back"
    assert one_of(scene, "object_rel_direction_hard", facing) == "back-right"
    route = "beginning at the red table facing the blue sofa"
    assert one_of(scene, "route_planning", route, "navigate to the green lamp") == "Turn Left"


def test_a_question_that_is_on_the_border_is_not_asked():
    def directions(x: float, y: float) -> set[str]:
        room = Scene("b", 1, 6.0, 6.0, (box("red table", 3, 2), box("blue sofa", 3, 4), box("pink crate", x, y)))
        text = "standing by the red table and facing the blue sofa, is the pink crate"
        return {q.kind.removeprefix("object_rel_direction_") for q in ask(room, 1000, "s") if text in q.text}

    assert directions(4.4, 3.4) == {"easy", "medium", "hard"}  # 45 degrees to the right
    assert directions(5, 2.1) == {"easy", "medium"}  # at the right hand: front or back?
    assert directions(4.4, 0.6) == {"easy", "hard"}  # 135 degrees: right or back?
    assert directions(3.1, 5.2) == set()  # straight ahead
    assert directions(3.5, 2) == set(), "closer than 0.3 m"


def test_the_levels_differ_by_what_makes_them_hard():
    rising = [LEVELS[level] for level in sorted(LEVELS)]
    for easier, harder in combinations(rising, 2):
        assert harder.singles + harder.lookalikes > easier.singles + easier.lookalikes
        assert (harder.screens, harder.stops) >= (easier.screens, easier.stops)


def test_a_glance_knows_what_was_seen_in_time():
    early, late = box("red table", 1, 1), replace(box("blue sofa", 3, 3), first_seen=GLANCE + 0.1)
    room = Scene("g", 1, 6.0, 5.0, (early, late))
    assert seen_at_a_glance(room, "the length of the red table?")
    assert not seen_at_a_glance(room, "between the red table and the blue sofa?")


def test_guessing_scores_what_is_said_of_it():
    """Ten thousand guesses against the exact level."""
    from judges import get_judge

    rows = [row for seed in range(3) for row in rows_of(seen(2, seed), Plan())]
    rows = [{**row, "id": f"{n}"} for n, row in enumerate(rows)]
    levels, judge, total, rounds = guess_levels(rows), get_judge("mra"), 0.0, 150
    for turn in range(rounds):
        for row, said in zip(rows, answer_at_random(rows, str(turn)), strict=True):
            item = {"target": row["ground_truth"], "choices": row["options"]}
            total += judge.judge(item, said).score
    assert total / rounds / len(rows) == pytest.approx(sum(levels) / len(levels), abs=0.015)
    assert all(0 < level <= 1 for level in levels)
