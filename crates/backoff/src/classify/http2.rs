use std::error::Error;

use h2::Reason;

use super::{Class, hyper::connection_error, io};

/// Reads what a server says by HTTP/2 to hyper-util's client or to reqwest, for
/// [`Builder::classify`](crate::Builder::classify): a request that it refused or did not process is
/// [`Class::Refused`], so that even a POST without a key is sent again; any other reset or `GOAWAY`,
/// and a connection that broke, is [`Class::Reset`]. `None` for any other error.
///
/// It knows nothing else, so the one for the client comes after it. Like that one, **only for a
/// client that follows no redirects**:
///
/// ```
/// # fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use golive_backoff::{Backoff, http2_class};
/// # #[cfg(feature = "reqwest")]
/// use golive_backoff::reqwest_class;
///
/// let backoff = Backoff::builder().classify(http2_class);
/// # #[cfg(feature = "reqwest")]
/// let backoff = backoff.classify(reqwest_class);
/// let backoff = backoff.build()?;
/// # Ok(())
/// # }
/// ```
#[must_use]
pub fn http2_class(error: &(dyn Error + 'static)) -> Option<Class> {
    // The answer had begun.
    #[cfg(feature = "reqwest")]
    if error
        .downcast_ref::<reqwest::Error>()
        .is_some_and(|error| !error.is_request())
    {
        return None;
    }
    // Each link, and none skipped: one further down is that of a request body which is itself being
    // fetched. So is the very next one if hyper blames the user for it.
    let error = connection_error(error).filter(|error| !error.is_user())?;
    of_http2(error.source()?.downcast_ref()?)
}

fn of_http2(error: &h2::Error) -> Option<Class> {
    let by_server = |reason| error.is_remote() && error.reason() == Some(reason);
    //= RFC 9113 §8.7: The REFUSED_STREAM error code can be included in a RST_STREAM frame to
    //= indicate that the stream is being closed prior to any processing having occurred. Any request
    //= that was sent on the reset stream can be safely retried.
    if error.is_reset() && by_server(Reason::REFUSED_STREAM) {
        return Some(Class::Refused);
    }
    //= RFC 9113 §8.7: The GOAWAY frame indicates the highest stream number that might have been
    //= processed. Requests on streams with higher numbers are therefore guaranteed to be safe to
    //= retry.
    // NOTE: h2 hands the GOAWAY to streams above that number only. The others go on, and end like
    // any stream whose connection breaks.
    //= RFC 9113 §6.8: […] a server that is attempting to gracefully shut down a connection SHOULD
    //= send an initial GOAWAY frame with the last stream identifier set to 2^31-1 and a NO_ERROR code.
    // Any other code is a server in trouble, and the word of such a one is no proof.
    if error.is_go_away() && by_server(Reason::NO_ERROR) {
        return Some(Class::Refused);
    }
    if let Some(error) = error.get_io() {
        return io::lost(error);
    }
    error.is_remote().then_some(Class::Reset)
}
