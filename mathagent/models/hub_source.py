"""Weights from a Hugging Face hub: one file over HTTP, resumed where it broke off."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote

import httpx

from mathagent.config import settings
from mathagent.models.catalog import HubSource
from mathagent.models.fetch_job import FetchJob, SourceFailed

CONNECT_TIMEOUT_S = 8.0
READ_TIMEOUT_S = 30.0
REPORT_BYTES = 1 << 20
MAX_FRUITLESS_TRIES = 3
"""So many broken connections in a row without a new byte end it."""


def fetch_from_hub(job: FetchJob, source: HubSource) -> Path:
    """Downloads the file and returns the finished partial file (not yet hashed).

    Raises SourceFailed where the hub cannot be reached, refuses, or has another file under that name.
    """
    host = settings().hub_url.rstrip("/")
    url = f"{host}/{source.repo}/resolve/{quote(source.revision, safe='')}/{quote(source.file)}"
    token = settings().hub_token
    headers = {"Accept-Encoding": "identity"}
    if token is not None and token.get_secret_value():
        headers["Authorization"] = f"Bearer {token.get_secret_value()}"
    partial = job.partial("hub")
    timeout = httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S)
    fruitless = 0
    with httpx.Client(follow_redirects=True, timeout=timeout, headers=headers) as client:
        while (start := _size(partial)) < job.entry.size:
            try:
                _request(client, url, job, partial, start)
            except (httpx.TransportError, httpx.InvalidURL) as error:
                gained = _size(partial) > start
                fruitless = 0 if gained else fruitless + 1
                if not (gained or start) or fruitless >= MAX_FRUITLESS_TRIES:
                    raise SourceFailed(f"cannot reach {host} ({_reason(error)})") from error
    if _size(partial) > job.entry.size:
        partial.unlink()
        raise SourceFailed(f"{host} sent more than the {job.entry.size} bytes of the model")
    return partial


def _request(client: httpx.Client, url: str, job: FetchJob, partial: Path, start: int) -> None:
    headers = {"Range": f"bytes={start}-"} if start else {}
    with client.stream("GET", url, headers=headers) as response:
        _check(response, job, url)
        resumed = response.status_code == 206 and start > 0
        done = reported = start if resumed else 0
        job.check_space(job.entry.size - done)
        with partial.open("ab" if resumed else "wb") as file:
            for block in response.iter_raw():  # in the network's own pieces: none is lost when it breaks
                job.check_cancelled()
                file.write(block)
                done += len(block)
                if done - reported >= REPORT_BYTES or done >= job.entry.size:
                    job.report(min(done, job.entry.size), "")
                    reported = done
                if done > job.entry.size:
                    return
    if done < job.entry.size:
        raise httpx.ReadError("the connection ended before the file did")


def _check(response: httpx.Response, job: FetchJob, url: str) -> None:
    """Refuses, before its bytes are fetched, what cannot be our file. The hub names its sha256 while redirecting."""
    if response.status_code not in (200, 206):
        # 416: what is there is shorter than what we already have, so it is not our file.
        advice = "; is HF_TOKEN right?" if response.status_code in (401, 403) else ""
        raise SourceFailed(f"{url} answered HTTP {response.status_code}{advice}")
    for step in (*response.history, response):
        digest = re.fullmatch(r'(?:W/)?"?([0-9a-f]{64})"?', step.headers.get("x-linked-etag", ""))
        if digest and digest[1] != job.entry.sha256:
            raise SourceFailed(f"{url} holds another file now (its sha256 is not the pinned one)")
    header = "content-length" if response.status_code == 200 else "content-range"
    whole = response.headers.get(header, "").rpartition("/")[2]
    if whole.isdecimal() and int(whole) != job.entry.size:
        raise SourceFailed(f"{url} has {whole} bytes, not {job.entry.size}")


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
