"""Models that are known, by their name, to see pictures. Pure.

A guess for endpoints, which do not say it: a probe's record, and the user's own word, go before it.
"""

from __future__ import annotations

import re

_FAMILIES = (
    # From memory of the makers' model pages, not looked up: a wrong guess costs one refused request.
    r"(?:chat)?gpt-4o(?!.*(?:audio|realtime|transcribe|tts|search))",
    r"gpt-4-turbo(?!-preview)",
    r"gpt-4\.[15]",
    r"gpt-5",
    r"o1(?!-mini|-preview)(?![\w.])",
    r"o3(?!-mini)(?![\w.])",
    r"o4-mini",
    r"claude-(?:[3-9]|opus|sonnet|haiku)",
    r"gemini-(?:1\.5|[2-9]|flash|pro-latest)(?!.*(?:tts|embedding))",
    r"gemma-?3(?:n|[:-](?:4|12|27)b)",
    r"qwen[\d.]*-?(?:vl|omni)",
    r"qvq-",
    r"(?:bak)?llava",
    r"pixtral",
    r"internvl",
    r"minicpm-[ov]",
    r"llama-?4",
    r"phi-4-multimodal",
    r"(?:smol|deepseek-|kimi-)vlm?(?![a-z])",
    r"glm-[\d.]+v",
    r".*-vision(?![a-z])",
)
_KNOWN = re.compile("|".join(_FAMILIES))


def is_known_to_see(model: str) -> bool:
    """Whether ``model``, as endpoints name it (``gpt-4o-mini``, ``Qwen/Qwen2.5-VL-7B-Instruct``), sees pictures."""
    name = model.strip().lower().rpartition("/")[2].removeprefix("ft:")
    return _KNOWN.match(name) is not None
