"""Every reason to refuse a request: HTTP status, a stable code, and a message in English and Chinese."""

from typing import Any

from resnet18_lab.base.errors import CodedError

_TEXTS: dict[str, tuple[int, str, str]] = {
    "no_file": (400, "Send one image in the field 'file'{found}.", "请在字段 file 中发送一张图片{found}。"),
    "bad_multipart": (400, "The multipart body is broken ({reason}); send it again.", "multipart 请求体格式错误（{reason}），请重新发送。"),
    "bad_request": (400, "The request cannot be understood: {reason}.", "无法理解该请求：{reason}。"),
    "too_many_files": (413, "There are more than {limit} files; send fewer at a time.", "文件数量超过 {limit} 个，请分批发送。"),
    "body_too_large": (413, "The whole body has more than {limit} MB; send less at a time.", "请求体超过 {limit} MB，请减少单次发送的数据。"),
    "unsupported_encoding": (415, "Of Content-Encoding only gzip is taken; send the body so, or as it is.", "Content-Encoding 仅支持 gzip，请以此压缩或直接发送原始数据。"),
    "bad_parameter": (422, "{reason}.", "参数有误：{reason}。"),
    "slow_head": (408, "The head of the request did not arrive within {seconds:g} s; send it again.", "请求头未在 {seconds:g} 秒内到达，请重新发送。"),
    "slow_client": (408, "The body did not arrive within {seconds:g} s; send it again.", "请求体未在 {seconds:g} 秒内到达，请重新发送。"),
    "not_finite": (400, "The values are too large: the logits are no finite numbers; normalise the pictures.", "数值过大，输出不是有限数；请先对图片做归一化。"),
    "too_many_requests": (429, "More than {rate:g} requests a second came from this address; try again in a moment.", "来自该地址的请求超过每秒 {rate:g} 次，请稍后重试。"),
    "server_busy": (503, "The service has as much work as it takes; try again in a moment.", "服务器繁忙，请稍后重试。"),
    "timeout": (504, "The answer was not ready within {seconds:g} s; try again.", "未能在 {seconds:g} 秒内得到结果，请重试。"),
    "no_key": (401, "This service asks for a key; send it as `Authorization: Bearer KEY`.", "本服务需要密钥，请以 Authorization: Bearer KEY 发送。"),
    "no_bearer": (401, "The key has to come as `Authorization: Bearer KEY`; another scheme came.", "密钥须以 Authorization: Bearer KEY 发送，收到的是其他认证方式。"),
    "wrong_key": (401, "This key is not known here; ask whoever runs the service for one.", "密钥无效，请向服务的管理者索取。"),
    "cross_site": (403, "A page of {origin} may not use this service; name it with --cors-origin if it shall.", "不允许 {origin} 的网页使用本服务；如需允许，请用 --cors-origin 指定。"),
    "unknown_host": (421, "This service is not {host}; name it with --allowed-host if it is.", "本服务的地址不是 {host}；如果是，请用 --allowed-host 指定。"),
    "not_found": (404, "There is nothing at this address; /docs lists what there is.", "该地址不存在，请参阅 /docs。"),
    "method_not_allowed": (405, "This address does not take that method; /docs lists what there is.", "该地址不支持此请求方法，请参阅 /docs。"),
    "internal_error": (500, "Something went wrong in the service; its log has more under the request id.", "服务器内部错误，详情见日志中的请求编号。"),
}  # fmt: skip
_CODE_OF_TEXT = {
    "slow_head": "slow_client", "not_finite": "bad_request",
    "no_key": "unauthorized", "no_bearer": "unauthorized", "wrong_key": "unauthorized",
}  # fmt: skip
_STATUS_OF_PICTURE = {
    "file_too_large": 413,
    "too_many_pixels": 413,
    "not_an_image": 415,
    "unsupported_format": 415,
    "out_of_memory": 503,
}
_BROKEN_PICTURE = 422
_ABOUT_BODIES = ("no_file", "bad_multipart", "too_many_files", "body_too_large")
RETRY_AFTER_SECONDS = 1


class ServiceError(CodedError):
    """A request that is not answered, with its HTTP status."""

    def __init__(self, status: int, code: str, message: str, message_zh: str) -> None:
        super().__init__(code, message, message_zh)
        self.status = status
        self.retry_after: int | None = None
        """Seconds after which to ask again, where it is not the usual time."""


def service_error(code: str, **values: Any) -> ServiceError:  # noqa: ANN401 - figures and names for the text
    """The error for a key of the table of texts (mostly the code itself), with ``values`` filled in."""
    status, english, chinese = _TEXTS[code]
    return ServiceError(status, _CODE_OF_TEXT.get(code, code), english.format(**values), chinese.format(**values))


def no_file(fields: list[str]) -> ServiceError:
    """The error for a form without a file; it names the first fields of the form, shortened."""
    names = ", ".join(repr(name[:30]) for name in fields[:3])
    return service_error("no_file", found=f" (found: {names})" if names else "")


def status_of(error: CodedError) -> int:
    """The HTTP status of an error of a picture or of the service."""
    if isinstance(error, ServiceError):
        return error.status
    return _STATUS_OF_PICTURE.get(error.code, _BROKEN_PICTURE)


def of_status(status: int) -> ServiceError:
    """The error for an HTTP status that the framework raises without a text."""
    for code, (its_status, _, _) in _TEXTS.items():
        if its_status == status and code not in _ABOUT_BODIES:
            return service_error(code, reason=f"status {status}", seconds=0)
    return ServiceError(
        status, "http_error", f"The request was refused with status {status}.", f"请求被拒绝（{status}）。"
    )


def error_body(error: CodedError, request_id: str, file: str = "") -> dict[str, Any]:
    """The JSON of a refusal; the file's name appears beside the error, as in every result, and within it."""
    words = {"code": error.code, "message": error.message, "message_zh": error.message_zh, "filename": file}
    return {"file": file, "error": words, "request_id": request_id}
