"""What other people's functions may not do here, and how their failures are told."""

import importlib.util
import os
import random
import sys
import time

# Names of packages to install where they differ from the module that is imported.
_PACKAGES = {
    "cv2": "opencv-python-headless",
    "sklearn": "scikit-learn",
    "skimage": "scikit-image",
    "bs4": "beautifulsoup4",
    "PIL": "pillow",
    "azure": "azure-identity",
    "yaml": "pyyaml",
    "dotenv": "python-dotenv",
    "google.generativeai": "google-generativeai",
    "google.genai": "google-genai",
    "google": "google-genai",
    "Levenshtein": "Levenshtein",
    "pywsd": "pywsd",
    "latex2sympy2": "latex2sympy2",
    "duckduckgo_search": "duckduckgo_search",
    "anls": "anls",
    "whisper_normalizer": "whisper-normalizer",
    "decord": "decord",
    "editdistance": "editdistance",
}


class NoNetwork(PermissionError):
    """A function wanted to reach another machine."""


def close_network() -> None:
    """Connections to this machine only, where the judge endpoint listens, unless the user grants more.

    A guard against what is done by mistake: an extension module that opens sockets by itself is not seen.
    """
    if os.environ.get("EVAL_LMMS_NETWORK") == "1":
        return

    def watch(event: str, arguments: tuple) -> None:
        if event == "socket.connect":
            address = arguments[1]
            if isinstance(address, tuple) and str(address[0]) not in ("127.0.0.1", "::1", "localhost"):
                raise NoNetwork(
                    f"no connection to {address[0]}: lmms-eval's functions have no network, see EVAL_LMMS_NETWORK"
                )
        elif event == "socket.getaddrinfo" and arguments[0] not in (None, "127.0.0.1", "::1", "localhost"):
            raise NoNetwork(
                f"no connection to {arguments[0]}: lmms-eval's functions have no network, see EVAL_LMMS_NETWORK"
            )

    sys.addaudithook(watch)


def no_naps() -> None:
    """Functions sleep between retries of an API; waiting and retrying are the judge endpoint's here."""
    time.sleep = lambda seconds: None


def seed() -> None:
    """Several answer rules fall back to a random choice: the same one each time."""
    random.seed(0)
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed(0)


def told(error: BaseException, trace: str) -> dict:
    """A failure as JSON: its kind, what it says, the traceback, and the package that it lacks."""
    found = {"kind": type(error).__name__, "message": str(error)[:2000], "traceback": trace[-6000:]}
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ModuleNotFoundError) and seen.name and not _there(seen.name):
            found["package"] = _package(seen.name)
            break
        seen = seen.__cause__ or seen.__context__
    return found


def _there(module: str) -> bool:
    """Whether a module's top package can be imported, so that it is a part of it that is missing."""
    try:
        return importlib.util.find_spec(module.partition(".")[0]) is not None and module.partition(".")[0] != "google"
    except (ImportError, ValueError):
        return False


def _package(module: str) -> str:
    return _PACKAGES.get(module) or _PACKAGES.get(module.partition(".")[0]) or module.partition(".")[0]
