"""Real database servers, as processes of this machine, each with a folder of its own and reached by a socket in it."""

import os
import pwd
import secrets
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from runner_kit.pod import wait_until


@dataclass(frozen=True)
class Database:
    """A running server. `variables`: by which its clients find it; `password` is the one that it asks for."""

    process: "subprocess.Popen[bytes]"
    programs: Path
    variables: Mapping[str, str]
    query: Sequence[str]
    """The words of a client that prints, plainly, what the SQL in the next word gives."""
    password: str = field(default_factory=lambda: f"pw-{secrets.token_hex(8)}")

    def ask(self, sql: str) -> str:
        """Return what the server answers. Raises CalledProcessError."""
        done = subprocess.run(
            [*self.query, sql], env=self.environment, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": f"{self.programs}:{os.environ['PATH']}", **self.variables}


@contextmanager
def postgresql() -> Iterator[Database]:
    """Let a PostgreSQL be there, with a user `app` that needs its password, and an empty database `app`."""
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    with _folder("postgres") as (folder, user):
        (folder / "password").write_text(password := f"pw-{secrets.token_hex(8)}")
        _run(user, programs / "initdb", "--username=app", "--auth=scram-sha-256", f"--pwfile={folder}/password",
             "--no-sync", f"--pgdata={folder}/data")  # fmt: skip
        variables = {"PGHOST": str(folder), "PGUSER": "app", "PGDATABASE": "postgres", "PGPASSWORD": password}
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}", "-c", "fsync=off"]
        with _server(user, folder, programs / "postgres", "-D", f"{folder}/data", *options) as process:
            query = [str(programs / "psql"), "--no-psqlrc", "-Atqc"]
            database = Database(process, programs, variables, query, password)
            wait_until(lambda: _answers(database), 120)
            database.ask("CREATE DATABASE app")
            variables["PGDATABASE"] = "app"
            yield database


@contextmanager
def mariadb() -> Iterator[Database]:
    """Let a MariaDB be there, with a user `app` that needs its password, and an empty database `app`."""
    programs = Path("/usr/bin")
    with _folder("mysql") as (folder, user):
        data, socket = folder / "data", folder / "s"
        _run(user, programs / "mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db",
             "--auth-root-authentication-method=normal", "--skip-name-resolve")  # fmt: skip
        options = [f"--datadir={data}", f"--socket={socket}", "--skip-networking", f"--pid-file={folder}/pid"]
        with _server(user, folder, shutil.which("mariadbd") or "mariadbd", "--no-defaults", *options) as process:
            reach = ["--no-defaults", f"--socket={socket}"]
            root = Database(process, programs, {}, [str(programs / "mariadb"), *reach, "--user=root", "-NBe"])
            wait_until(lambda: _answers(root), 120)
            password = root.password
            root.ask(f"CREATE DATABASE app; CREATE USER app@localhost IDENTIFIED BY '{password}';"
                     "GRANT ALL ON app.* TO app@localhost; GRANT PROCESS, RELOAD ON *.* TO app@localhost")  # fmt: skip
            query = [str(programs / "mariadb"), *reach, "--user=app", "app", "-NBe"]
            variables = {"MYSQL_PWD": password, "SOCKET": str(socket)}
            yield Database(process, programs, variables, query, password)


def _answers(database: Database) -> bool:
    try:
        return database.ask("SELECT 1").strip() == "1"
    except subprocess.CalledProcessError:
        return False


@contextmanager
def _folder(account: str) -> Iterator[tuple[Path, str | None]]:
    """Yield a short path, as a socket's is, and the user to whom it belongs: neither server runs as root."""
    user = account if os.getuid() == 0 else None
    if user is not None and not _exists(user):
        user = "nobody"
    with TemporaryDirectory(prefix="borg-db-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        if user is not None:
            shutil.chown(folder, user)
        yield folder, user


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _run(user: str | None, *command: object) -> None:
    subprocess.run(list(map(str, command)), user=user, check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=300)


@contextmanager
def _server(user: str | None, folder: Path, *command: object) -> Iterator["subprocess.Popen[bytes]"]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(list(map(str, command)), user=user, stdout=log, stderr=log, cwd="/")
        try:
            yield process
        finally:
            process.kill()
            process.wait()
