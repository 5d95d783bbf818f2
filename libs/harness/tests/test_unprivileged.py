"""Whether somebody who is not root can get at a folder, and where their files go if not."""

import os
import tempfile
from pathlib import Path

import pytest
from harness.process.unprivileged import (
    Account,
    can_reach,
    forget_orphans,
    own_folder,
    reachable_copy,
    substitute,
)

STRANGER = Account("stranger", uid=65_000, gid=65_000)


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """pytest's folders belong to their user alone; this chain of folders is for everybody."""
    folder = tmp_path / "open"
    folder.mkdir()
    top = Path(os.environ.get("PYTEST_DEBUG_TEMPROOT", tempfile.gettempdir()))
    for each in (folder, *(parent for parent in folder.parents if top in parent.parents)):
        each.chmod(0o755)
    return folder


def test_an_open_path_can_be_reached(open_folder: Path) -> None:
    assert can_reach(open_folder, STRANGER)


def test_one_closed_folder_on_the_way_is_enough_to_be_out_of_reach(open_folder: Path) -> None:
    inner = open_folder / "closed" / "inner"
    inner.mkdir(parents=True)
    inner.parent.chmod(0o700)

    assert not can_reach(inner, STRANGER)


def test_what_may_be_passed_but_not_read_is_out_of_reach(open_folder: Path) -> None:
    open_folder.chmod(0o711)

    assert not can_reach(open_folder, STRANGER)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_reachable_folder_is_made_for_its_owner_alone(open_folder: Path) -> None:
    made = own_folder(open_folder / "postgres", STRANGER)

    status = made.stat()
    assert made == open_folder / "postgres"
    assert (status.st_uid, status.st_mode & 0o777) == (STRANGER.uid, 0o700)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_substitute_is_forgotten_once_the_home_it_stands_for_is_gone(open_folder: Path) -> None:
    homes = [open_folder / "closed" / name for name in ("kept", "gone")]
    for home in homes:
        home.mkdir(parents=True)
    homes[0].parent.chmod(0o700)
    kept, gone = [own_folder(home / "postgres", STRANGER, shared=open_folder) for home in homes]
    assert gone.exists()

    homes[1].rmdir()
    forget_orphans(open_folder)

    assert (kept.exists(), gone.exists()) == (True, False)


def test_the_substitute_of_a_folder_is_its_own(tmp_path: Path) -> None:
    assert substitute(tmp_path / "a") != substitute(tmp_path / "b")
    assert substitute(tmp_path / "a") == substitute(tmp_path / "a")


def test_programs_out_of_reach_are_copied_to_where_they_can_be_run(open_folder: Path) -> None:
    package = open_folder / "closed" / "package"
    package.mkdir(parents=True, mode=0o700)
    package.parent.chmod(0o700)
    (package / "program").write_text("#!/bin/sh\n")
    (package / "program").chmod(0o700)

    copy = reachable_copy([package], "it", STRANGER, shared=open_folder)

    assert copy == open_folder / "cartwright-it" / "package"
    assert can_reach(copy / "program", STRANGER)


def test_programs_within_reach_are_not_copied(open_folder: Path) -> None:
    assert reachable_copy([open_folder], "it", STRANGER, shared=open_folder) == open_folder
