use std::io::{Error, ErrorKind};

use super::Class;

/// Whether this is what a connection that could not be made fails with, and nothing else does.
pub(super) fn is_no_connection(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionRefused | ErrorKind::AddrNotAvailable
    )
}

/// How a connection was lost, if it was.
pub(super) fn lost(error: &Error) -> Option<Class> {
    match error.kind() {
        ErrorKind::TimedOut => Some(Class::Timeout),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(Class::Reset),
        _ => None,
    }
}
