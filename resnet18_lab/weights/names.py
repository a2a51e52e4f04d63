"""How weights are named: one text says which, and of which network.

It is a catalogue name, ``auto``, ``untrained`` or a path; those of another network than ResNet-18 stand behind its
name, as in ``resnet34:untrained``, and a network's name alone means its ``auto``.
"""

from resnet18_lab.base.errors import ParameterError
from resnet18_lab.base.networks import NETWORKS, RESNET18, Network, network_named
from resnet18_lab.weights.catalogue import catalogue
from resnet18_lab.weights.own import is_own_name, own_model

AUTO = "auto"
UNTRAINED = "untrained"


def with_network(network: str, weights: str) -> str:
    """The text that names these weights of that network; ParameterError for an unknown one."""
    if network_named(network) is RESNET18:
        return weights
    return network if weights == AUTO else f"{network}:{weights}"


def split_name(name: str) -> tuple[Network, str]:
    """The network that a text is about, and the rest of it: a catalogue name, ``auto``, ``untrained`` or a path."""
    before, colon, after = name.partition(":")
    if before in NETWORKS:
        return NETWORKS[before], after if colon and after else AUTO
    if name in (AUTO, UNTRAINED):
        return RESNET18, name
    known = next((entry for entry in catalogue() if entry.name == name), None)
    if known is not None:
        return known.of_network, name
    own = own_model(name)
    return (own.network if own else RESNET18), name


def check_own_name(name: str) -> None:
    """Raise ParameterError for a name that a network of one's own cannot have."""
    if not is_own_name(name):
        raise ParameterError(
            f"{name!r} is no name for a model; give 1 to 60 of a-z, 0-9 and -, a letter or digit first."
        )
    reserved = {AUTO, UNTRAINED, *NETWORKS, *(f"{network}-{UNTRAINED}" for network in NETWORKS)}
    if name in reserved | {entry.name for entry in catalogue()}:
        raise ParameterError(f"{name} is the name of other weights; give your model another one.")


def is_untrained(name: str) -> bool:
    """True for the name of weights that were never trained, of any network."""
    return name in {UNTRAINED, *(f"{network}-{UNTRAINED}" for network in NETWORKS)}
