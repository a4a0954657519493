use std::error::Error;

use golive_core::caused_by;
use hyper_util::client::legacy;
use reqwest::Error as Reqwest;

use super::{Class, hyper};

/// Reads the errors of a reqwest client **that follows no redirects**, for
/// [`Builder::classify`](crate::Builder::classify): a connection that could not be made is
/// [`Class::Connect`], so that even a POST without a key is sent again; see [`Class`] for the
/// others. `None` for any other error.
///
/// Only for a client that was built with `redirect(reqwest::redirect::Policy::none())`, and without
/// a `retry` policy of its own. One that follows redirects, as reqwest's default does, may have its
/// POST executed, be sent to another address, and not get a connection there. The error is the
/// same, and the request would be executed twice. So without this function, a connection that
/// reqwest could not make is [`Class::Ambiguous`].
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use golive_backoff::{Backoff, reqwest_class};
///
/// let transport = reqwest::Client::builder()
///     .redirect(reqwest::redirect::Policy::none())
///     .build()?;
/// let backoff = Backoff::builder().classify(reqwest_class).build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn reqwest_class(error: &(dyn Error + 'static)) -> Option<Class> {
    // NOTE: the error itself and not a cause; see `classify` why.
    let error = error.downcast_ref::<Reqwest>()?;
    if !error.is_request() {
        return unproven(error);
    }
    // The first one is reqwest's own; `reqwest::Error::is_connect` looks at any depth, and finds
    // that of a request body too.
    let client = caused_by::<legacy::Error>(error);
    // Before the timeout: a connection that was not there in time was not there.
    if let Some(client) = client.filter(|client| client.is_connect()) {
        return Some(hyper::no_connection(client));
    }
    if error.is_timeout() {
        return Some(Class::Timeout);
    }
    client.map(hyper::of_client)
}

/// What an error of reqwest's says whether or not the client follows redirects.
pub(super) fn unproven(error: &Reqwest) -> Option<Class> {
    if error.is_builder() || error.is_redirect() {
        return Some(Class::Fatal);
    }
    // Before the timeout: it had begun to answer.
    if error.is_body() || error.is_decode() {
        return Some(Class::Body);
    }
    error.is_timeout().then_some(Class::Timeout)
}
