"""How a report starts a notebook's kernel: threads that wait asleep, and the profile for the header of its results."""

import os
from typing import Any

from jupyter_client.manager import AsyncKernelManager

PROFILE_VARIABLE = "RESNET18_LAB_PROFILE"
"""In which a report tells its notebooks the profile; ``course.lesson`` reads it."""
_WAIT_ASLEEP = {
    "OMP_WAIT_POLICY": "passive",  # between two layers the threads of GNU's OpenMP would keep all cores busy
    "KMP_BLOCKTIME": "0",  # the same for Intel's and LLVM's, which torch has on macOS, on Windows and from conda
}


def kernel_environment(profile: str) -> dict[str, str]:
    """This process's variables, which stay as they are, with those of a kernel; what a user has set is kept."""
    return {**_WAIT_ASLEEP, **os.environ, PROFILE_VARIABLE: profile}


def kernels_with(environment: dict[str, str]) -> type[AsyncKernelManager]:
    """A class of kernel managers whose kernels get these variables: papermill itself has no such setting."""

    class WithEnvironment(AsyncKernelManager):
        async def start_kernel(self, **settings: Any) -> None:  # type: ignore[override]  # noqa: ANN401
            await super().start_kernel(**{"env": dict(environment), **settings})

    return WithEnvironment
