"""A few small rooms, filmed once."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from resources.rooms import RoomsError
from resources.rooms.write import make_scene

SIZE = (320, 240)


@pytest.fixture(scope="session")
def filmed():
    """Scenes of levels 1 and 3 with their films: [(scene, film)]. Skips without MuJoCo or off-screen OpenGL."""
    missing = [name for name in ("mujoco", "shapely", "av") if find_spec(name) is None]
    if missing:  # not imported to see: that would choose MuJoCo's OpenGL
        pytest.skip(f"{', '.join(missing)} not installed: pip install 'eval-assets[spatial]'")
    from resources.rooms.film import make_film, with_sightings

    found = []
    for level in (1, 3):
        scene = make_scene(f"level{level}", level, 4, f"tests/{level}")
        try:
            film = make_film(scene, SIZE)
        except RoomsError as error:
            pytest.skip(str(error))
        found.append((with_sightings(scene, film), film))
    return found
