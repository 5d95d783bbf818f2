"""Running one program as somebody who is not root, where root must not. Creates no users."""

import hashlib
import os
import pwd
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# The usual owner of databases, if the machine has it; else the user that owns nothing.
CANDIDATES = ("postgres", "nobody")
# Survives a reboot, unlike /tmp, and everybody can pass through it.
SHARED_PLACE = Path("/var/tmp")  # noqa: S108  Only folders that are checked to be ours.

# In a substitute: the folder it stands for.
_STANDS_FOR = "stands-for"


class NoUnprivilegedUser(RuntimeError):
    pass


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    def become(self) -> None:
        """Give up root in this process for good. Groups first: afterwards we may not."""
        os.setgroups([])
        os.setgid(self.gid)
        os.setuid(self.uid)


def account() -> Account | None:
    """Whom to run as; None if we are not root anyway. Raises `NoUnprivilegedUser`."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in CANDIDATES:
        if name in known:
            return Account(name, known[name].pw_uid, known[name].pw_gid)
    raise NoUnprivilegedUser(f"root cannot run PostgreSQL, and there is no user {CANDIDATES[0]!r}")


def can_reach(path: Path, who: Account) -> bool:
    """Whether *who* may pass every folder on the way to *path*, and read what lies there."""
    return all(_allows(folder, who, stat.S_IXOTH) for folder in path.parents) and (
        not path.exists() or _allows(path, who, stat.S_IROTH | stat.S_IXOTH)
    )


def _allows(path: Path, who: Account, wanted: int) -> bool:
    if not path.exists():
        return True  # We are going to make it.
    status = path.stat()
    # Permission bits of the owner and the group lie 6 and 3 places above those of others.
    shift = 6 if status.st_uid == who.uid else 3 if status.st_gid == who.gid else 0
    return status.st_mode >> shift & wanted == wanted


def own_folder(folder: Path, who: Account, shared: Path = SHARED_PLACE) -> Path:
    """*folder*, made for *who* alone; or one in *shared* named after it, which *who* can reach.

    Raises `PermissionError` if somebody else took that name.
    """
    if _ancestors_reachable(folder, who):
        return _made_for(who, folder)
    forget_orphans(shared)
    place = _made_for(who, substitute(folder, shared))
    (place / _STANDS_FOR).write_text(str(folder))
    return place


def forget_orphans(shared: Path = SHARED_PLACE) -> None:
    """Delete the substitutes of folders whose parent is gone: nobody will ask for them again."""
    for marker in shared.glob(f"cartwright-*/{_STANDS_FOR}"):
        if not Path(marker.read_text()).parent.exists():
            shutil.rmtree(marker.parent)


def _made_for(who: Account, place: Path) -> Path:
    if place.is_symlink():
        raise PermissionError(f"{place} is a link; remove it")
    if not place.exists():
        place.mkdir(mode=0o700, parents=True)
        os.chown(place, who.uid, who.gid)
    if place.stat().st_uid not in {who.uid, os.geteuid()}:
        raise PermissionError(f"{place} belongs to somebody else; remove it")
    return place


def _ancestors_reachable(folder: Path, who: Account) -> bool:
    return all(_allows(parent, who, stat.S_IXOTH) for parent in folder.parents)


def substitute(folder: Path, shared: Path = SHARED_PLACE) -> Path:
    """Where *folder*'s content lies if its owner-to-be cannot reach it."""
    key = hashlib.sha256(os.fsencode(folder)).hexdigest()[:12]
    return shared / f"cartwright-{key}"


def reachable_copy(
    folders: Sequence[Path], name: str, who: Account, shared: Path = SHARED_PLACE
) -> Path:
    """The first of *folders*, or its copy in *shared* beside copies of the others.

    A checkout in root's own home cannot be entered by *who*, and neither can its programs.
    Raises `PermissionError` if somebody else took the name of the copy.
    """
    if all(can_reach(folder, who) for folder in folders):
        return folders[0]
    place = shared / f"cartwright-{name}"
    if not place.exists():
        unfinished = place.with_name(f"{place.name}.{os.getpid()}")
        for folder in folders:
            shutil.copytree(folder, unfinished / folder.name)
        for path in (unfinished, *unfinished.rglob("*")):
            path.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        try:
            unfinished.rename(place)
        except OSError:  # Another process was quicker with the same copy.
            shutil.rmtree(unfinished)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        raise PermissionError(f"{place} is not ours; remove it")
    return place / folders[0].name
