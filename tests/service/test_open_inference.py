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
    refused(infer(client, np.full(SHAPE, value, np.float32), parameters={"binary_data_output": binary}), 400, word)


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


FLAT = [0.5] * (3 * 224 * 224)
NESTED = np.full(SHAPE, 0.5, np.float32).tolist()


@pytest.mark.parametrize("data", [FLAT, NESTED, [0] * len(FLAT)], ids=["flat", "nested", "integers"])
def test_numbers_are_taken_flat_or_nested_as_the_shape_says(client, data):
    assert client.post(INFER, json={"inputs": [tensor(data=data)]}).status_code == 200


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (np.full([1, 224, 224, 3], 0.5).tolist(), "nested"), (np.full([3, 1, 224, 224], 0.5).tolist(), "nested"),
        ([FLAT], "nested"), ([[[[0.5]]]], "nested"), (FLAT[:-1], "holds"), (["0.5", *FLAT[1:]], "no strings"),
        ([True, *FLAT[1:]], "no booleans"), ([None, *FLAT[1:]], "numbers"), ([[*FLAT[1:], 1.0]], "nested"),
        ([10**400, *FLAT[1:]], "finite"), ("0.5", "list"), (None, "list"), ({}, "list"),
    ],
)  # fmt: skip
def test_what_is_no_number_of_the_shape_is_refused(client, data, word):
    refused(client.post(INFER, json={"inputs": [tensor(data=data)]}), 400, word)


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"parameters": {"sequence_id": 3}}, "sequence_id"), ({"parameters": {"priority": 1}}, "priority"),
        ({"parameters": {"binary_data_output": 1}}, "boolean"), ({"parameters": []}, "object"), ({"extra": 1}, "extra"),
        ({"id": 7}, "id"), ({"outputs": [{"name": "logits", "parameters": {"shared_memory_region": "x"}}]}, "shared_memory"),
        ({"outputs": [{"name": "logits", "parameters": {"classification": 0.5}}]}, "integer"),
        ({"outputs": [{"name": "logits", "parameters": {"classification": 1001}}]}, "1000"),
        ({"outputs": [{"name": "logits"}, {"name": "logits"}]}, "one tensor"),
        ({"inputs": [tensor(data=FLAT, parameters={"shared_memory_region": "x"})]}, "shared_memory"),
        ({"inputs": [tensor(data=FLAT, parameters={"binary_data_size": 602_112})]}, "binary_data_size"),
        ({"inputs": [tensor(data=FLAT, layout="NHWC")]}, "layout"),
    ],
)  # fmt: skip
def test_what_it_cannot_mean_is_refused_with_the_reason(client, fields, word):
    refused(client.post(INFER, json={"inputs": [tensor(data=FLAT)], **fields}), 400, word)


def test_bytes_that_nobody_claims_are_refused(client):
    text = json.dumps({"inputs": [tensor(data=FLAT[:])]}).encode()
    text = text.replace(b"0.5", b"1")[:90_000].rpartition(b",")[0] + b"]}]}"
    answer = client.post(INFER, content=text + b"rest", headers={"inference-header-content-length": str(len(text))})
    refused(answer, 400, "no binary_data_size")


@pytest.mark.parametrize("binary", [True, False])
def test_best_classes_are_served_as_score_index_and_label(service, binary):
    triton = pytest.importorskip("tritonclient.http")
    batch = np.concatenate([transform.preprocess(decode(CAT))] * 2)
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        given = triton.InferInput("input", list(batch.shape), "FP32")
        given.set_data_from_numpy(batch)
        logits = client.infer("resnet18", [given]).as_numpy("logits")
        wanted = triton.InferRequestedOutput("logits", binary_data=binary, class_count=4)
        classes = client.infer("resnet18", [given], outputs=[wanted]).as_numpy("logits")
    assert classes.shape == (2, 4)
    best = top_k(logits.astype(np.float32), 4)
    for row, predictions in zip(classes, best, strict=True):
        texts = [text.decode() if isinstance(text, bytes) else text for text in row]
        assert [text.split(":", 2)[1:] for text in texts] == [[str(one.index), one.en] for one in predictions]
        np.testing.assert_allclose([float(text.split(":")[0]) for text in texts], -np.sort(-logits[0])[:4], atol=1e-4)


def test_tritonclient_gets_configuration_statistics_and_index(service):
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        config = client.get_model_config("resnet18")
        assert config["max_batch_size"] == 32
        assert config["input"][0]["dims"] == [3, 224, 224]
        assert client.get_model_config("resnet18", "1") == config
        assert client.get_model_repository_index() == [
            {"name": "resnet18", "version": "1", "state": "READY", "reason": ""}
        ]

        def statistics(**which):
            return client.get_inference_statistics(**which)["model_stats"][0]

        before = statistics()
        batch = np.zeros([11, 3, 224, 224], np.float32)
        given = triton.InferInput("input", list(batch.shape), "FP32")
        given.set_data_from_numpy(batch)
        client.infer("resnet18", [given])
        after = statistics(model_name="resnet18", model_version="1")
        assert after["inference_count"] - before["inference_count"] == 11
        assert after["execution_count"] - before["execution_count"] == 3  # 8, 2 and 1
        assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]
        for call in (client.get_model_config, client.get_inference_statistics):
            with pytest.raises(triton.InferenceServerException, match="There is nothing"):
                call("another")


def test_tritonclient_may_pack_its_requests(service):
    triton = pytest.importorskip("tritonclient.http")
    with triton.InferenceServerClient(f"127.0.0.1:{service.port}") as client:
        given = triton.InferInput("input", SHAPE, "FP32")
        given.set_data_from_numpy(np.zeros(SHAPE, np.float32))
        packed = client.infer("resnet18", [given], request_compression_algorithm="gzip").as_numpy("logits")
        plain = client.infer("resnet18", [given], response_compression_algorithm="gzip").as_numpy("logits")
    np.testing.assert_allclose(packed, plain, atol=1e-5)


def test_health_has_no_parameters(client):
    assert client.get("/v2/health/ready?name=x").json() == {"ready": True}
