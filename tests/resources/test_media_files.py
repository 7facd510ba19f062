"""Media by files: written once, bounded, and gone with their process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from resources.models import media_files
from resources.models.base import Instance, Media
from resources.models.media_files import MediaFiles
from resources.models.openai_wire import chat_body


def picture(number: int) -> Media:
    return Media(b"picture %d" % number, "image/png", f"sha{number}")


def addresses(request: Instance) -> list[Path]:
    return [Path(unquote(urlsplit(media.data_url).path)) for media in request.media_list]


def test_a_request_names_files_that_hold_the_bytes(tmp_path):
    files = MediaFiles(tmp_path)
    sent = files.instance(Instance(prompt="?", media_list=[picture(1), picture(2), picture(1)]))
    assert [path.read_bytes() for path in addresses(sent)] == [b"picture 1", b"picture 2", b"picture 1"]
    assert len(list(tmp_path.rglob("*.png"))) == 2
    body = chat_body(sent, "m", "max_tokens", {})
    assert b"file://" in body
    assert b"base64" not in body
    files.close()
    assert list(tmp_path.iterdir()) == []


def test_sound_is_sent_as_it_is(tmp_path):
    sound = Media(b"sound", "audio/wav", "s")
    sent = MediaFiles(tmp_path).instance(Instance(prompt="?", media_list=[sound, picture(1)]))
    assert sent.media_list[0] is sound
    assert b'"input_audio"' in chat_body(sent, "m", "max_tokens", {})


def test_there_are_never_more_than_a_number_of_files(tmp_path, monkeypatch):
    monkeypatch.setattr(media_files, "KEPT", 3)
    files = MediaFiles(tmp_path)
    for number in range(10):
        files.instance(Instance(media_list=[picture(number)]))
    assert sorted(p.name for p in tmp_path.rglob("*.png")) == ["sha7.png", "sha8.png", "sha9.png"]


def test_files_of_a_killed_process_go_and_those_of_a_living_one_stay(tmp_path):
    living = MediaFiles(tmp_path)
    living.instance(Instance(media_list=[picture(1)]))
    code = (
        "import os, sys; from pathlib import Path; from resources.models.media_files import MediaFiles;"
        "from resources.models.base import Instance, Media;"
        "MediaFiles(Path(sys.argv[1])).instance(Instance(media_list=[Media(b'x', 'image/png', 'left')]));"
        "os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[2])
    assert list(tmp_path.rglob("left.png"))
    MediaFiles(tmp_path)
    assert [p.name for p in tmp_path.rglob("*.png")] == ["sha1.png"]
