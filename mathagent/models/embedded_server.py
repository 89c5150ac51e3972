"""The program of the child process that holds an embedded model: llama.cpp's own HTTP server, on loopback only.

Run as a file, not imported by its parent: it needs nothing of ours. Protocol: one JSON line of options on stdin; one
JSON line ``{"url": …, "pid": …}`` on stdout once it answers; it ends when stdin ends or its parent is gone, so that
not even ``kill -9`` of the parent leaves a server behind. Whatever llama.cpp says goes to stderr.

(No PR_SET_PDEATHSIG: that signal comes when the *thread* that started us ends, which worker threads do early.)
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from typing import Any

PARENT_POLL_S = 1.0


def server_params(options: dict[str, Any]) -> Any:
    """llama.cpp's settings for ``options``: model (path), alias, api_key, context (tokens of one slot), slots,
    threads (0: llama.cpp decides), cache_mb (RAM for prompts that have left their slot), kv_k and kv_v (types of the
    cache), speculation, adapters ((path, scale) each), pooling ("last", "mean", or "": no vectors), chat_template
    (Jinja; "": the model's own, or ChatML's where it has none).
    """
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = options["model"]
    params.model_alias = {options["alias"]}
    params.n_parallel = options["slots"]
    params.n_ctx = options["context"] * options["slots"]  # llama.cpp splits n_ctx over the slots
    params.fit_params = False  # the context is what we say, also where memory is short
    if options["threads"]:
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = options["threads"]
    # The defaults here are: no key, every web page may ask, a web page of its own, 8 GB of RAM for old prompts.
    params.hostnames = ["127.0.0.1"]
    params.port = 0  # the system picks a free one
    params.api_keys = [options["api_key"]]
    params.cors_origins = params.cors_headers = params.cors_methods = ""
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = False  # would show the prompts of others
    params.cache_ram_mib = options["cache_mb"]
    # One buffer for all slots would be slower (17.9 s instead of 14.9 s for 4 samples of 100 tokens) and would
    # make the slots forget their prompts when idle.
    params.kv_unified = params.cache_idle_slots = False
    params.cache_type_k = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{options['kv_k'].upper()}")
    params.cache_type_v = getattr(xllamacpp.ggml_type, f"GGML_TYPE_{options['kv_v'].upper()}")
    params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(path, scale) for path, scale in options["adapters"]]
    if options["pooling"]:
        # Every token of a prompt then goes through the output layer, of chats as well: they are read more slowly.
        params.embedding = True
        params.pooling_type = getattr(
            xllamacpp.llama_pooling_type, f"LLAMA_POOLING_TYPE_{options['pooling'].upper()}"
        )
    _speculate(params, options)
    params.use_jinja = True
    if options["chat_template"]:
        params.chat_template = options["chat_template"]
    params.warmup = False
    params.verbosity = 2  # warnings and errors
    return params


def _speculate(params: Any, options: dict[str, Any]) -> None:
    """Sets how tokens are proposed; what is not said stays as llama.cpp has it."""
    import xllamacpp

    asked, kinds = options["speculation"], xllamacpp.common_speculative_type
    kind = asked["kind"].replace("-", "_")
    params.speculative.types = [getattr(kinds, f"COMMON_SPECULATIVE_TYPE_{kind.upper()}")]
    if kind == "draft_simple":
        draft = params.speculative.draft
        draft.mparams.path = asked["draft"]
        if options["threads"]:
            draft.cpuparams.n_threads = draft.cpuparams_batch.n_threads = options["threads"]
        wanted = {"n_max": asked["tokens"], "p_min": asked["p_min"]}
        proposing = draft
    elif kind == "ngram_mod":
        proposing, wanted = params.speculative.ngram_mod, {"n_match": asked["ngram"], "n_max": asked["tokens"]}
        if asked["tokens"] is not None:
            proposing.n_min = min(proposing.n_min, asked["tokens"])
    elif kind.startswith("ngram_") and kind != "ngram_cache":
        proposing, wanted = (
            getattr(params.speculative, kind),
            {"size_n": asked["ngram"], "size_m": asked["tokens"]},
        )
    else:
        return
    for name, value in wanted.items():
        if value is not None:
            setattr(proposing, name, value)


def main() -> None:
    """Serves until stdin ends or the parent is gone."""
    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which may still want our answers
    reply = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # llama.cpp also prints on stdout
    options = json.loads(sys.stdin.readline())
    threading.Thread(target=_exit_at_end_of_input, daemon=True).start()

    import xllamacpp

    server = xllamacpp.Server(server_params(options))
    reply.write(json.dumps({"url": server.listening_address, "pid": os.getpid()}) + "\n")
    reply.close()
    while os.getppid() == parent:  # a fork of the parent may hold our stdin open
        time.sleep(PARENT_POLL_S)
    os._exit(0)


def _exit_at_end_of_input() -> None:
    while sys.stdin.read(1):
        pass
    os._exit(0)  # at once: nothing of ours needs tidying, and llama.cpp's threads may be in the middle of a token


if __name__ == "__main__":
    main()
