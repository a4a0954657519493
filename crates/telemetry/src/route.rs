use std::sync::Arc;

use crate::ConfigError;

/// What stands in a recorded URL for what is not part of a route.
const REDACTED: &str = "REDACTED";

/// The path of a request that no route matches, as it is recorded.
pub(crate) const UNKNOWN: &str = "/REDACTED";

/// The longest template, in bytes: it is a label on every point.
const MAX_LENGTH: usize = 200;

/// A path with holes, `/v3/customers/{id}`: what a path is called in labels, and as much of it as
/// is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Route {
    template: Arc<str>,
    redacted: Arc<str>,
    /// What stands around the holes, slashes included: one piece more than there are holes. A route
    /// is compared with each request, piece by piece instead of segment by segment.
    pieces: Box<[Box<str>]>,
}

// === impl Route ===

impl Route {
    pub(crate) fn parse(template: &str) -> Result<Self, ConfigError> {
        let hole = |segment: &str| {
            let name = segment.strip_prefix('{')?.strip_suffix('}')?;
            (!name.is_empty() && !name.contains(['{', '}'])).then_some(())
        };
        let good = template.len() <= MAX_LENGTH
            && template.starts_with('/')
            && template.bytes().all(|byte| byte.is_ascii_graphic())
            && !template.contains(['?', '#'])
            && template
                .split('/')
                .all(|segment| !segment.contains(['{', '}']) || hole(segment).is_some());
        if !good {
            return Err(ConfigError::Route {
                template: template.chars().take(MAX_LENGTH).collect(),
            });
        }
        let segments: Vec<_> = template
            .split('/')
            .map(|segment| if is_hole(segment) { REDACTED } else { segment })
            .collect();
        Ok(Self {
            template: template.into(),
            redacted: segments.join("/").into(),
            pieces: pieces(template),
        })
    }

    pub(crate) fn template(&self) -> &Arc<str> {
        &self.template
    }

    /// The path with its holes covered.
    pub(crate) fn redacted(&self) -> &str {
        &self.redacted
    }

    pub(crate) fn matches(&self, path: &str) -> bool {
        let [first, others @ ..] = &*self.pieces else {
            return false;
        };
        let Some(mut rest) = path.strip_prefix(&**first) else {
            return false;
        };
        for piece in others {
            // A hole is one segment that is not empty.
            let end = rest.bytes().position(|byte| byte == b'/');
            let end = end.unwrap_or(rest.len());
            match rest[end..].strip_prefix(&**piece) {
                Some(behind) if end > 0 => rest = behind,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

/// Splits at the holes. The template is known to be good: braces stand around whole segments.
fn pieces(template: &str) -> Box<[Box<str>]> {
    template
        .split('{')
        .enumerate()
        .map(|(n, piece)| match piece.split_once('}') {
            Some((_, behind)) if n > 0 => behind.into(),
            _ => piece.into(),
        })
        .collect()
}

fn is_hole(segment: &str) -> bool {
    segment.starts_with('{')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn route(template: &str) -> Route {
        Route::parse(template).unwrap()
    }

    #[test]
    fn a_hole_stands_for_one_segment_that_is_not_empty() {
        let route = route("/v3/customers/{id}/loans");
        assert!(route.matches("/v3/customers/cus_1/loans"));
        for other in [
            "/v3/customers//loans",
            "/v3/customers/cus_1",
            "/v3/customers/cus_1/loans/",
            "/v3/customers/cus_1/loans/1",
            "/v3/customers/a/b/loans",
            "",
        ] {
            assert!(!route.matches(other), "{other}");
        }
        assert_eq!(route.redacted(), "/v3/customers/REDACTED/loans");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for bad in [
            "", "v3", "/a?b", "/a#b", "/{", "/{}", "/x{id}", "/{a}{b}", "/a b", "/é",
        ] {
            assert!(Route::parse(bad).is_err(), "{bad}");
        }
        assert!(Route::parse(&format!("/{}", "a".repeat(MAX_LENGTH))).is_err());
        for good in ["/", "/v3/{id}", "/{a}/{b}/c.json"] {
            assert!(Route::parse(good).is_ok(), "{good}");
        }
    }

    /// What a match is, said segment by segment.
    fn matches(template: &str, path: &str) -> bool {
        let (expected, seen) = (template.split('/'), path.split('/'));
        expected.clone().count() == seen.clone().count()
            && expected
                .zip(seen)
                .all(|(expected, seen)| seen == expected || (is_hole(expected) && !seen.is_empty()))
    }

    proptest! {
        #[test]
        fn a_route_matches_segment_by_segment(
            template in "(/([ab]{0,2}|\\{x\\})){1,4}",
            path in "(/[ab]{0,2}){1,4}|[ab/]{0,6}",
        ) {
            prop_assert_eq!(route(&template).matches(&path), matches(&template, &path));
        }

        #[test]
        fn nothing_of_a_path_is_recorded_that_is_not_in_the_template(id in "[a-z0-9]{12}") {
            let route = route("/v3/customers/{id}");
            let path = format!("/v3/customers/{id}");
            prop_assert!(route.matches(&path));
            prop_assert!(!route.redacted().contains(&id));
        }
    }
}
