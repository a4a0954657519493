//! Opening a database: whose it is, how it writes, and what its tables are.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::error::{ErrorKind, SqliteError};

/// "golv", in the header of each of our files, so that we never write into somebody else's.
const APPLICATION_ID: i32 = 0x676f_6c76;

/// Statement `n` leads from version `n` to `n + 1`. Never change one that was published: add one.
const MIGRATIONS: &[&str] = &["
    -- One row for an event: its place in the queue and what it is deduplicated by. `at` is when
    -- its state ends by itself: due, lease over, forgotten; null for what waits for an operator.
    create table events (
        id integer primary key,
        source text not null,
        event_id text not null,
        fingerprint blob not null,
        state integer not null,
        at integer,
        attempt integer not null default 0,
        owner integer,
        reason text,
        received_at integer not null,
        body blob,
        unique (source, event_id)
    ) strict;
    create index events_by_state on events (state, at);
    create index events_by_owner on events (owner) where owner is not null;
    create index events_dead on events (source, event_id) where state = 2;

    -- Other content under a key that was seen before.
    create table parked (
        source text not null,
        event_id text not null,
        fingerprint blob not null,
        received_at integer not null,
        body blob not null,
        unique (source, event_id, fingerprint)
    ) strict;

    -- What the bounds are compared with, kept by every transaction: counting would take longer
    -- with each event that waits.
    create table totals (
        one integer primary key check (one = 1),
        waiting integer not null,
        running integer not null,
        dead integer not null,
        parked integer not null,
        done integer not null,
        bytes integer not null
    ) strict;
    insert into totals values (1, 0, 0, 0, 0, 0, 0);
"];

/// A connection that is durable: a commit returns when the disk has it.
pub(crate) fn open(path: &Path, busy_timeout: Duration) -> Result<Connection, SqliteError> {
    create(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(64);
    // Before anything is written: the file may not be ours.
    let known = i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX);
    let found = version(&connection)?;
    if found > known {
        return Err(SqliteError::new(ErrorKind::Newer { found, known }));
    }
    durable(&connection)?;
    migrate(&mut connection, MIGRATIONS)?;
    Ok(connection)
}

/// Makes the file if there is none. SQLite gives its log the same permissions.
fn create(path: &Path) -> Result<(), SqliteError> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(SqliteError::caused(ErrorKind::Denied, error)),
    }
}

/// The version of our schema, 0 for an empty database.
fn version(connection: &Connection) -> Result<i32, SqliteError> {
    let number = |pragma| connection.pragma_query_value(None, pragma, |row| row.get::<_, i32>(0));
    let version = number("user_version")?;
    match number("application_id")? {
        APPLICATION_ID => Ok(version),
        0 if version == 0 && is_empty(connection)? => Ok(0),
        _ => Err(SqliteError::new(ErrorKind::Foreign)),
    }
}

fn is_empty(connection: &Connection) -> Result<bool, SqliteError> {
    let count = "select not exists (select 1 from sqlite_schema)";
    Ok(connection.query_row(count, [], |row| row.get(0))?)
}

fn durable(connection: &Connection) -> Result<(), SqliteError> {
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if mode != "wal" {
        return Err(SqliteError::new(ErrorKind::NoWal));
    }
    // https://www.sqlite.org/pragma.html#pragma_synchronous: in WAL mode, "FULL (2) […] adds an
    // additional sync of the WAL file after each transaction commit"; NORMAL loses transactions
    // with the power.
    connection.pragma_update(None, "synchronous", "full")?;
    // On macOS, fsync leaves data in the cache of the disk.
    connection.pragma_update(None, "fullfsync", true)?;
    connection.pragma_update(None, "checkpoint_fullfsync", true)?;
    // The log shrinks back to this after a burst.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // Dropped bodies are overwritten where that costs no extra writing.
    connection.pragma_update(None, "secure_delete", "fast")?;
    // A damaged file is told by an error, not by what it makes SQLite do.
    connection.pragma_update(None, "cell_size_check", true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    Ok(())
}

/// Brings the schema to the newest version, each step whole or not at all.
fn migrate(connection: &mut Connection, migrations: &[&str]) -> Result<(), SqliteError> {
    loop {
        // The version is read under the lock: another process may be migrating too.
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let from = version(&step)?;
        let Some(statements) = usize::try_from(from).ok().and_then(|at| migrations.get(at)) else {
            return Ok(());
        };
        step.execute_batch(statements)?;
        step.pragma_update(None, "application_id", APPLICATION_ID)?;
        step.pragma_update(None, "user_version", from + 1)?;
        step.commit()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_begins_where_the_file_is_and_leaves_nothing_half_done() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "create table a (x); insert into a values (1);";
        migrate(&mut connection, &[first]).unwrap();
        migrate(&mut connection, &[first]).unwrap();
        assert_eq!(version(&connection).unwrap(), 1);

        let broken = "insert into a values (2); insert into nowhere values (1);";
        migrate(&mut connection, &[first, broken]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 1);

        let good = "insert into a values (3);";
        migrate(&mut connection, &[first, good, good]).unwrap();
        assert_eq!(version(&connection).unwrap(), 3);
        let rows: i64 = connection
            .query_row("select sum(x) from a", [], |row| row.get(0))
            .unwrap();
        assert_eq!(rows, 7);
    }

    #[test]
    fn a_commit_waits_for_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open(&folder.path().join("inbox.db"), Duration::ZERO).unwrap();
        let pragma = |name| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0))
                .unwrap()
        };
        assert_eq!(pragma("journal_mode"), "wal".to_owned().into());
        assert_eq!(pragma("synchronous"), 2.into());
    }

    #[test]
    fn no_query_of_the_queue_scans_it() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, MIGRATIONS).unwrap();
        for query in crate::statements::QUERIES {
            let plan = format!("explain query plan {query}");
            let mut statement = connection.prepare(&plan).unwrap();
            let steps = statement.raw_query();
            let steps = steps.mapped(|row| row.get::<_, String>(3));
            for step in steps.map(Result::unwrap) {
                let constant = step == "SCAN CONSTANT ROW";
                let scans = step.starts_with("SCAN") && !constant;
                let whole = scans || step.contains("TEMP B-TREE");
                assert!(!whole, "{query}: {step}");
            }
        }
    }
}
