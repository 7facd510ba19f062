"""Videos whose frames say their own number, in black and white squares."""

from __future__ import annotations

import io
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

WIDTH, HEIGHT, _BITS = 144, 96, 12


def video(
    frames: int = 100,
    rate: int = 25,
    *,
    container: str = "mp4",
    codec: str = "mpeg4",
    gop: int = 12,
    salt: int = 0,
    rotation: int = 0,
) -> bytes:
    """salt: is added to each number, so that two videos differ. Needs PyAV."""
    import av
    import numpy as np

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.gop_size = gop
        if rotation:
            stream.set_display_rotation(rotation)
        for number in range(frames):
            pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
            for bit in range(_BITS):
                if (number + salt) >> bit & 1:
                    top, left = (bit // 6) * 48, (bit % 6) * 24
                    pixels[top : top + 48, left : left + 24] = 255
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, rate)
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
    return buffer.getvalue()


def scenes(lengths: Sequence[int], rate: int = 25, *, uneven: bool = False) -> bytes:
    """A video of flat grey scenes, each so many frames long. uneven: frames later in it are shown twice as long."""
    import av
    import numpy as np

    buffer, time = io.BytesIO(), 0
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("mpeg4", rate=rate)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = Fraction(1, rate)
        for scene, length in enumerate(lengths):
            pixels = np.full((HEIGHT, WIDTH, 3), (40, 220)[scene % 2], np.uint8)
            for _ in range(length):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                frame.pts, frame.time_base = time, Fraction(1, rate)
                out.mux(stream.encode(frame))
                time += 2 if uneven and scene else 1
        out.mux(stream.encode())
    return buffer.getvalue()


def looped(source: Path, target: Path, times: int) -> Path:
    """A clip so many times in a row, its packets copied as they are."""
    import av

    with av.open(str(source)) as clip, av.open(str(target), "w") as out:
        given = clip.streams.video[0]
        stream = out.add_stream_from_template(given)
        packets = [packet for packet in clip.demux(given) if packet.dts is not None]
        length = max(p.pts + p.duration for p in packets) - min(p.pts for p in packets)
        for time in range(0, times * length, length):
            for packet in packets:
                copy = av.Packet(bytes(packet))
                copy.pts, copy.dts, copy.duration = packet.pts + time, packet.dts + time, packet.duration
                copy.time_base, copy.is_keyframe, copy.stream = given.time_base, packet.is_keyframe, stream
                out.mux(copy)
    return target


def sound(seconds: float = 0.2) -> bytes:
    """A WAV file of silence."""
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\0\0" * int(8000 * seconds))
    return buffer.getvalue()


def number_of(picture: Any) -> int:
    """What a frame says: the inverse of `video`. picture: a PIL image or the bytes of one."""
    import numpy as np
    from PIL import Image

    image = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else picture
    pixels = np.asarray(image.convert("L").resize((WIDTH, HEIGHT))).astype(int)
    squares = [((bit // 6) * 48 + 12, (bit % 6) * 24 + 6) for bit in range(_BITS)]
    lit = [pixels[top : top + 24, left : left + 12].mean() > 127 for top, left in squares]
    return sum(1 << bit for bit, on in enumerate(lit) if on)
