"""``/v1/problems/transcribe``: a photo of a problem becomes its text, to be checked and then solved."""

from __future__ import annotations

import base64
import binascii

from fastapi import APIRouter, Request
from pydantic import Field

from mathagent.agents.transcribe import Transcription
from mathagent.errors import UsageError
from mathagent.models.images import MOST_IMAGE_BYTES, image_of
from mathagent.server.api_errors import ApiError
from mathagent.server.chat_wire import Sent
from mathagent.server.openapi_text import ERRORS
from mathagent.server.parts import Key, SharedParts, while_there
from mathagent.types import Image

router = APIRouter(prefix="/v1/problems", tags=["problems"], responses=ERRORS)
MOST_CHARACTERS = (MOST_IMAGE_BYTES // 3 + 1) * 4


class PhotoBody(Sent):
    """A photo of a problem."""

    image: str = Field(
        min_length=1, max_length=MOST_CHARACTERS, description="A PNG, JPEG, WebP or GIF file, in base64."
    )
    model: str | None = Field(default=None, max_length=200, description="None: the server's own.")

    def picture(self) -> Image:
        """The picture. Raises ApiError where it is none."""
        try:
            return image_of(base64.b64decode(self.image.encode("ascii"), validate=True))
        except (binascii.Error, UnicodeEncodeError) as error:
            message = "image: it is not base64; send the file's bytes so, without 'data:' before them"
            raise ApiError(400, message, code="invalid_value", param="image") from error
        except UsageError as error:
            raise ApiError(400, f"image: {error}", code="invalid_value", param="image") from error


@router.post("/transcribe")
async def transcribe(body: PhotoBody, request: Request, parts: SharedParts, key: Key) -> Transcription:
    """The text of the problem that a photo shows, formulas in LaTeX, as the model reads it: check it before it is
    solved. `complete` is false where the reply ended at its limit of tokens. It counts as a solve of the key."""
    desk = parts.desk
    work = desk.transcribe(body.picture(), body.model or desk.models.default, key)
    return await while_there(request, work)
