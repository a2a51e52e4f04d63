"""The Open Inference Protocol as its clients see it."""

import json

import httpx
import numpy as np
import pytest
from support import running_service as serving
from support.project import samples_dir

from resnet18_lab.inference.predictions import top_k
from resnet18_lab.inference.registry import open_engine
from resnet18_lab.preprocessing import transform
from resnet18_lab.preprocessing.decode import decode

CAT = samples_dir() / "cat.jpg"
INFER = "/v2/models/resnet18/infer"
SHAPE = [1, 3, 224, 224]


@pytest.fixture(scope="module")
def service(untrained_home, tmp_path_factory):
    running = serving.start(
        untrained_home,
        tmp_path_factory.mktemp("inferring") / "tmp",
        "--weights",
        "untrained",
        "--backend",
        "onnxruntime-fp32",
    )
    yield running
    assert running.stop() == 0
    assert not [line for line in running.lines if "Traceback" in line]


@pytest.fixture(scope="module")
def client(service):
    with service.client() as client:
        yield client


def tensor(**fields):
    return {"name": "input", "datatype": "FP32", "shape": SHAPE, **fields}


def infer(client, batch, *, headers=(), target=INFER, **head):
    """The answer to a batch sent in binary."""
    given = tensor(shape=list(batch.shape), parameters={"binary_data_size": batch.nbytes})
    text = json.dumps({"inputs": [given], **head}).encode()
    length = {"inference-header-content-length": str(len(text)), **dict(headers)}
    return client.post(target, content=text + batch.tobytes(), headers=length)


@pytest.mark.parametrize("target", [INFER, "/v2/models/resnet18/versions/1/infer"])
def test_it_speaks_json(client, untrained_home, monkeypatch, target):
    batch = transform.preprocess(decode(CAT))
    answer = client.post(target, json={"id": "7", "inputs": [tensor(data=batch.reshape(-1).tolist())]}).json()
    monkeypatch.setenv("RESNET18_LAB_HOME", str(untrained_home))
    with open_engine("onnxruntime-fp32", weights="untrained", threads=1) as engine:
        logits = engine.run(batch)
    assert answer["id"] == "7"
    assert answer["outputs"][0]["shape"] == [1, 1000]
    np.testing.assert_allclose(answer["outputs"][0]["data"], logits[0], atol=1e-4)


@pytest.mark.parametrize(("binary", "rows"), [(True, 11), (False, 1)])
def test_tritonclient_can_talk_to_it(service, binary, rows):
    triton = pytest.importorskip("tritonclient.http")
    batch = np.concatenate([transform.preprocess(decode(CAT))] * rows)
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("resnet18")
        assert client.is_model_ready("resnet18", "1")
        assert client.get_model_metadata("resnet18", "1")["inputs"][0]["shape"] == [-1, 3, 224, 224]
        given = triton.InferInput("input", list(batch.shape), "FP32")
        given.set_data_from_numpy(batch, binary_data=binary)
        wanted = triton.InferRequestedOutput("logits", binary_data=binary)
        logits = client.infer("resnet18", [given], "1", outputs=[wanted]).as_numpy("logits")
    assert logits.shape == (rows, 1000)
    answer = httpx.post(service.url + "/predict", files={"file": CAT.read_bytes()}).json()["predictions"]
    assert [best.index for best in top_k(logits[:1].astype(np.float32))[0]] == [best["index"] for best in answer]


def test_tritonclient_reads_the_reason_of_a_refusal(service):
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        given = triton.InferInput("input", [1, 3, 8, 8], "FP32")
        given.set_data_from_numpy(np.zeros((1, 3, 8, 8), np.float32))
        with pytest.raises(triton.InferenceServerException, match=r"the shape must be \[N,3,224,224\]"):
            client.infer("resnet18", [given])
        with pytest.raises(triton.InferenceServerException, match="There is nothing at this address"):
            client.get_model_metadata("another")


def refused(answer, status, *words):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    assert isinstance(error, str)
    for word in words:
        assert word in error
    assert answer.json()["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b'{"inputs": []}', b'{"inputs": [{"name": "input"}]}', b"{" * 5000, b"\xff\xfe",
        *(
            json.dumps({"inputs": [tensor(**fields)]}).encode()
            for fields in (
                {"data": [1]}, {"data": ["a"]}, {"data": [], "shape": [-1, 3, 224, 224]},
                {"data": [], "shape": [99_999_999, 3, 224, 224]}, {"data": [], "datatype": "INT8"},
                {"data": [], "shape": [True, 3, 224, 224]}, {"data": [], "shape": {"a": 1}},
                {"parameters": {"binary_data_size": "x"}},
            )
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("head", [None, "0", "5", "-1", "x", "99999999", "1" * 5000])
def test_bad_tensors_are_refused(client, body, head):
    headers = {"inference-header-content-length": head} if head else {}
    answer = client.post(INFER, content=body, headers=headers)
    refused(answer, 400)
    assert answer.json()["code"] == "bad_request"


@pytest.mark.parametrize("shape", [[1.0, 3, 224, 224], [1, 3.0, 224, 224], [1, 3, 224.0, 224.0]])
def test_a_shape_of_fractions_is_refused(client, shape):
    data = np.zeros(SHAPE, np.float32).reshape(-1).tolist()
    refused(client.post(INFER, json={"inputs": [tensor(shape=shape, data=data)]}), 400, "shape")


@pytest.mark.parametrize(("value", "word"), [(np.nan, "finite"), (np.inf, "finite"), (3e38, "too large")])
@pytest.mark.parametrize("binary", [True, False])
def test_values_without_finite_logits_are_refused(client, value, word, binary):
    refused(infer(client, np.full(SHAPE, value, np.float32), binary_data_output=binary), 400, word)


def test_only_the_model_version_and_output_that_exist_are_known(client):
    batch = np.zeros(SHAPE, np.float32)
    refused(client.post("/v2/models/other/infer", content=b"{}"), 404)
    for target in ("", "/ready", "/infer"):
        call = client.post if target == "/infer" else client.get
        refused(call(f"/v2/models/resnet18/versions/2{target}"), 404)
    refused(infer(client, batch, outputs=[{"name": "probabilities"}]), 400, "logits")
    refused(infer(client, batch, outputs="logits"), 400, "logits")
    assert infer(client, batch, outputs=[{"name": "logits"}]).json()["outputs"][0]["name"] == "logits"


def test_text_before_binary_values_is_short(client):
    padded = infer(client, np.zeros(SHAPE, np.float32), padding="x" * 200_000)
    refused(padded, 400, "Inference-Header-Content-Length")
    refused(client.post(INFER, content=b'{"a": "' + b"x" * 13_000_000 + b'"}'), 413)
