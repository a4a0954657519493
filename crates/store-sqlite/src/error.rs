//! Why the database did not do what it was asked.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use golive_webhook_inbox::StoreError;
use rusqlite::ErrorCode;

/// Why a database could not be opened, read or written.
///
/// It is the source of a [`StoreError::Unavailable`]; find it there by `downcast_ref`. Its own
/// source is what SQLite said, if it was SQLite. Neither holds anything of an event.
#[derive(Clone, Debug)]
pub struct SqliteError {
    kind: ErrorKind,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

/// What is wrong, and with that, who must act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Another process holds the write lock for longer than the busy timeout. It passes.
    Busy,
    /// The disk is full, or the quota used up. Nothing was written.
    DiskFull,
    /// The file is damaged, or no database at all. Restore it.
    Corrupt,
    /// The file or its folder cannot be opened or written.
    Denied,
    /// The disk or the file system failed. Whether the last write took effect is unknown.
    Io,
    /// The database was written by a newer version of this crate.
    Newer {
        /// The version of its schema.
        found: i32,
        /// The newest version that this crate knows.
        known: i32,
    },
    /// The file is a database of another program. It was not touched.
    Foreign,
    /// There can be no write-ahead log at this place: memory, or some network file systems.
    NoWal,
    /// A setting of the builder is zero or beyond reason.
    Setting,
    /// The thread that writes has ended.
    Closed,
    /// Something else; the source says what.
    Other,
}

// === impl SqliteError ===

impl SqliteError {
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self { kind, cause: None }
    }

    pub(crate) fn caused(kind: ErrorKind, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            kind,
            cause: Some(Arc::new(cause)),
        }
    }

    /// What is wrong.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for SqliteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.kind {
            ErrorKind::Busy => {
                "the database is locked by another process; find out which, or wait longer for it"
            }
            ErrorKind::DiskFull => "the disk of the database is full; make room",
            ErrorKind::Corrupt => "the database is damaged or none; restore it from a backup",
            ErrorKind::Denied => "the database cannot be opened or written; check its permissions",
            ErrorKind::Io => "the disk of the database failed; see what the system says about it",
            ErrorKind::Newer { found, known } => {
                return write!(
                    f,
                    "the database has schema version {found}, and this program knows versions up \
                     to {known}; run the newer program"
                );
            }
            ErrorKind::Foreign => "the file is a database of another program; give another path",
            ErrorKind::NoWal => {
                "no write-ahead log can be kept here; put the database on a local disk"
            }
            ErrorKind::Setting => {
                "a bound or a time of the store is zero, a time over ten years, or a batch over 1,024"
            }
            ErrorKind::Closed => "the store was closed",
            ErrorKind::Other => "the database failed",
        };
        f.write_str(text)
    }
}

impl Error for SqliteError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        let cause = self.cause.as_deref()?;
        Some(cause)
    }
}

impl From<rusqlite::Error> for SqliteError {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match (&error, error.sqlite_error_code()) {
            (_, Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) => ErrorKind::Busy,
            (_, Some(ErrorCode::DiskFull)) => ErrorKind::DiskFull,
            (_, Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)) => ErrorKind::Corrupt,
            (
                _,
                Some(
                    ErrorCode::CannotOpen
                    | ErrorCode::PermissionDenied
                    | ErrorCode::ReadOnly
                    | ErrorCode::AuthorizationForStatementDenied,
                ),
            ) => ErrorKind::Denied,
            (_, Some(ErrorCode::SystemIoFailure)) => ErrorKind::Io,
            // A value of a type that we never wrote.
            (
                rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..),
                _,
            ) => ErrorKind::Corrupt,
            _ => ErrorKind::Other,
        };
        Self::caused(kind, error)
    }
}

impl From<SqliteError> for StoreError {
    fn from(error: SqliteError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}
