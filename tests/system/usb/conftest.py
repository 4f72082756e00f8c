"""Fixtures of the tests with USB boards; see bench.py and README.md."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from bench import TOOLS, Bench  # noqa: E402


@pytest.fixture
def bench(tmp_path, request):
    """A Bench. After the test no board of it may have been reset, unless the test is marked `resets`."""
    if not (TOOLS / "plugger").exists():
        pytest.skip("skipped: libumockdev-dev is missing, so there is no plugger; tests/run installs it")
    one = Bench(tmp_path)
    yield one
    one.close()
    if "resets" not in request.keywords:
        one.assert_no_reset()


def pytest_configure(config):
    config.addinivalue_line("markers", "resets: a test in which a board is reset because somebody asked for it")
