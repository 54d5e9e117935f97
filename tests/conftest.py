"""What several tests share: the fitted demo portrait, made once."""

import signal
from pathlib import Path

import pytest

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would every program that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_PICTURES = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def demo_portrait():
    import zero1toa

    return zero1toa.fit("demo")


@pytest.fixture(scope="session")
def debug_avatar(demo_portrait):
    import zero1toa

    return zero1toa.create(demo_portrait, preset="debug")


@pytest.fixture(scope="session")
def shared_pictures():
    """A folder of portraits that lies beside the checkout on some machines and is never committed."""
    if not SHARED_PICTURES.is_dir():
        pytest.skip("the folder of test portraits is not here")
    return SHARED_PICTURES


@pytest.fixture(autouse=True)
def ordinary_terminal(monkeypatch):
    """Whatever terminal the tests run in, those that make one of their own get an ordinary one."""
    monkeypatch.setenv("TERM", "xterm-256color")
    for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
