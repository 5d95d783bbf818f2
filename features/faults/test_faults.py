"""Every scenario of this folder, one after the other: each spoils the shop for all others."""

import pytest
from pytest_bdd import scenarios

pytestmark = pytest.mark.xdist_group("faults")

scenarios(".")
