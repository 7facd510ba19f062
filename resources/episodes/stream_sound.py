"""The sound of a part of a video, as a model takes it: WAV of one channel at 16 kHz."""

from __future__ import annotations

import hashlib
import io
import wave
from typing import BinaryIO

from resources.models.base import Media
from resources.video import BadVideo

_RATE = 16000


def sound_before(file: BinaryIO, start: float, end: float) -> Media:
    """From `start` to `end` seconds; shorter where the sound is over before. Raises BadVideo where there is none."""
    import av
    import numpy as np

    try:
        with av.open(file, mode="r", metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise BadVideo("the video has no sound, which the task asks for: leave `sound` out of its params")
            stream = container.streams.audio[0]
            first = float((stream.start_time or 0) * stream.time_base)
            container.seek(int(max(0.0, start - 1) / stream.time_base), stream=stream)
            resampler = av.AudioResampler(format="s16", layout="mono", rate=_RATE)
            begins, parts = None, []
            for frame in container.decode(stream):
                time = float(frame.pts * stream.time_base) - first
                if time >= end:
                    break
                begins = time if begins is None else begins
                parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(frame)]
            parts += [part.to_ndarray().reshape(-1) for part in resampler.resample(None)]
    except (av.error.FFmpegError, EOFError) as error:
        raise BadVideo(f"the video's sound cannot be decoded: {getattr(error, 'strerror', None) or error}") from error
    heard = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    begins = begins or 0.0
    skipped = round(max(0.0, start - begins) * _RATE)
    heard = heard[skipped : skipped + round((end - start) * _RATE)].astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(_RATE)
        out.writeframes(heard.tobytes())
    data = buffer.getvalue()
    return Media(data, "audio/wav", hashlib.sha256(data).hexdigest())
