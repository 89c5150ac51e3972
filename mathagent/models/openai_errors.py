"""What can go wrong with an endpoint, each as one line that says what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from mathagent.errors import BackendError
from mathagent.models.base import PromptTooLong

_PASSING = frozenset({408, 409, 425, 429, *range(500, 600)} - {501, 505})
"""All that servers, and the proxies before them, call their own failure, but for what they have not learned to do."""

# What servers call their failures, in the fields "type" and "code" of OpenAI's error bodies: that of the first pattern
# found. A refused model is called an invalid request, too, so that stands further down. "_" stands for " ", "_" or "".
_KINDS = tuple(
    (re.compile(words.replace("_", "[_ ]?")), status)
    for words, status in (
        ("insufficient_quota|rate_limit|too_many_requests", 429),
        ("authenticat|unauthori[sz]ed|invalid_api_key", 401),
        ("permission|forbidden", 403),
        ("not_found|unexpected_endpoint", 404),
        ("invalid_(request|prompt|value)|bad_request|context_length|unprocessable|validation", 400),
        ("overloaded|unavailable", 503),
        ("time_out", 504),
        ("server_error|internal", 500),
    )
)

_TOO_LONG = re.compile(r"context[ _](length|size|window)|prompt is too long", re.IGNORECASE)
"""How servers say that a prompt is too long: OpenAI, vLLM, SGLang, llama.cpp."""


def stated_error(body: object, message: str, *, backend: str, base_url: str) -> BackendError:
    """The error for a failure that the server reports with HTTP status 200, as ``body`` of OpenAI's form (or a text).

    It has the status that the body states, or that its kind has elsewhere; where neither is known, the true one, 200:
    the server works, and says that this request failed.
    """
    status = _stated_status(body)
    if status is not None:
        return status_error(
            status, message, backend=backend, base_url=base_url, told=f"HTTP 200, meaning {status}"
        )
    return BackendError(f"{backend} at {base_url} reports: {message}; check the model and the URL", status=200)


def stated_failure(reply: object) -> object | None:
    """What ``reply`` (parsed JSON, with HTTP status 200) says that went wrong, in OpenAI's form or an older one of
    vLLM and FastChat; None where it says nothing of the kind."""
    if not isinstance(reply, Mapping):
        return None
    return reply if reply.get("object") == "error" else reply.get("error") or None


def _stated_status(body: object) -> int | None:
    if not isinstance(body, Mapping):
        words = body if isinstance(body, str) else ""
    else:
        for name in ("code", "status"):
            number = str(body.get(name, ""))
            if re.fullmatch(r"[45]\d\d", number):
                return int(number)
        words = f"{body.get('type') or ''} {body.get('code') or ''}"
    found = words.lower()[:1000]
    return next((status for pattern, status in _KINDS if pattern.search(found)), None)


def status_error(
    status: int, message: str, *, backend: str, base_url: str, retry_after: str | None = None, told: str = ""
) -> BackendError:
    """The error for an HTTP status; ``message`` is what the server said, ``told`` how it came where not as the status.
    Only passing failures are retryable."""
    told = told or f"HTTP {status}"
    where = f"{backend} at {base_url}"
    said = f": {message}" if message else ""
    if status in (401, 403):
        advice = "check OPENAI_API_KEY (or the endpoint's own key)"
        return BackendError(f"{where} refused the key ({told}){said}; {advice}", status=status)
    if status in (404, 405):
        advice = "check the model's name"
        if not base_url.rstrip("/").endswith("/v1"):
            advice += f", and whether the URL should be {base_url.rstrip('/')}/v1"
        return BackendError(f"{where} knows no such model or path ({told}){said}; {advice}", status=status)
    if status in _PASSING and "insufficient_quota" not in message:
        what = "asks to slow down" if status == 429 else "failed"
        wait = retry_after_seconds(retry_after)
        when = "try again later" if not wait else f"try again in {wait:.0f} s"
        return BackendError(
            f"{where} {what} ({told}){said}; {when}", retryable=True, status=status, retry_after_s=wait
        )
    advice = "change the request or choose another model or endpoint"
    kind = PromptTooLong if status == 400 and _TOO_LONG.search(message) else BackendError
    return kind(f"{where} refused the request ({told}){said}; {advice}", status=status)


def connection_error(error: BaseException, *, backend: str, base_url: str, reached: bool) -> BackendError:
    """The error for a request without a whole reply.

    ``reached``: the endpoint has answered before, so that a failure to connect is a passing one. Where it never
    has, the address is most likely wrong and waiting cannot help.
    """
    import aiohttp

    causes = list(_causes(error))
    if any(isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError) for cause in causes):
        reason = _short(causes[-1])
        message = f"{backend}: cannot reach {base_url} ({reason}); is the server running? check --base-url"
        return BackendError(message, retryable=reached)
    if any(isinstance(cause, TimeoutError) for cause in causes):
        message = f"{backend} at {base_url} did not answer in time; is the server overloaded? try again later"
        return BackendError(message, retryable=True)
    reason = _short(causes[-1])
    return BackendError(
        f"{backend} at {base_url}: the reply broke off ({reason}); trying again may help", retryable=True
    )


def not_json(backend: str, base_url: str, text: str) -> BackendError:
    """The error for a reply that is not JSON: a web page comes from a wrong URL, all else may be a cut reply."""
    is_page = text.lstrip()[:1] == "<"
    what = "a web page" if is_page else "something that is not valid JSON"
    return BackendError(
        f"{backend}: {base_url} answered with {what}; is it the URL of an OpenAI-compatible endpoint?",
        retryable=not is_page,
    )


def retry_after_seconds(header: str | None) -> float | None:
    """Seconds of a Retry-After header (seconds or an HTTP date); None where there is none or it is unreadable."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        pass
    else:
        return seconds if 0 <= seconds < float("inf") else None
    try:
        moment = parsedate_to_datetime(header)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def _causes(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what it was raised from, down to the first cause."""
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _short(error: BaseException) -> str:
    text = getattr(error, "message", None) or str(error)  # aiohttp's str puts "400, message:" before a broken body
    line = " ".join(str(text).split()) or type(error).__name__
    return line if len(line) <= 150 else line[:149] + "…"
