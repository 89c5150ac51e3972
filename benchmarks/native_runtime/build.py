"""Builds the embedded backend's runtime (xllamacpp) for this machine's CPU, with kernels for AVX2 or AVX-512 VNNI.

Long evaluations with the wheel of the registry take two to three times as long as they need to. The model and its
weights stay as they are. Needs a C++ compiler and CMake, and about ten minutes; prints the wheel's path:

    python benchmarks/native_runtime/build.py OUT_DIR
    pip install --no-deps --force-reinstall OUT_DIR/xllamacpp-*.whl

What it gives: docs/benchmarks.md, "A runtime built for the CPU".
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path

HERE = Path(__file__).parent
KERNELS = (HERE / "k_quants.inc", HERE / "k_quants_avx2.inc", HERE / "k_quants_avx512.inc")
CONSTRAINTS = HERE.parents[1] / "constraints.txt"
CHOOSE = (
    "static const ggml::cpu::tensor_traits * "
    "ggml_repack_get_optimal_repack_type(const struct ggml_tensor * cur) {\n"
)
GUARD = "#if defined(__AVX2__) && defined(__FMA__) && defined(__F16C__)\n"
CHOICE = """    static const ggml::cpu::repack::rows16_traits<ggml::cpu::repack::blk16_q4, block_q4_K> rows_q4;
    static const ggml::cpu::repack::rows16_traits<ggml::cpu::repack::blk16_q6, block_q6_K> rows_q6;
    if (ggml_n_dims(cur) == 2 && cur->ne[1] % 16 == 0 && cur->ne[0] % QK_K == 0) {
        if (cur->type == GGML_TYPE_Q4_K) return &rows_q4;
        if (cur->type == GGML_TYPE_Q6_K) return &rows_q6;
    }
"""
OPTIONS = "-DGGML_NATIVE=ON -DLLAMA_LLGUIDANCE=OFF -DLLAMA_BUILD_BORINGSSL=OFF -DLLAMA_BUILD_TESTS=OFF"
"""No Rust and no TLS: the server answers on this machine only."""


def pinned() -> str:
    """The requirement of the constraints file."""
    found = re.search(r"^xllamacpp==\S+", CONSTRAINTS.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise SystemExit(f"{CONSTRAINTS.name} does not pin xllamacpp")
    return found.group()


def unpacked(requirement: str, work: Path) -> Path:
    """The source of ``requirement``, unpacked below ``work``."""
    download = ["download", "--no-deps", "--no-binary", "xllamacpp", "-d", str(work), requirement]
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *download], check=True)
    (archive,) = work.glob("xllamacpp-*.tar.gz")
    with tarfile.open(archive) as opened:
        opened.extractall(work, filter="data")
    return work / archive.name.removesuffix(".tar.gz")


def add_kernels(source: Path) -> None:
    """Has llama.cpp choose our kernels where the CPU can run them; others keep its own."""
    folder = source / "thirdparty/llama.cpp/ggml/src/ggml-cpu"
    repack = folder / "repack.cpp"
    text = repack.read_text(encoding="utf-8")
    if text.count(CHOOSE) != 1:
        raise SystemExit("this llama.cpp chooses its kernels in another way; build.py wants to be changed for it")
    include = f'{GUARD}#include <immintrin.h>\n#include "{KERNELS[0].name}"\n#endif\n\n'
    repack.write_text(text.replace(CHOOSE, f"{include}{CHOOSE}{GUARD}{CHOICE}#endif\n"), encoding="utf-8")
    for file in KERNELS:
        (folder / file.name).write_bytes(file.read_bytes())


def main(out: Path) -> None:
    work = out / "source"
    work.mkdir(parents=True, exist_ok=True)
    source = unpacked(pinned(), work)
    add_kernels(source)
    build = ["wheel", "--no-deps", "-w", str(out), str(source)]
    subprocess.run([sys.executable, "-m", "pip", *build], check=True, env={**os.environ, "CMAKE_ARGS": OPTIONS})
    print(*out.glob("xllamacpp-*.whl"))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
