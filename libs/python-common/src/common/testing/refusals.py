"""Whether the page of each refusal that a service knows is there and says what the answer does."""

from types import ModuleType

from common import errors, problems
from common.problem_pages import TEXTS


def refusals_of(*modules: ModuleType) -> list[type[errors.Refusal]]:
    """Those with a title; AssertionError where there is none, which would prove nothing."""
    found = [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, errors.Refusal) and "title" in vars(kind)
    ]
    assert found, "a module without a refusal"
    return found


def without_page(*refusals: type[errors.Refusal]) -> list[str]:
    """``type: what its page lacks`` of each whose page is not as promised."""
    return [fault for refusal in refusals for fault in _faults(refusal)]


def _faults(refusal: type[errors.Refusal]) -> list[str]:
    status = next(code for base, code in problems.STATUS.items() if issubclass(refusal, base))
    type_ = problems.problem_type(refusal)
    file = TEXTS / f"{type_.rpartition('/')[2]}.md"
    page = file.read_text(encoding="utf-8") if file.exists() else ""
    faults = [] if page.startswith(f"# {refusal.title}\n") else [f"{type_}: # {refusal.title}"]
    line = f"Type `{type_}` · status {status}"
    return faults if line in page else [*faults, f"{type_}: {line}"]
