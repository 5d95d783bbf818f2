"""`python -m card_numbers [N]`: how many of N ids of each kind are taken for cards; 1 if any is."""

import sys
from random import Random

from card_numbers import find
from card_numbers.ids import KINDS

IDS_OF_A_KIND = 1_000_000


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else IDS_OF_A_KIND
    hits_in_all = 0
    for name, kind in KINDS.items():
        chance = Random(name)  # noqa: S311  Replayable, and nothing secret.
        hits = sum(bool(find(kind(chance))) for _ in range(count))
        hits_in_all += hits
        print(f"{name:34} {count:>10,} tried {hits:>6} taken for a card", flush=True)  # noqa: T201
    return 1 if hits_in_all else 0


if __name__ == "__main__":
    sys.exit(main())
