"""Runs an engine and lets it live no longer than its host.

Reads one line of JSON from stdin, `{"command": [...], "env": {...}}`, starts that, and keeps reading: when
the other end closes, because the host let go or was killed, every process of the engine is ended. When
the engine ends, so does this, with its exit code. The host starts it as the leader of a session of its
own, so that whatever the engine starts can be found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading

from resources.engines.processes import die_with_parent, end_session


def main() -> int:
    wanted = json.loads(sys.stdin.buffer.readline())
    try:
        # Killed with the keeper, should that be killed itself: forked by the main thread, which stays.
        engine = subprocess.Popen(  # noqa: S603
            wanted["command"],
            env=wanted["env"],
            stdin=subprocess.DEVNULL,
            preexec_fn=die_with_parent,  # noqa: PLW1509
        )
    except OSError as error:
        sys.stderr.write(f"{wanted['command'][0]}: {error.strerror}\n")
        return 127
    threading.Thread(target=_end_with_host, args=(engine,), daemon=True).start()
    code = engine.wait()
    end_session(os.getpid(), spare=os.getpid())  # workers outlive an engine's first process now and then
    return code if code >= 0 else 128 - code


def _end_with_host(engine: subprocess.Popen[bytes]) -> None:
    # Not sys.stdin: a thread that waits inside its buffer makes Python abort at its end (exit code -6).
    while os.read(0, 1024):
        pass
    engine.terminate()
    try:
        engine.wait(15)
    except subprocess.TimeoutExpired:
        engine.kill()


if __name__ == "__main__":
    sys.exit(main())
