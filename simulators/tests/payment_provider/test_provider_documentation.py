"""docs/simulators.md says what the provider does: every token, card and problem, and no other."""

import re
from pathlib import Path

from simulators.payment_provider.rules.answers import STATUS_BY_REFUSAL, name_of
from simulators.payment_provider.rules.behaviours import (
    BEHAVIOURS,
    DECLINES,
    TEST_CARDS,
    WELL_KNOWN_TOKENS,
)
from simulators.payment_provider.settings import Settings

DOCUMENT = next(
    folder / "docs/simulators.md"
    for folder in Path(__file__).parents
    if (folder / "docs/simulators.md").exists()
).read_text()


def rows() -> list[list[str]]:
    """The cells of every table row, without their code marks."""
    lines = re.findall(r"^\| (.*) \|$", DOCUMENT, re.MULTILINE)
    return [[cell.strip().replace("`", "") for cell in line.split(" | ")] for line in lines]


def test_every_token_is_documented_with_its_decline_code() -> None:
    documented = {row[0]: row[2] for row in rows() if row[0].startswith("pm_")}

    assert documented == {
        token: BEHAVIOURS[name].decline_code or "–" for token, name in WELL_KNOWN_TOKENS.items()
    }


def test_every_setting_is_documented_with_its_default() -> None:
    documented = {row[0]: row[1].split(" (")[0] for row in rows() if row[0].startswith("PAYMENT_")}

    assert set(documented) == {f"PAYMENT_PROVIDER_{name.upper()}" for name in Settings.model_fields}
    for name, field in Settings.model_fields.items():
        if isinstance(field.default, int):
            assert documented[f"PAYMENT_PROVIDER_{name.upper()}"] == str(field.default)


def test_every_decline_is_documented_with_the_networks_code() -> None:
    documented = {row[2]: row[1] for row in rows() if row[0].startswith("pm_")}

    assert [
        reason for reason, code in DECLINES.items() if f"({code})" not in documented[reason]
    ] == []


def test_every_test_card_is_documented_with_the_token_it_acts_like() -> None:
    documented = {row[0].replace(" ", ""): (row[1], row[2]) for row in rows() if row[0][0] in "345"}

    assert documented == {
        number: (card.brand, f"pm_{card.behaviour}") for number, card in TEST_CARDS.items()
    }


def test_every_problem_is_documented_with_its_status() -> None:
    documented = {row[0]: int(row[1]) for row in rows() if len(row) == 3 and row[1].isdigit()}

    assert documented == {name_of(refusal): status for refusal, status in STATUS_BY_REFUSAL.items()}
