"""A worker process: ``python -m resnet18_lab.bulk.worker``, pickles in on stdin, pickles out on stdout.

It is started as a command and not through multiprocessing, whose children import the parent's main program
again: a notebook or script that imports torch would then load torch in every worker. It ends when its stdin
ends, so no worker outlives a parent that was killed.
"""

import os
import pickle
import sys
from typing import BinaryIO

from resnet18_lab.base.errors import LabError
from resnet18_lab.bulk.batch import open_decoders, open_engine, run_batch


def serve(tasks: BinaryIO, answers: BinaryIO) -> None:
    """Read the job, open its engine, then answer batches until the end of the input.

    It sends ``("ready", EngineInfo)`` or ``("failed", LabError)``, then ``("done", number, answers)`` for each batch.
    Only the parent writes to this pipe, so its pickles are trusted.
    """

    def send(message: object) -> None:
        pickle.dump(message, answers, protocol=pickle.HIGHEST_PROTOCOL)
        answers.flush()

    job = pickle.load(tasks)  # noqa: S301
    try:
        with open_decoders(job) as decoders, open_engine(job) as engine:
            send(("ready", engine.engine))
            while True:
                number, items = pickle.load(tasks)  # noqa: S301
                send(("done", number, run_batch(job, engine, decoders, items)))
    except LabError as error:
        send(("failed", error))
    except (EOFError, BrokenPipeError):
        return


def main() -> None:
    """Serve stdin and stdout; other prints are sent to stderr, so that they cannot damage the answers."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)
    os._exit(0)  # the parent may be gone: nothing is left to flush


if __name__ == "__main__":
    main()
