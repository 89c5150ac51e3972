from __future__ import annotations

import pytest

pytest.importorskip("torch")

import torch

from mathagent.models.hf.machine import choose_dtype, is_out_of_memory
from mathagent.models.hf.settings import HfSettings


@pytest.mark.parametrize(
    ("error", "ran_out"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (MemoryError(), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("CUDA error: out of memory"), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("out of memory"), False),
    ],
)
def test_memory_that_ran_out_is_known_by_what_torch_says(error: Exception, ran_out: bool) -> None:
    assert is_out_of_memory(error) == ran_out


@pytest.mark.parametrize(("computes", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_a_gpu_that_only_emulates_bf16_gets_fp16(
    monkeypatch: pytest.MonkeyPatch, computes: bool, dtype: torch.dtype
) -> None:
    monkeypatch.setattr(
        torch.cuda, "is_bf16_supported", lambda including_emulation=True: computes or including_emulation
    )
    assert choose_dtype(HfSettings(), torch.device("cuda", 0), parameters=1) == dtype
