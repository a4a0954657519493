use std::{error::Error, io};

use golive_core::caused_by;
use hyper_util::client::legacy;

use super::{Class, io as of_io};

/// Reads the errors of hyper-util's `client::legacy` and of hyper's own connections, for
/// [`Builder::classify`](crate::Builder::classify); see [`Class`] for what is of which class.
/// `None` for any other error.
///
/// Only where nothing between the retry and the client follows redirects, such as tower-http's
/// `FollowRedirect`: see `reqwest_class` (feature `reqwest`) why.
///
/// A handshake counts as [`Class::Tls`] if the connector fails with an `std::io::Error` of the kind
/// `InvalidData`, as rustls does; with any other it is [`Class::Connect`], which is as true.
#[must_use]
pub fn hyper_class(error: &(dyn Error + 'static)) -> Option<Class> {
    if let Some(error) = error.downcast_ref::<hyper::Error>() {
        return Some(of_connection(error));
    }
    // The first one decides. One further down belongs to another exchange: that of a request body
    // which is itself being fetched, and by then this request was under way.
    Some(of_client(caused_by::<legacy::Error>(error)?))
}

/// What an error of hyper-util's client says.
pub(super) fn of_client(error: &legacy::Error) -> Class {
    if error.is_connect() {
        return no_connection(error);
    }
    match error.source() {
        Some(source) => source
            .downcast_ref()
            .map_or(Class::Ambiguous, of_connection),
        // Only what the client finds wrong with the request has no cause: a method, a version or an
        // address that it cannot send.
        None => Class::Fatal,
    }
}

/// Why there was no connection. Everything below this error is about that.
pub(super) fn no_connection(error: &(dyn Error + 'static)) -> Class {
    let mut next = caused_by::<io::Error>(error);
    while let Some(error) = next {
        // rustls: what the peer sent cannot be read, or its certificate cannot be trusted.
        if error.kind() == io::ErrorKind::InvalidData {
            return Class::Tls;
        }
        let inner = error.get_ref();
        next = inner.and_then(|inner| caused_by::<io::Error>(inner));
    }
    Class::Connect
}

/// What an error of hyper's own says. The cause of one that is about the request's body is not
/// looked at: it belongs to another exchange.
fn of_connection(error: &hyper::Error) -> Class {
    // The request was never taken from the queue of the connection: hyper-util gets it back with
    // this error, and sends it again over another connection if it can.
    if error.is_canceled() {
        return Class::Connect;
    }
    lost(error).unwrap_or(Class::Ambiguous)
}

/// How a connection was lost, if it was.
pub(super) fn lost(error: &hyper::Error) -> Option<Class> {
    if error.is_user() {
        return None;
    }
    if error.is_timeout() {
        return Some(Class::Timeout);
    }
    if error.is_incomplete_message() || error.is_closed() {
        return Some(Class::Reset);
    }
    error.source()?.downcast_ref().and_then(of_io::lost)
}

/// The error of the connection below an error of hyper-util's client.
// Not one of hyper's own: it may be that of an answer which had begun.
#[cfg(feature = "http2")]
pub(super) fn connection_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a hyper::Error> {
    let error = caused_by::<legacy::Error>(error)?;
    if error.is_connect() {
        return None;
    }
    error.source()?.downcast_ref()
}
