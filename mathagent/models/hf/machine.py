"""What the machine offers a model: devices, number formats, memory."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from mathagent.errors import UsageError
from mathagent.models.hf.settings import HfSettings

CPU_SHARE = 0.25
"""Of the memory that is free once the model is loaded, for keys and values: others live on this machine too."""
GPU_SHARE = 0.85
"""The rest is for what a step computes with: logits of a batch, and attention over a long prompt."""
FP32_SHARE = 0.6
"""Weights that take more than this of a CPU's free memory as fp32 are loaded as bf16."""
_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def choose_device(asked: str) -> torch.device:
    """The device that ``asked`` means; with several GPUs "auto" is the first, and the model is spread over all.

    Raises UsageError where this machine has none such.
    """
    if asked == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(asked)
    there = {"cuda": torch.cuda, "xpu": torch.xpu}.get(device.type)
    count = there.device_count() if there is not None else 1
    if device.type == "mps" and not torch.backends.mps.is_available():
        count = 0
    if (device.index or 0) >= count:
        raise UsageError(
            f"device={asked}: torch {torch.__version__} sees {count} such devices here; use device=auto"
        )
    return device


def choose_dtype(settings: HfSettings, device: torch.device, parameters: int) -> torch.dtype:
    """The number format of the weights: bf16 on a GPU that computes with it, fp32 on a CPU where that fits."""
    if settings.dtype != "auto":
        return _DTYPES[settings.dtype]
    if device.type == "cuda":
        # Older GPUs (T4, V100) say that they can, since they emulate it, slowly.
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    if device.type == "cpu" and parameters * 4 <= FP32_SHARE * free_memory():
        return torch.float32
    return torch.bfloat16


def free_memory() -> int:
    """Bytes of RAM that this process may still take: the machine's, or its container's where that is less."""
    free = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
        group = Path("/sys/fs/cgroup")
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        free = min(free, limit - int((group / "memory.current").read_text(encoding="ascii")))
    except (OSError, ValueError, StopIteration):
        pass  # no such files (not Linux), or no limit ("max")
    return max(free, 0)


def kv_bytes(settings: HfSettings, devices: Iterable[torch.device]) -> int:
    """How much memory keys and values may take, once the model lies on ``devices``."""
    if settings.kv_gb is not None:
        return int(settings.kv_gb * 1e9)
    gpus = [device for device in devices if device.type == "cuda"]
    if gpus:
        gc.collect()
        release_memory()  # what an earlier model of this process has left is free, but not to be seen as such
        return int(GPU_SHARE * sum(torch.cuda.mem_get_info(device)[0] for device in gpus))
    return int(CPU_SHARE * free_memory())


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory ran out. On the CPU and on Apple's GPUs torch raises a bare RuntimeError, as
    it does where cuBLAS or the driver gets none."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _OUT_OF_MEMORY)


def release_memory() -> None:
    """Gives cached blocks back to the device, for others and for larger ones."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def devices_of(model: Any) -> list[torch.device]:
    """The devices that hold a model's weights."""
    return sorted({parameter.device for parameter in model.parameters()}, key=str)
