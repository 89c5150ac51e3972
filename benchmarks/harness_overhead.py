"""What a harness costs: the same items through the same local server, which answers after a fixed time; whole process.

usage: python benchmarks/harness_overhead.py [--peers FOLDER] [--items N] [--at-once N] [--delay S] [--rounds N]

Ours is ``mathagent bench`` with the strategy cot: records, completion cache and grading are switched on, in a home of
its own. Peers do what they do by default for the same task (one chat request an item, their own grading by matching,
their own result files). Each harness is one process a round, in turns, from its start to its end; CPU is that of the
process and its children. "requests" is the server's view: from the first request's arrival to the last reply, without
start and end of the process. Ideal is as many waves of ``--at-once`` as the items need, each of ``--delay``.

Peers are never dependencies of ours: each lives in a folder below --peers (default ~/.cache/mathagent-peers):

  PEERS=~/.cache/mathagent-peers
  python -m venv $PEERS/inspect && $PEERS/inspect/bin/pip install inspect-ai openai
  python -m venv $PEERS/lm-eval && $PEERS/lm-eval/bin/pip install "lm-eval[api]"

Prints Markdown for docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web

ANSWER = "72"
REPLY = {
    "id": "1",
    "object": "chat.completion",
    "created": 0,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": f"The sum is \\boxed{{{ANSWER}}}\n\nANSWER: {ANSWER}"},
        }
    ],
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15},
}
TASK_OF_LM_EVAL = """
task: overhead
dataset_path: json
dataset_kwargs: {{data_files: {{test: {items}}}}}
test_split: test
output_type: generate_until
doc_to_text: "{{{{question}}}}"
doc_to_target: "{{{{answer}}}}"
generation_kwargs: {{until: ["</s>"], do_sample: false, temperature: 0.0}}
filter_list:
  - name: extract
    filter:
      - {{function: regex, regex_pattern: 'boxed\\{{(\\d+)\\}}'}}
      - {{function: take_first}}
metric_list: [{{metric: exact_match, aggregation: mean, higher_is_better: true}}]
metadata: {{version: 1.0}}
"""
TASK_OF_INSPECT = """
from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, json_dataset
from inspect_ai.scorer import match
from inspect_ai.solver import generate

@task
def overhead():
    return Task(
        dataset=json_dataset({items!r}, FieldSpec(input="question", target="answer")),
        solver=generate(),
        scorer=match(numeric=True),
    )
"""


def serve(delay_s: float, ready: Connection) -> None:
    """Answers every chat request after ``delay_s``; GET /span tells, and forgets, when it was busy."""
    busy: list[float] = []
    count = 0

    async def reply(request: web.Request) -> web.Response:
        nonlocal count
        busy[:] = busy or [time.monotonic()]
        await request.read()
        await asyncio.sleep(delay_s)
        busy[1:] = [time.monotonic()]
        count += 1
        return web.json_response(REPLY)

    async def span(_: web.Request) -> web.Response:
        nonlocal count
        told = {"seconds": busy[1] - busy[0] if len(busy) == 2 else 0.0, "requests": count}
        busy.clear()
        count = 0
        return web.json_response(told)

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/v1/chat/completions", reply)
        app.router.add_get("/span", span)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
        ready.send(runner.addresses[0][1])
        await asyncio.Event().wait()

    asyncio.run(main())


@dataclass(frozen=True)
class Setting:
    """Where a round takes place: the items' file, the server, a fresh folder, and how many requests at once."""

    items: Path
    server: str
    folder: Path
    at_once: int
    peers: Path

    @property
    def url(self) -> str:
        return f"{self.server}/v1"


@dataclass(frozen=True)
class Command:
    arguments: list[str]
    environment: dict[str, str]


def ours(setting: Setting) -> Command:
    arguments = [sys.executable, "-m", "mathagent", "bench", str(setting.items), "--strategy", "cot"]
    arguments += [
        "--model",
        "openai:m",
        "--base-url",
        setting.url,
        "--concurrency",
        str(setting.at_once),
        "--json",
    ]
    return Command(arguments, {"MATHAGENT_HOME": str(setting.folder / "home")})


def lm_eval(setting: Setting) -> Command:
    (setting.folder / "overhead.yaml").write_text(TASK_OF_LM_EVAL.format(items=setting.items))
    model = f"model=m,base_url={setting.url}/chat/completions,num_concurrent={setting.at_once},max_retries=1"
    arguments = [str(setting.peers / "lm-eval/bin/python"), "-m", "lm_eval", "run"]
    arguments += ["--model", "local-chat-completions", "--model_args", f"{model},tokenized_requests=False"]
    arguments += ["--tasks", "overhead", "--include_path", str(setting.folder), "--apply_chat_template"]
    arguments += ["--output_path", str(setting.folder / "out"), "--log_samples"]
    return Command(arguments, {"HF_HOME": str(setting.folder / "hf"), "OPENAI_API_KEY": "none"})


def inspect(setting: Setting) -> Command:
    task = setting.folder / "overhead_task.py"
    task.write_text(TASK_OF_INSPECT.format(items=str(setting.items)))
    arguments = [str(setting.peers / "inspect/bin/inspect"), "eval", task.name, "--model", "openai-api/local/m"]
    arguments += ["--max-connections", str(setting.at_once), "--max-samples", str(setting.at_once)]
    arguments += ["--display", "none", "--log-dir", str(setting.folder / "logs")]
    return Command(arguments, {"LOCAL_API_KEY": "none", "LOCAL_BASE_URL": setting.url})


HARNESSES = {"**mathagent bench**": ours, "lm-eval": lm_eval, "inspect-ai": inspect}
FOLDERS = {"lm-eval": "lm-eval", "inspect-ai": "inspect"}


@dataclass(frozen=True)
class Measured:
    wall_s: float
    cpu_s: float
    requests_s: float


def measure(command: Command, setting: Setting, items: int) -> Measured:
    """One round of one harness. Raises RuntimeError where it failed, or did not ask once for each item."""
    # pip has compiled the peers' modules; ours may be compiled too, as where it is installed.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with (setting.folder / "output.txt").open("w+") as output:
        started = time.perf_counter()
        child = subprocess.Popen(
            command.arguments,
            env={**inherited, **command.environment},
            cwd=setting.folder,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        _, status, used = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read()
    with urllib.request.urlopen(f"{setting.server}/span") as reply:
        span = json.load(reply)
    if child.returncode != 0 or span["requests"] != items:
        raise RuntimeError(f"exit code {child.returncode}, {span['requests']} requests: {said[-2000:]}")
    return Measured(wall, used.ru_utime + used.ru_stime, span["seconds"])


def version(name: str, peers: Path) -> str:
    """The version of a harness; "" for ours, whose commit says it."""
    if name not in FOLDERS:
        return ""
    python = peers / FOLDERS[name] / "bin/python"
    package = name.replace("-", "_")
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return " " + subprocess.run([python, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1000)
    parser.add_argument("--at-once", type=int, default=64)
    parser.add_argument("--delay", type=float, default=0.05)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peers", type=Path, default=Path("~/.cache/mathagent-peers").expanduser())
    given = parser.parse_args()
    ready, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=serve, args=(given.delay, theirs), daemon=True)
    server.start()
    address = f"http://127.0.0.1:{ready.recv()}"
    present = {
        name: harness
        for name, harness in HARNESSES.items()
        if name not in FOLDERS or (given.peers / FOLDERS[name]).exists()
    }
    for name in sorted(HARNESSES.keys() - present.keys()):
        print(f"{name} is not in {given.peers}: left out", file=sys.stderr)
    found: dict[str, list[Measured]] = {name: [] for name in present}
    with tempfile.TemporaryDirectory() as folder:
        items = Path(folder) / "overhead.jsonl"
        lines = [{"question": f"What is {72 - i} + {i}?", "answer": ANSWER} for i in range(given.items)]
        items.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
        for round_ in range(given.rounds):
            for name, harness in present.items():
                own = Path(folder) / f"{round_}-{FOLDERS.get(name, 'ours')}"
                own.mkdir()
                setting = Setting(items, address, own, given.at_once, given.peers.resolve())
                measured = measure(harness(setting), setting, given.items)
                found[name].append(measured)
                print(f"{name}: {measured}", file=sys.stderr)
    server.terminate()
    report(found, given.items, given.at_once, given.delay, given.peers)


def report(found: dict[str, list[Measured]], items: int, at_once: int, delay_s: float, peers: Path) -> None:
    ideal = math.ceil(items / at_once) * delay_s
    print(f"{items} items, {at_once} at once, {delay_s:g} s a reply: ideal {ideal:.2f} s (median of the rounds)\n")
    print("| harness | whole process s | × ours | requests s | over ideal | CPU s |\n|---|---|---|---|---|---|")
    (base, *_) = [statistics.median(one.wall_s for one in rounds) for rounds in found.values()]
    for name, rounds in found.items():
        wall, cpu, requests = (
            statistics.median(getattr(one, field) for one in rounds) for field in ("wall_s", "cpu_s", "requests_s")
        )
        over = requests / ideal - 1
        label = name + version(name, peers)
        print(f"| {label} | {wall:.2f} | {wall / base:.1f} | {requests:.2f} | {over:+.1%} | {cpu:.2f} |")


if __name__ == "__main__":
    main()
