"""Dumps of real databases into a real borg, and back: PostgreSQL and MariaDB, of this distribution's packages."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from borg_contract.plan import RepositoryPlan, StreamPlan
from borg_contract.restore.plan import RestorePlan
from borg_contract.run import Operation, Phase
from runner_kit.databases import Database, mariadb, postgresql
from runner_kit.pod import Ended, Pod, wait_until
from runner_kit.streams import container, dump

ROWS = 20_000


@dataclass(frozen=True)
class Kind:
    """What is done with one kind of database, in its own clients' words."""

    database: Database
    variable: str
    """In which its password is."""
    dump: tuple[str, ...]
    restore: tuple[str, ...]
    fill: str
    drop: str
    digest: str
    refusal: str
    """What a wrong password gives."""

    def wrong(self) -> dict[str, str]:
        return {**self.database.environment, self.variable: "pw-of-somebody-else"}


def of_postgresql(database: Database) -> Kind:
    return Kind(
        database,
        "PGPASSWORD",
        ("pg_dump", "--format=custom", "--compress=0"),
        ("pg_restore", "--dbname=app", "--exit-on-error", "--single-transaction"),
        f"CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, md5(n::text) || repeat('x', 200) "
        f"FROM generate_series(1, {ROWS}) n; CREATE INDEX tv ON t (v); CREATE VIEW w AS SELECT count(*) FROM t",
        "DROP VIEW w; DROP TABLE t",
        "SELECT md5(string_agg(id || v, ',' ORDER BY id)) || (SELECT * FROM w) FROM t",
        "password authentication failed",
    )


def of_mariadb(database: Database) -> Kind:
    reach = ("--no-defaults", f"--socket={database.variables['SOCKET']}", "--user=app")
    return Kind(
        database,
        "MYSQL_PWD",
        ("mariadb-dump", *reach, "--single-transaction", "--routines", "app"),
        ("mariadb", *reach, "app"),
        f"CREATE TABLE t (id int PRIMARY KEY, v text) SELECT seq AS id, CONCAT(MD5(seq), REPEAT('x', 200)) AS v "
        f"FROM seq_1_to_{ROWS}; CREATE VIEW w AS SELECT COUNT(*) FROM t",
        "DROP VIEW w; DROP TABLE t",
        "SET SESSION group_concat_max_len = 100000000; "
        "SELECT CONCAT(MD5(GROUP_CONCAT(id, v ORDER BY id)), (SELECT * FROM w)) FROM t",
        "Access denied",
    )


@pytest.fixture(scope="module", params=["mariadb", "postgresql"])
def kind(request: pytest.FixtureRequest) -> Iterator[Kind]:
    if request.param == "mariadb":
        with mariadb() as database:
            yield of_mariadb(database)
    else:
        with postgresql() as database:
            yield of_postgresql(database)


def repository_of(pod: Pod, kind: Kind) -> RepositoryPlan:
    secret = pod.secret("app-db", "password", kind.database.password)
    return pod.repository(sources=(dump(secrets={kind.variable: secret}),))


def restore_plan(pod: Pod, repository: RepositoryPlan, archive: str, kind: Kind) -> Ended:
    plan = pod.plan(
        replace(repository, sources=()),
        operation=Operation.RESTORE,
        schedule="",
        restore=RestorePlan(name="back", archive=archive, source="db", has_target=False),
        stream=StreamPlan("target", kind.restore[0]),
    )
    with container(pod, "target", *kind.restore, environment=kind.database.environment):
        return pod.run(plan)


def test_a_database_is_dumped_dropped_and_there_again_as_it_was(pod: Pod, kind: Kind) -> None:
    database = kind.database
    database.ask(kind.fill)
    before = database.ask(kind.digest)
    repository = repository_of(pod, kind)
    with container(pod, "db", *kind.dump, environment=database.environment):
        ended = pod.run(pod.plan(repository))
    [result] = ended.result.repositories
    assert result.phase is Phase.COMPLETED, ended.log
    assert (result.original_size or 0) > ROWS * 200
    assert database.password not in ended.log + ended.message.decode()
    database.ask(kind.drop)
    back = restore_plan(pod, repository, result.archive or "", kind)
    assert back.result.phase is Phase.COMPLETED, back.log
    assert database.ask(kind.digest) == before
    again = restore_plan(pod, repository, result.archive or "", kind)  # into what is there: PostgreSQL's refuses
    [told] = again.result.repositories
    if kind.variable == "PGPASSWORD":
        assert (told.reason, 'relation "t" already exists' in (told.error or "")) == ("StreamFailed", True), again.log
    database.ask(kind.drop)


def test_a_wrong_password_is_told_in_the_databases_own_words(pod: Pod, kind: Kind) -> None:
    repository = repository_of(pod, kind)
    with container(pod, "db", *kind.dump, environment=kind.wrong()):
        [result] = pod.run(pod.plan(repository)).result.repositories
    assert (result.reason, kind.refusal in (result.error or "")) == ("DumpFailed", True), result.error
    assert pod.archives(repository) == []


def test_a_server_that_is_killed_in_the_middle_of_a_dump_leaves_no_archive(pod: Pod) -> None:
    with postgresql() as database:
        kind = of_postgresql(database)
        database.ask(kind.fill)
        # A dump that has begun and cannot go on: one of its tables is locked by somebody.
        database.ask("CREATE TABLE u AS SELECT 1")
        repository = repository_of(pod, kind)
        waits = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND query LIKE 'COPY%'"
        throttled = (
            "pg_dump --format=plain | { head -c 1000000; while :; do head -c 100000 | grep . || exit; sleep 1; done; }"
        )
        with (
            container(pod, "db", "bash", "-o", "pipefail", "-c", throttled, environment=database.environment),
            pod.running(pod.plan(repository)) as runner,
        ):
            wait_until(lambda: database.ask(waits).strip() != "0", 60)
            database.process.send_signal(signal.SIGQUIT)
            ended = pod.wait(runner)
        [result] = ended.result.repositories
        assert result.reason == "DumpFailed", ended.log
        assert "server closed the connection" in (result.error or ""), result.error
        assert pod.ask_borg(repository, "list", "--short", "--consider-checkpoints", "REPO") == ""
