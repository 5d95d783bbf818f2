"""What the provider may be told by its environment."""

import pytest
from pydantic import ValidationError
from simulators.payment_provider.settings import Settings


def test_a_delay_beyond_two_seconds_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 2000"):
        Settings(slow_ms=2_001)
