"""Items that share a medium are one cluster, however long the way between them."""

from __future__ import annotations

import hashlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from eval_assets.pipeline.clusters import SharedMedia

SHAS = [hashlib.sha256(bytes([i])).hexdigest() for i in range(8)]


def by_brute_force(items: list[list[str]]) -> list[int | None]:
    """The lowest-numbered item that can be reached from each over shared media; None without media."""
    group = list(range(len(items)))
    changed = True
    while changed:
        changed = False
        for i, a in enumerate(items):
            for j, b in enumerate(items):
                if set(a) & set(b) and group[i] != group[j]:
                    group[i] = group[j] = min(group[i], group[j])
                    changed = True
    return [group[i] if media else None for i, media in enumerate(items)]


@given(st.lists(st.lists(st.sampled_from(SHAS), max_size=4), max_size=14), st.randoms())
def test_clusters_are_the_connected_components_in_any_order(items, rng):
    shared = SharedMedia()
    for media in rng.sample(items, len(items)):
        shared.add(media)
    clusters = [shared.cluster(media) for media in items]
    expected = by_brute_force(items)
    for i in range(len(items)):
        for j in range(len(items)):
            if expected[i] is not None and expected[j] is not None:
                assert (clusters[i] == clusters[j]) == (expected[i] == expected[j])
        assert (clusters[i] is None) == (expected[i] is None)


@given(st.lists(st.lists(st.sampled_from(SHAS), min_size=1, max_size=3), max_size=10), st.randoms())
def test_names_of_clusters_do_not_depend_on_the_order(items, rng):
    names = []
    for order in (items, rng.sample(items, len(items))):
        shared = SharedMedia()
        for media in order:
            shared.add(media)
        names.append([shared.cluster(media) for media in items])
    assert names[0] == names[1]


def test_a_chain_of_many_items_is_one_cluster():
    shas = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(20_000)]
    shared = SharedMedia()
    for a, b in pairwise(shas):
        shared.add([a, b])
    assert len({shared.cluster([sha]) for sha in shas}) == 1
