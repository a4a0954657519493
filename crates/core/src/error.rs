use std::{error::Error, fmt};

/// Any error: what the tower face answers with, as tower's own middleware do.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// A typed error of ours on its way to the caller, whatever the face.
///
/// Find it again with [`caused_by`].
pub struct Own(Box<dyn Typed>);

/// The error of an [`Exchange`](crate::Exchange): the transport's, or one of ours.
pub trait Failure: From<Own> + Send {
    /// The error as it came, to be looked at: its own type can be downcast, its
    /// [`source`](Error::source)s walked.
    fn as_error(&self) -> &(dyn Error + 'static);
}

/// Finds an error of type `E` in an error or among its causes, through any stack of boxes.
///
/// ```
/// use golive_core::{BoxError, caused_by};
///
/// let error: BoxError = Box::new(std::io::Error::other("closed"));
/// assert!(caused_by::<std::io::Error>(error.as_ref()).is_some());
/// ```
#[must_use]
pub fn caused_by<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        let error = unwrap(error);
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<std::io::Error>() {
            // Its source is not the error that it holds, but the source of that one.
            Some(io) => io.get_ref().map(|held| held as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

// === impl Own ===

impl Own {
    /// Takes an error of ours.
    #[must_use]
    pub fn new<E: Error + Send + Sync + 'static>(error: E) -> Self {
        Self(Box::new(error))
    }

    /// The error, boxed.
    #[must_use]
    pub fn into_inner(self) -> BoxError {
        self.0.boxed()
    }

    /// The error for `anyhow`, of its own type and not of a box: `downcast_ref` finds it at once.
    #[cfg(feature = "reqwest")]
    pub(crate) fn into_anyhow(self) -> anyhow::Error {
        self.0.anyhow()
    }
}

impl fmt::Debug for Own {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An error whose type is not yet forgotten.
trait Typed: Error + Send + Sync {
    fn boxed(self: Box<Self>) -> BoxError;
    #[cfg(feature = "reqwest")]
    fn anyhow(self: Box<Self>) -> anyhow::Error;
}

impl<E: Error + Send + Sync + 'static> Typed for E {
    fn boxed(self: Box<Self>) -> BoxError {
        self
    }

    #[cfg(feature = "reqwest")]
    fn anyhow(self: Box<Self>) -> anyhow::Error {
        anyhow::Error::new(*self)
    }
}

/// Sees through wrappers that are transparent: their `source()` skips the very error they hold.
fn unwrap<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    // A `Box<dyn Error>` is no `Error` itself, so only foreign transparent wrappers are left.
    #[cfg(feature = "reqwest")]
    if let Some(error) = error.downcast_ref::<::reqwest_middleware::Error>() {
        return crate::reqwest::inside(error);
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] BoxError);

    #[derive(Debug, thiserror::Error)]
    #[error("inner")]
    struct Inner;

    #[test]
    fn a_cause_is_found_at_any_depth_and_only_if_it_is_there() {
        let error = Outer(Box::new(Outer(Box::new(Inner))));
        assert!(caused_by::<Inner>(&error).is_some());
        assert!(caused_by::<Outer>(&error).is_some());
        assert!(caused_by::<fmt::Error>(&error).is_none());
    }

    #[test]
    fn a_cause_is_found_inside_an_io_error() {
        let error = std::io::Error::other(Outer(Box::new(std::io::Error::other(Inner))));
        assert!(caused_by::<std::io::Error>(&error).is_some());
        assert!(caused_by::<Outer>(&error).is_some());
        assert!(caused_by::<Inner>(&error).is_some());
        assert!(caused_by::<Inner>(&std::io::Error::from_raw_os_error(2)).is_none());
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn a_cause_is_found_inside_a_reqwest_middleware_error() {
        use ::reqwest_middleware::Error as Foreign;

        let outer = || Outer(Box::new(Inner));
        for error in [
            Foreign::Middleware(Own::new(outer()).into_anyhow()),
            Foreign::middleware(outer()),
            Foreign::Middleware(anyhow::Error::from_boxed(Box::new(outer()))),
        ] {
            assert!(caused_by::<Outer>(&error).is_some());
            assert!(caused_by::<Inner>(&error).is_some());
        }
    }
}
