"""Turns the till's capitals into names a shopper can read. It spells out nothing by guessing."""

import re

NOT_RECORDED = "Not recorded"

# The source's own abbreviations whose meaning is plain from the products under them.
DEPARTMENTS = {
    "CHARITABLE CONT": "Charitable Contributions",
    "CNTRL/STORE SUP": "Store Supplies",
    "DRUG GM": "Drug & General Merchandise",
    "ELECT &PLUMBING": "Electrical & Plumbing",
    "GM MERCH EXP": "General Merchandise",
    "MEAT-PCKGD": "Packaged Meat",
    "PROD-WHS SALES": "Produce Warehouse Sales",
    "SEAFOOD-PCKGD": "Packaged Seafood",
}

_WORD = re.compile(r"[A-Za-z]+(?:'[A-Za-z]+)?")
_SPACES = re.compile(r"\s+")


def department_name(department: str) -> str:
    """The department's name, its abbreviation spelled out where the meaning is plain."""
    return DEPARTMENTS.get(department) or title(department) or NOT_RECORDED


def product_name(sku: str, *, kind: str, category: str, package_size: str) -> str:
    """`Apple Sauce, 50 oz`: the type, else the category, with the size; says when neither is known.

    The source names no brand, so many products share a name.
    """
    name = title(kind) or title(category)
    if not name:
        return f"Product {sku} (name not recorded)"
    size = _SPACES.sub(" ", package_size).strip().lower()
    return f"{name}, {size}" if size else name


def title(text: str) -> str:
    """Title case without doubled spaces, and without a bracket cut open at 30 characters."""
    whole = text.rpartition("(")[0] if text.count("(") > text.count(")") else text
    tidy = _SPACES.sub(" ", whole).strip(" -/&,")
    return _WORD.sub(_cased, tidy)


def _cased(word: re.Match[str]) -> str:
    """A unit right behind its number stays small: `15pk`, `750ml`."""
    follows_a_number = word.string[: word.start()][-1:].isdigit()
    return word.group().lower() if follows_a_number else word.group().capitalize()
