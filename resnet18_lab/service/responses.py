"""Responses: JSON that cannot be mistaken for HTML, the form of a refusal, and the security headers."""

import json
import re
from typing import Any

from fastapi.responses import Response

from resnet18_lab.base.errors import CodedError
from resnet18_lab.service.refusals import RETRY_AFTER_SECONDS, error_body, status_of

_OPEN_INFERENCE = "/v2"
_SAFE = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"})
_UNSAFE = re.compile("[<>&\u2028\u2029]")
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; object-src 'none'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
}


class JsonAnswer(Response):
    """UTF-8 JSON with ``<``, ``>`` and ``&`` escaped, so that nothing in it can be mistaken for HTML."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:  # noqa: ANN401 - whatever JSON can hold
        """The bytes of the body; raises ValueError for a number that JSON cannot represent."""
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        if _UNSAFE.search(text):  # translating takes longer than looking, and few answers need it
            text = text.translate(_SAFE)
        return text.encode("utf-8", "replace")


def refusal(error: CodedError, request_id: str, *, file: str = "", path: str = "") -> JsonAnswer:
    """The answer for a request or picture that is refused.

    Under /v2 ``error`` is the sentence itself, as that protocol's clients expect, with the rest beside it.
    """
    status = status_of(error)
    seconds = getattr(error, "retry_after", None) or (RETRY_AFTER_SECONDS if status == 503 else None)
    headers = {"retry-after": str(seconds)} if seconds else {}
    if status == 401:
        headers["www-authenticate"] = 'Bearer realm="resnet18_lab"'
    body = error_body(error, request_id, file)
    if path == _OPEN_INFERENCE or path.startswith(f"{_OPEN_INFERENCE}/"):
        words = body["error"]
        body = {"error": words["message"], "code": words["code"], "request_id": request_id}
    return JsonAnswer(body, status, headers)
