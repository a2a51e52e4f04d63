"""``resnet18-lab serve``."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer

from resnet18_lab.base.errors import LabError
from resnet18_lab.base.networks import RESNET18
from resnet18_lab.cli import options, settings_sources
from resnet18_lab.cli.console import note
from resnet18_lab.preprocessing.defaults import DECODE_SECONDS
from resnet18_lab.weights.names import with_network

EXAMPLES = (
    "Examples:  resnet18-lab serve  ·  resnet18-lab serve --port 0 --workers 2 --threads 1  ·  "
    "curl -F file=@cat.jpg http://127.0.0.1:8000/api/v1/classify  ·  "
    "resnet18-lab serve --show-settings > serve.toml  ·  resnet18-lab serve --settings serve.toml  ·  "
    "RESNET18_LAB_SERVE_PORT=8080 resnet18-lab serve (each option has such a variable)"
)
_NEEDED = ("fastapi", "uvicorn", "python_multipart", "prometheus_client", "fastapi_offline")


Threads = Annotated[
    int | None, typer.Option(help="Threads of one run; the usable cores shared among the workers if not given.")
]
CorsOrigin = Annotated[
    list[str] | None, typer.Option(help="Site whose scripts may ask; may be given again. None if not given.")
]
AllowedHost = Annotated[
    list[str] | None, typer.Option(help="Name it may be asked by, such as the proxy's; may be given again.")
]
Draft = Annotated[
    bool, typer.Option("--draft", help="Decode large JPEGs at a fraction of their size: quicker, other pixels.")
]
ProxyHeaders = Annotated[
    bool, typer.Option("--proxy-headers", help="Take the client's address from a local proxy's X-Forwarded-For.")
]
Decoders = Annotated[
    int | None,
    typer.Option(help="Decoding processes of a worker; its share of the cores, and one, if not given."),
]
GraceSeconds = Annotated[
    float,
    typer.Option(help="After SIGTERM, time to answer on while /readyz says 503; 5 behind a balancer."),
]


SettingsFile = Annotated[
    Path | None,
    typer.Option(
        help="TOML file of these options; the environment and the command line come before it.",
        callback=settings_sources.read_file, is_eager=True,
    ),
]  # fmt: skip
ShowSettings = Annotated[
    bool, typer.Option("--show-settings", help="Print all settings as such a file, with their sources, and leave.")
]
Uds = Annotated[str | None, typer.Option(help="Socket in the file system to listen on, in place of host and port.")]
RootPath = Annotated[str, typer.Option(help="Path under which a proxy shows the service, such as /pictures.")]
ApiKeyFile = Annotated[
    str | None, typer.Option(help="File of keys, one a line; who sends none of them gets 401. SIGHUP reads it again.")
]
RulesFile = Annotated[
    str | None, typer.Option(help="TOML file of rules that rename, merge or reject answers; SIGHUP reads it again.")
]
LeastRate = Annotated[
    float, typer.Option(help="kB a second that a body must keep up with after --body-seconds; 0 gives no more time.")
]


def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on; the default is this machine only.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes any free one.")] = 8000,
    uds: Uds = None,
    root_path: RootPath = "",
    api_key_file: ApiKeyFile = None,
    workers: Annotated[int, typer.Option(help="Processes, each with its own engine.")] = 1,
    threads: Threads = None,
    backend: options.BackendOption = "auto",
    weights: options.Weights = "auto",
    network: options.NetworkName = RESNET18.name,
    rules: RulesFile = None,
    no_unknown: options.NoUnknown = False,
    max_mb: Annotated[int, typer.Option(help="Largest picture, in MB.")] = 20,
    queue: Annotated[int, typer.Option(help="Pictures a worker takes at a time; more are refused with 503.")] = 64,
    cache: Annotated[int, typer.Option(help="Answers a worker remembers; 0 for none.")] = 2048,
    max_batch: Annotated[int, typer.Option(help="Waiting pictures that are run together; 1 runs each alone.")] = 8,
    cors_origin: CorsOrigin = None,
    allowed_host: AllowedHost = None,
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Remember no answers; the same as --cache 0.")] = False,
    draft: Draft = False,
    proxy_headers: ProxyHeaders = False,
    rate: Annotated[float, typer.Option(help="Requests a second of a client that a worker takes; 0: any number.")] = 0,
    upload_mb: Annotated[int, typer.Option(help="Uploads a worker holds in memory together; more get 503.")] = 120,
    decode_seconds: options.DecodeSeconds = DECODE_SECONDS,
    decoders: Decoders = None,
    header_seconds: Annotated[float, typer.Option(help="Time for the head of a request.")] = 10,
    body_seconds: Annotated[float, typer.Option(help="Time for its body.")] = 30,
    least_rate: LeastRate = 50,
    longest_body_seconds: Annotated[float, typer.Option(help="Time for a body at the very most.")] = 300,
    request_seconds: Annotated[float, typer.Option(help="Time for the answer, once the body is there.")] = 60,
    grace_seconds: GraceSeconds = 0.5,
    access_log: Annotated[bool, typer.Option("--access-log/--no-access-log", help="A JSON line a request.")] = True,
    settings: SettingsFile = None,
    show_settings: ShowSettings = False,
) -> int:
    """Serve the web page and the REST API until Ctrl-C or SIGTERM."""
    chosen = {name: value for name, value in locals().items() if name not in ("context", "settings", "show_settings")}
    typer.echo("\n".join(settings_sources.as_toml(context, chosen))) if show_settings else _run(chosen)
    return 0


def _run(chosen: dict[str, Any]) -> None:
    """Serve with these options, each a setting of the same name."""
    missing = [package for package in _NEEDED if find_spec(package) is None]
    if missing:
        raise LabError(f"`serve` needs {', '.join(missing)}; install with `pip install 'resnet18-lab[serve]'`.")
    from resnet18_lab.base.machine import usable_cores
    from resnet18_lab.inference.registry import choose
    from resnet18_lab.service.keys import Keys
    from resnet18_lab.service.settings import Settings
    from resnet18_lab.service.supervisor import serve as run

    chosen["weights"] = with_network(chosen.pop("network"), chosen["weights"])
    chosen["allowed_hosts"] = tuple(name.lower() for name in chosen.pop("allowed_host") or ())
    if chosen.pop("no_cache"):
        chosen["cache"] = 0
    chosen["cors_origins"] = tuple(chosen.pop("cors_origin") or ())
    if chosen["threads"] is None:
        chosen["threads"] = max(1, usable_cores() // max(1, chosen["workers"]))
    if chosen["decoders"] is None:
        chosen["decoders"] = max(2, min(4, usable_cores() // max(1, chosen["workers"]) + 1))
    settings = Settings(**chosen)
    Keys(settings.api_key_file)  # what is wrong is better told before the start
    choose(settings.backend, weights=settings.weights)
    rules = None if settings.rules is None else Path(settings.rules)
    options.rules_text(rules, settings.weights, no_unknown=settings.no_unknown)
    run(settings, note)


_MORE = {"cls": settings_sources.QuietCommand, "context_settings": {"auto_envvar_prefix": settings_sources.PREFIX}}
COMMANDS = {"serve": (serve, EXAMPLES, _MORE)}
