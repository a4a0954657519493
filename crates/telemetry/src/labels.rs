//! What a point of a metric says of a request: bounded sets alone.

use std::sync::{Arc, OnceLock};

use http::{Method, StatusCode};
use opentelemetry::KeyValue;

use crate::{
    names::{METHOD, OTHER, STATUS, URL_TEMPLATE},
    route::Route,
};

/// How many sets of a server are kept ready made. The rest is put together for each point.
const KEPT: usize = 32;

/// The labels of a server's points that are no errors, ready made: most points are of a few sets,
/// and to put one together costs about as much as the SDK's look for it.
///
/// What is kept is never taken away, so that it can be read without a lock.
pub(crate) struct Kept([OnceLock<(Answer, Box<[KeyValue]>)>; KEPT]);

/// An answer that is no error, as its labels tell it from others of the same server.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// The number of the route.
    pub(crate) route: Option<usize>,
    pub(crate) method: &'static str,
}

// === impl Kept ===

impl Kept {
    pub(crate) fn new() -> Self {
        Self([const { OnceLock::new() }; KEPT])
    }

    /// The labels of `answer`, made with `make` if they are new; `None` if there is no room for
    /// them.
    pub(crate) fn find(
        &self,
        answer: Answer,
        make: impl Fn() -> Vec<KeyValue>,
    ) -> Option<&[KeyValue]> {
        let places = self.0.iter();
        let mut taken = places.map(|place| place.get_or_init(|| (answer, make().into())));
        let (_, labels) = taken.find(|(kept, _)| *kept == answer)?;
        Some(labels)
    }
}

/// What an answer and an error have in common: which request it was.
pub(crate) fn request(
    method: &'static str,
    server: &[KeyValue],
    route: Option<&Route>,
    status: Option<StatusCode>,
) -> Vec<KeyValue> {
    // Two more, for those that failed.
    let mut labels = Vec::with_capacity(5 + 2);
    labels.push(KeyValue::new(METHOD, method));
    labels.extend_from_slice(server);
    labels.extend(route.map(|r| KeyValue::new(URL_TEMPLATE, Arc::clone(r.template()))));
    labels.extend(status.map(|s| KeyValue::new(STATUS, i64::from(s.as_u16()))));
    labels
}

/// The method as `http.request.method` has it.
///
/// Semantic conventions, HTTP: "If the HTTP request method is not known to instrumentation, it MUST
/// set the http.request.method attribute to _OTHER."
pub(crate) fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        Method::CONNECT => "CONNECT",
        Method::TRACE => "TRACE",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_of_the_standards_are_known_and_others_are_one() {
        for known in [Method::GET, Method::PATCH, Method::TRACE, Method::CONNECT] {
            assert_eq!(method(&known), known.as_str());
        }
        for other in ["get", "PURGE", "X-1"] {
            assert_eq!(method(&other.parse().unwrap()), OTHER);
        }
    }

    #[test]
    fn labels_are_made_once_and_only_so_many_are_kept() {
        let kept = Kept::new();
        let answer = |route| Answer {
            status: StatusCode::OK,
            route: Some(route),
            method: "GET",
        };
        let make = |route: usize| {
            let number = i64::try_from(route).unwrap();
            move || vec![KeyValue::new("route", number)]
        };
        for route in 0..KEPT {
            let labels = kept.find(answer(route), make(route)).unwrap();
            assert_eq!(labels, make(route)());
        }
        // Made before: not made again.
        let labels = kept.find(answer(3), || panic!("it is kept")).unwrap();
        assert_eq!(labels, make(3)());
        assert!(kept.find(answer(KEPT), make(KEPT)).is_none());
        let other = Answer {
            method: "PUT",
            ..answer(3)
        };
        assert!(kept.find(other, make(3)).is_none());
    }
}
