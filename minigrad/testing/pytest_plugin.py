"""For pytest, in any project that has minigrad installed: three options and a marker.

``--minigrad-thorough`` draws ten times as many examples of every property, and runs tests marked
``minigrad_thorough``, which are left out otherwise. ``--minigrad-mutant NAME`` breaks the engine in
one known way for the whole session (`minigrad.testing.mutants`), to see whether the tests notice.
``--minigrad-device cuda`` runs `gradcheck`, `check_layer` and the laws on a GPU, as inside
`minigrad.testing.on_device`.
"""

from contextlib import ExitStack

import pytest
from hypothesis import HealthCheck, settings

EXAMPLES = 40
THOROUGH = 400

# The first call of a kernel compiles it, so that no single example has a deadline.
_common = settings(
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.nested_given],
    print_blob=True,
)
settings.register_profile("minigrad", _common, max_examples=EXAMPLES)
settings.register_profile("minigrad-thorough", _common, max_examples=THOROUGH)

_session = ExitStack()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("minigrad", "property tests of layers")
    group.addoption(
        "--minigrad-thorough",
        action="store_true",
        help=f"draw {THOROUGH} examples of every property and run tests marked minigrad_thorough",
    )
    group.addoption(
        "--minigrad-mutant",
        metavar="NAME",
        help="break minigrad on purpose (python -m minigrad.testing hunt --list gives the names)",
    )
    group.addoption(
        "--minigrad-device",
        metavar="DEVICE",
        help="run gradcheck, check_layer and the laws on cuda, cuda:1, …",
    )


@pytest.hookimpl(trylast=True)  # a conftest may have loaded a profile of its own
def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, load the profile, plant the mutant, choose the device."""
    config.addinivalue_line(
        "markers", "minigrad_thorough: runs only with --minigrad-thorough, since it takes long"
    )
    if config.getoption("--minigrad-thorough"):
        settings.load_profile("minigrad-thorough")
    if name := config.getoption("--minigrad-mutant"):
        from minigrad.testing import mutants  # seldom wanted, and it imports all of the engine

        try:
            mutant = mutants.find(name)
        except ValueError as error:
            raise pytest.UsageError(f"--minigrad-mutant: {error}") from None
        _session.enter_context(mutant.planted())
    if device := config.getoption("--minigrad-device"):
        from minigrad.testing.place import on_device

        try:
            _session.enter_context(on_device(device))
        except (ValueError, RuntimeError) as error:
            raise pytest.UsageError(f"--minigrad-device: {error}") from None


def pytest_unconfigure() -> None:
    """Mend the engine again, and leave the device."""
    _session.close()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say that the engine is broken, and where it runs."""
    name, device = (config.getoption(f"--minigrad-{what}") for what in ("mutant", "device"))
    said = [f"minigrad: broken on purpose by the mutant {name}"] if name else []
    return [*said, f"minigrad: checks run on {device}"] if device else said


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes long, unless it is asked for."""
    if config.getoption("--minigrad-thorough"):
        return
    left_out = pytest.mark.skip(reason="takes long: run it with --minigrad-thorough")
    for item in items:
        if item.get_closest_marker("minigrad_thorough"):
            item.add_marker(left_out)
