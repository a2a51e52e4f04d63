"""The OpenAPI document: it says what comes, clients can be generated from it, and nothing answers otherwise."""

import importlib
import io
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from support import pictures
from support import running_service as serving
from support.project import samples_dir

pytestmark = pytest.mark.slow
CAT = samples_dir() / "cat.jpg"
TOOLS = Path(sys.executable).parent

EXPECTED = """
# A schema cannot say which bytes are a picture, nor that a tensor has the shape that it names.
[[operations]]
include-method = "POST"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 413, 415, 422]

# Every value of a form is bytes, and what is no picture is an error in its place among the results.
[[operations]]
include-path = "/api/v1/classify/batch"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 413, 415, 422]
checks.negative_data_rejection.expected-statuses = [200, 400, 403, 405, 413, 415, 422]
"""


@pytest.fixture(scope="module")
def service(untrained_home, tmp_path_factory):
    running = serving.start(untrained_home, tmp_path_factory.mktemp("typed") / "tmp", "--weights", "untrained")
    yield running
    assert running.stop() == 0
    assert not [line for line in running.lines if "Traceback" in line]


@pytest.fixture(scope="module")
def document(service):
    return httpx.get(service.url + "/openapi.json").json()


@pytest.fixture(scope="module")
def generated(document, tmp_path_factory):
    """The package that openapi-python-client makes of the document."""
    tool = TOOLS / "openapi-python-client"
    if not tool.exists():
        pytest.skip("needs openapi-python-client; `make setup-tests` installs it")
    place = tmp_path_factory.mktemp("generated")
    (place / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    (place / "config.json").write_text('{"content_type_overrides": {"image/jpeg": "application/octet-stream"}}')
    run = subprocess.run(
        [tool, "generate", "--path", place / "openapi.json", "--config", place / "config.json", "--meta", "none",
         "--output-path", place / "lab_client"],
        capture_output=True, text=True, check=False, env={"PATH": str(TOOLS)},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Warning" not in run.stdout, run.stdout
    sys.path.insert(0, str(place))
    yield
    sys.path.remove(str(place))


def part(name):
    return importlib.import_module(f"lab_client.{name}")


def test_a_generated_client_gets_a_typed_prediction(service, generated):
    types, models = part("types"), part("models")
    with part("client").Client(base_url=service.url) as client:
        body = models.ClassifyFilesBody(types.File(io.BytesIO(CAT.read_bytes()), "cat.jpg", "image/jpeg"))
        answer = part("api.pictures.classify").sync(client=client, body=body, top_k=2)
        raw = part("api.pictures.classify").sync(client=client, body=types.File(io.BytesIO(CAT.read_bytes())), top_k=2)
    assert isinstance(answer, models.PictureAnswer)
    assert answer.file == "cat.jpg"
    best = answer.predictions[0]
    assert isinstance(best, models.PredictionAnswer)
    assert isinstance(best.index, int)
    assert isinstance(best.score, float)
    assert [one.wnid for one in raw.predictions] == [one.wnid for one in answer.predictions]


def test_a_generated_client_gets_a_typed_refusal(service, generated):
    types, models = part("types"), part("models")
    with part("client").Client(base_url=service.url) as client:
        answer = part("api.pictures.classify").sync(client=client, body=types.File(io.BytesIO(b"no picture")))
    assert isinstance(answer, models.ErrorAnswer)
    assert answer.error.code == "not_an_image"


def test_a_generated_client_gets_results_of_a_batch(service, generated):
    types, models = part("types"), part("models")
    files = [types.File(io.BytesIO(data), name) for name, data in (("a", pictures.jpeg()), ("b", b"none"))]
    with part("client").Client(base_url=service.url) as client:
        answer = part("api.pictures.classify_batch").sync(client=client, body=models.ClassifyBatchBody(files))
    assert [type(one) for one in answer.results] == [models.PictureOfBatch, models.ErrorOfBatch]


def test_a_generated_client_fetches_a_sample(service, generated):
    models = part("models")
    with part("client").Client(base_url=service.url) as client:
        first = part("api.about.sample_list").sync(client=client)[0]
        assert isinstance(first, models.SampleAnswer)
        assert part("api.about.sample").sync(first.name, client=client).payload.read(2) == b"\xff\xd8"
        assert isinstance(part("api.about.sample").sync("none.jpg", client=client), models.ErrorAnswer)
        for name, kind in (("about.model", models.ModelAnswer), ("health.ready", models.StatusAnswer)):
            assert isinstance(part(f"api.{name}").sync(client=client), kind)


def test_every_answer_is_of_the_form_the_document_says(service, document):
    """Each GET without a parameter, held against its schema; and no 200 has an empty one."""
    jsonschema = pytest.importorskip("jsonschema")
    seen = 0
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            content = operation["responses"]["200"]["content"]
            assert all(one["schema"] for one in content.values()), (method, path)
            if method == "get" and "{" not in path and "application/json" in content:
                schema = {**content["application/json"]["schema"], "components": document["components"]}
                jsonschema.validate(httpx.get(service.url + path).json(), schema)
                seen += 1
    assert seen > 8


def test_schemathesis_finds_no_failure(service, tmp_path):
    tool = TOOLS / "schemathesis"
    if not tool.exists():
        pytest.skip("needs schemathesis; `make setup-tests` installs it")
    (tmp_path / "schemathesis.toml").write_text(EXPECTED, encoding="utf-8")
    run = subprocess.run(
        [tool, "run", service.url + "/openapi.json", "--max-examples", "15", "--seed", "1", "--no-color",
         "--generation-deterministic"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-6000:]
