"""A made-up person with a coarse texture."""

import pytest

from zero1toa.priors.subjects import random_subject


@pytest.fixture(scope="session")
def subject():
    return random_subject(3, 128)
