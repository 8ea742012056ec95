"""Disks that are full, and an archive that cannot be read: one text, the rows stay, and the next run ends well.

Belongs here: these faults of the machine, and what must hold for each. Does not belong here: the faults of a publisher
(`faults.py`), the ground (`ground.py`).

A full disk is a small file system in memory, mounted below the campaign's own folder. Only root may do that; where it
may not, or the kernel does not let it, the fault is skipped and the report says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from torture.ground import Ground, ground
from torture.kills import await_server

MEGABYTE = 1 << 20
OF_SERVER = 1_000 * MEGABYTE
"""Size of the disk of a server: its tables, and the log that a few runs write."""

LEFT = {"server": 256 << 10, "archive": 0, "TMPDIR": 16 << 10}
"""Bytes that a full disk has left: some, so that it becomes full in the middle of a run. The archive has none: what
still fits is loaded, as it should be."""

UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Starts a command for which the rights of files count, even as root."""


class NotPossible(Exception):
    """This machine does not allow the fault; the text says why."""


@dataclass(frozen=True)
class Trouble:
    """A fault of the machine while it lasts.

    Attributes:
        settings: of the command that meets it.
        through: what starts the command.
        end: ends the fault.
        may_fit: whether a command may end well all the same.
    """

    settings: dict[str, str] = field(default_factory=dict)
    through: tuple[str, ...] = ()
    end: Callable[[], None] = lambda: None
    may_fit: bool = False


def disks(made: Ground) -> Iterator[tuple[str, list[str]]]:
    """Meet each of the faults with a refresh and with a rebuild.

    Yields:
        A line of the report, and what does not hold.
    """
    troubles = {
        "archive unreadable": unreadable_archive,
        "archive full": full_archive,
        "TMPDIR full": full_temporary,
    }
    for name, trouble in troubles.items():
        yield from _met(made, name, trouble)
    try:
        place = made.folder / "other"
        with disk(place / ".local" / "postgres", OF_SERVER), ground(place) as other:
            yield from _met(other, "disk of the server full", full_server)
    except NotPossible as error:
        yield f"disk of the server full: skipped, {error}", []


def _met(
    made: Ground, name: str, trouble: Callable[[Ground], AbstractContextManager[Trouble]]
) -> Iterator[tuple[str, list[str]]]:
    for edition, command in ((1, "refresh"), (0, "rebuild")):
        try:
            with trouble(made) as met:
                yield f"{name}: {command}", list(_problems(made, command, edition, met))
        except NotPossible as error:
            yield f"{name}: {command}: skipped, {error}", []
            code, text = made.run(command, edition)
            assert code == 0, text


def _problems(made: Ground, command: str, edition: int, met: Trouble) -> Iterator[str]:
    """What does not hold: the command fails with one text and the rows stay; without the fault it ends well."""
    before = made.content()
    code, text = made.start(command, edition, met.settings, met.through).ended()
    fits = met.may_fit and code == 0
    if not fits and (code != 1 or ": expected " not in " ".join(text.split()) or "Traceback" in text):
        yield f"not a failure with a text: it ended with {code}: {text}"
    met.end()
    yield from made.left_behind()
    if made.content() != before and not fits:
        yield "the rows have changed"
    code, text = made.start(command, edition, met.settings).ended()
    if code:
        yield f"without the fault it ended with {code}: {text}"
    if made.content() == before:
        yield "without the fault the rows are still the old ones"


@contextmanager
def unreadable_archive(made: Ground) -> Iterator[Trouble]:
    """The folder of the archive denies everything."""
    if os.geteuid() == 0 and not shutil.which(UNPRIVILEGED[0]):
        raise NotPossible(f"root reads everything, and there is no {UNPRIVILEGED[0]}")
    archive = made.folder / ".local" / "archive"
    archive.chmod(0)
    try:
        yield Trouble(through=UNPRIVILEGED if os.geteuid() == 0 else (), end=lambda: archive.chmod(0o755))
    finally:
        archive.chmod(0o755)


@contextmanager
def full_archive(made: Ground) -> Iterator[Trouble]:
    """The archive is on a disk that is full; it has the releases so far."""
    own = made.folder / ".local" / "archive"
    size = sum(path.stat().st_size for path in own.rglob("*"))  # hundreds of runs leave some releases
    with disk(made.folder / "archive", 2 * size + 64 * MEGABYTE) as folder:
        shutil.copytree(own, folder / "archive", symlinks=True)
        yield Trouble({"EDU_ARCHIVE": str(folder / "archive")}, end=_filled(folder, LEFT["archive"]))


@contextmanager
def full_temporary(made: Ground) -> Iterator[Trouble]:
    """The folder for temporary files is on a disk that is full."""
    with disk(made.folder / "temporary", 64 * MEGABYTE) as folder:
        yield Trouble({"TMPDIR": str(folder)}, end=_filled(folder, LEFT["TMPDIR"]))


@contextmanager
def full_server(made: Ground) -> Iterator[Trouble]:
    """The disk of the server is full, of its tables and its log; the server itself may go down."""
    free = _filled(made.cluster.home, LEFT["server"])

    def end() -> None:
        free()
        made.cluster.start()
        await_server(made)

    yield Trouble(end=end, may_fit=True)


def _filled(folder: Path, left: int) -> Callable[[], None]:
    """Fill a disk; gives what frees it again."""
    filler = folder / "filler"
    with filler.open("wb") as out:
        while (free := shutil.disk_usage(folder).free - left) > 0:
            out.write(bytes(min(free, MEGABYTE)))
            out.flush()
    return lambda: filler.unlink(missing_ok=True)


@contextmanager
def disk(folder: Path, size: int) -> Iterator[Path]:
    """A file system of its own in a new folder.

    Raises:
        NotPossible: this user, or this machine, may not mount one.
    """
    folder.mkdir(parents=True)
    mount = ("mount", "-t", "tmpfs", "-o", f"size={size},mode=0755", "none", str(folder))
    try:
        if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
            raise NotPossible("a file system of its own cannot be mounted here")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "-l", folder], check=True)
    finally:
        folder.rmdir()
