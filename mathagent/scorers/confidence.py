"""Confidence: a Solution's own estimate becomes a calibrated probability, or is said to be uncalibrated.

``Calibrations`` finds the calibration for a backend, a strategy and its settings: in the user's folder, else among
those that come with the package.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from pydantic import ValidationError

from mathagent.errors import UsageError
from mathagent.scorers.calibration import Calibration, calibration_file
from mathagent.scorers.features import own_confidence
from mathagent.storage import store_json
from mathagent.types import Solution

UNCALIBRATED = "uncalibrated"


class Calibrations:
    """Folders of calibrations, one file each, looked into in their order. Default: the package's own.

    What was once looked for is remembered: a benchmark asks the same a thousand times.
    """

    def __init__(self, *folders: Path) -> None:
        self._folders: Sequence[Traversable] = (*folders, files("mathagent").joinpath("calibrations"))
        self._found: dict[str, Calibration | str] = {}

    def find(self, solution: Solution, backend: str) -> Calibration | str:
        """The calibration for solutions like this, or in words why there is none: ``uncalibrated``.

        ``backend`` is the identity of the backend that answered. A file that cannot be used is named, and passed over.
        """
        name = calibration_file(backend, solution.strategy, solution.config)
        if name not in self._found:
            self._found[name] = self._look_for(name)
        return self._found[name]

    def _look_for(self, name: str) -> Calibration | str:
        why_not = UNCALIBRATED
        for folder in self._folders:
            try:
                text = folder.joinpath(name).read_text(encoding="utf-8")
            except FileNotFoundError:
                continue
            except (OSError, UnicodeDecodeError) as error:
                why_not = f"{UNCALIBRATED}: {name} cannot be read ({error})"
                continue
            try:
                found = Calibration.model_validate_json(text)
            except ValidationError as error:
                why_not = f"{UNCALIBRATED}: {name} is no calibration of this version ({_first(error)})"
                continue
            if found.file_name == name:
                return found
            why_not = f"{UNCALIBRATED}: {name} is a calibration of something else"
        return why_not


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    said = first["msg"].removeprefix("Value error, ")
    return f"{place}: {said}" if place else said


def store_calibration(calibration: Calibration, folder: Path) -> Path:
    """Writes ``calibration`` into ``folder``, in place of an older one for the same. Raises StorageError."""
    path = folder / calibration.file_name
    store_json(path, calibration.model_dump(mode="json"), "choose another folder with --out")
    return path


def with_confidence(solution: Solution, found: Calibration | str) -> Solution:
    """``solution`` with the calibrated probability as its confidence; where ``found`` says why not, that is said.

    A solution without an answer stays as it is. The strategy's own estimate stays in ``raw_confidence``.
    """
    if solution.answer is None:
        return solution
    if isinstance(found, str):
        basis = _joined(solution.confidence_basis, found)
        return solution.model_copy(update={"confidence_basis": basis})
    return solution.model_copy(
        update={
            "confidence": round(found.probability(solution), 4),
            "confidence_basis": _joined(solution.confidence_basis, found.basis),
            "raw_confidence": own_confidence(solution),
        }
    )


def _joined(basis: str, more: str) -> str:
    return f"{basis}; {more}" if basis else more


def checked_share(min_confidence: float | None) -> float | None:
    """``min_confidence`` if it is a probability or None. Raises UsageError."""
    if min_confidence is not None and not 0 <= min_confidence <= 1:
        raise UsageError(f"a minimal confidence of {min_confidence:g} is impossible; give one from 0 to 1")
    return min_confidence


def abstaining(solution: Solution, min_confidence: float | None) -> Solution:
    """``solution``, marked as abstained where its answer's confidence is unknown or less than ``min_confidence``."""
    if min_confidence is None or solution.answer is None:
        return solution
    unsure = solution.confidence is None or solution.confidence < min_confidence
    return solution.model_copy(update={"abstained": unsure})
