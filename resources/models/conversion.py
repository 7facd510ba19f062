"""Checkpoints in a trainer's own format → Hugging Face folders, by a program that the user names."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.models.base import ModelUnusable
from resources.models.derived import Log, cache_folder, made_once, quiet
from resources.models.weights import checkpoint_problem

SOURCE, TARGET = "{source}", "{target}"
DEFAULT_TIMEOUT = 3600.0
# Hold files (eval_assets.pipeline.holding) may lie in a folder of folders that is a source itself.
HOLD_PREFIX = ".evals-hold-"
_LAST_WORDS = 2000  # characters


@dataclass(frozen=True, slots=True)
class Hook:
    """command: words of the program, with `{source}` and `{target}` in them; timeout: seconds."""

    command: tuple[str, ...]
    timeout: float = DEFAULT_TIMEOUT
    allow_pickle: bool = False

    def words(self, source: Path, target: Path) -> list[str]:
        return [word.replace(SOURCE, str(source)).replace(TARGET, str(target)) for word in self.command]

    def files(self) -> list[Path]:
        """Files that the command names, such as its script: a mended one converts anew."""
        return [Path(word) for word in self.command if "/" in word and Path(word).is_file()]


def hook_of(args: Mapping[str, Any]) -> Hook | None:
    """The converter that model arguments name (`convert`, `convert_timeout`). Raises ModelUnusable."""
    if not args.get("convert"):
        return None
    command = check_command(args["convert"])
    return Hook(command, float(args.get("convert_timeout") or DEFAULT_TIMEOUT), bool(args.get("allow_pickle")))


def check_command(value: Any) -> tuple[str, ...]:
    """The words of a converter's command. Raises ModelUnusable where it is none."""
    words = tuple(value) if isinstance(value, (list, tuple)) else ()
    if not words or not all(isinstance(w, str) and w for w in words) or not {SOURCE, TARGET} <= _placeholders(words):
        raise ModelUnusable(
            'convert: expected a list of words with "{source}" and "{target}" among them (in quotes: a bare brace '
            f'begins a mapping in YAML), such as [python, to_hf.py, "{{source}}", "{{target}}"]; found {value!r}'
        )
    return words


def absolute(args: Mapping[str, Any]) -> dict[str, Any]:
    """Model arguments with absolute paths for the files that `convert` names and for the folder `base`.

    So that they mean the same to every process, wherever it was started.
    """
    found = dict(args)
    if found.get("convert"):
        words = check_command(found["convert"])
        found["convert"] = [str(Path(w).absolute()) if Path(w).is_file() else w for w in words]
    base = found.get("base")
    if isinstance(base, str) and Path(base).expanduser().is_dir():
        found["base"] = str(Path(base).expanduser().absolute())
    return found


def loadable(folder: Path, args: Mapping[str, Any], log: Log = quiet) -> Path:
    """The folder itself, or, where `args` name a converter, what that makes of it.

    Converted once for each content of the folder, kept under `<cache>/converted` (see `cache_folder`).
    Raises ModelUnusable with the program's last words where it fails, takes longer than
    `convert_timeout` seconds, or leaves no whole checkpoint.
    """
    hook = hook_of(args)
    return folder if hook is None else _converted(folder, hook, log)


def look(source: Path, hook: Hook) -> str:
    """Digest of names, sizes and times of all files of a source and of those of its converter."""
    stats = [(name, p.stat()) for name, p in _files(source)] + [(str(p), p.stat()) for p in hook.files()]
    return _hex([hook.command, [[name, s.st_size, s.st_mtime_ns] for name, s in stats]])


def _converted(source: Path, hook: Hook, log: Log) -> Path:
    looked = look(source, hook)
    note = cache_folder() / "converted" / "looked" / looked  # what this look's content was: spares hashing it again
    try:
        digest = note.read_text()
    except FileNotFoundError:
        digest = _content(source, hook)
    target = made_once("converted", digest, lambda folder: _convert(source, hook, folder, looked, log), log)
    if not note.is_file():
        note.parent.mkdir(parents=True, exist_ok=True)
        temporary = note.with_suffix(f".{uuid.uuid4().hex}")
        temporary.write_text(digest)
        os.replace(temporary, note)
    return target


def _convert(source: Path, hook: Hook, target: Path, looked: str, log: Log) -> None:
    words = hook.words(source, target)
    said = target.with_name(f"{target.name.split('.')[1]}.log")  # `.<digest>.<process>` is where it is made
    log(f"converting {source}: {' '.join(words)} (output: {said})")
    problem = _run(words, hook.timeout, said)
    if problem is None:
        wrong = checkpoint_problem(target, allow_pickle=hook.allow_pickle)
        problem = wrong and f"left no whole checkpoint: {wrong.replace(str(target), TARGET)}"
    if problem:
        raise ModelUnusable(f"{source} cannot be converted: {words[0]} {problem}{_last_words(said)}")
    if look(source, hook) != looked:
        raise ModelUnusable(f"{source} changed while it was converted: it is still being written")


def _run(words: Sequence[str], timeout: float, said: Path) -> str | None:
    """Run a command to its end, output to a file; what went wrong, or None. It never outlives this process."""
    from resources.engines.processes import end_session

    here = str(Path(__file__).parents[2])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [here, os.environ.get("PYTHONPATH")]))}
    with said.open("wb") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "resources.engines.keeper"],
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, env=env, start_new_session=True,
        )  # fmt: skip
        assert keeper.stdin is not None
        try:
            keeper.stdin.write(json.dumps({"command": list(words), "env": dict(os.environ)}).encode() + b"\n")
            keeper.stdin.flush()
            code = keeper.wait(timeout)
        except subprocess.TimeoutExpired:
            return f"did not end within {timeout:g} s (convert_timeout)"
        finally:
            end_session(keeper.pid, grace=5)
            keeper.stdin.close()
            keeper.wait()
    return None if code == 0 else f"failed with exit code {code}"


def _last_words(said: Path) -> str:
    text = said.read_text(errors="replace").strip()
    return f". Its last words:\n{text[-_LAST_WORDS:]}" if text else ". It said nothing"


def _content(source: Path, hook: Hook) -> str:
    """Digest of every file's content, of the command and of the files that the command names."""
    sums = [[name, _sum(path)] for name, path in _files(source)]
    return _hex([hook.command, sums, [[str(path), _sum(path)] for path in hook.files()]])


def _files(source: Path) -> list[tuple[str, Path]]:
    """Every file below a folder with its name there, hidden ones too: DCP keeps its index in `.metadata`."""
    found = [p for p in source.rglob("*") if p.is_file() and not p.name.startswith(HOLD_PREFIX)]
    return sorted((p.relative_to(source).as_posix(), p) for p in found)


def _sum(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _placeholders(words: Sequence[str]) -> set[str]:
    return {name for name in (SOURCE, TARGET) if any(name in word for word in words)}


def _hex(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:32]
