//! What a point of a metric says of a request: bounded sets alone.

use http::Method;

use crate::names::OTHER;

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
}
