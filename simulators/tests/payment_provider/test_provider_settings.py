"""What the provider may be told by its environment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError
from simulators.payment_provider.settings import Settings

STOP_TIMEOUT_S = 15  # It takes half a second alone.


def test_a_delay_beyond_two_seconds_is_refused() -> None:
    with pytest.raises(ValidationError, match="less than or equal to 2000"):
        Settings(slow_ms=2_001)


def test_webhooks_are_not_sent_unsigned() -> None:
    with pytest.raises(ValidationError, match="PAYMENT_PROVIDER_WEBHOOK_SECRET"):
        Settings(webhook_url="http://shop.example/webhooks", webhook_secret=" , ")


@pytest.mark.parametrize("url", ["shop.example", "ftp://shop.example", "http://", "file:///etc"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="http or https"):
        Settings(webhook_url=url, webhook_secret="secret")


@pytest.mark.parametrize("origins", ["*", "shop.example", "https://shop.example/", "null"])
def test_only_origins_are_returned_to(origins: str) -> None:
    with pytest.raises(ValidationError, match="origins"):
        Settings(return_origins=origins)


def test_two_secrets_are_given_by_a_comma() -> None:
    settings = Settings(webhook_url="http://shop.example", webhook_secret="old, new")

    assert settings.signing_secrets == ["old", "new"]
    assert "old" not in repr(settings)


def test_a_wrong_setting_is_told_on_one_line_without_its_value(tmp_path: Path) -> None:
    wrong = {
        "PAYMENT_PROVIDER_WEBHOOK_URL": "ftp://user:password@shop.example",
        "PAYMENT_PROVIDER_SLOW_MS": "9999",
    }

    refused = subprocess.run(
        [sys.executable, "-m", "simulators.payment_provider", "--data-dir", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=STOP_TIMEOUT_S,
        env={**os.environ, **wrong},
    )

    assert refused.returncode == 2
    assert refused.stderr.startswith("payment-provider: PAYMENT_PROVIDER_SLOW_MS: ")
    assert "PAYMENT_PROVIDER_WEBHOOK_URL: " in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert "password" not in refused.stderr
