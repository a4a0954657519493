//! Whether the server executed a call: what each attempt says, and what they say together.

use golive_core::Disposition;
use http::StatusCode;

use crate::policy::Outcome;

/// What one attempt says.
pub(crate) fn of_attempt(outcome: &Outcome, has_key: bool) -> Disposition {
    match outcome {
        Outcome::Failed(class) if class.is_unexecuted() => Disposition::NotExecuted,
        Outcome::Failed(_) => Disposition::Unknown,
        Outcome::Answered(answer) if answer.redirected && !answer.status.is_success() => {
            Disposition::Unknown
        }
        Outcome::Answered(answer) => of_status(answer.status, has_key),
    }
}

/// What all attempts say together, `before` being what the ones before the last have said.
///
/// Nothing but a success outweighs an attempt of which nobody knows: a later refusal may come from
/// a gate that stands before the server's memory of keys (401, 429), or because of the very thing
/// that the attempt before has done (409, 422). A wrong "not executed" makes somebody create a
/// second loan; a wrong "unknown" makes them look first.
pub(crate) fn together(before: Disposition, last: Disposition) -> Disposition {
    match (before, last) {
        (_, Disposition::Executed) => Disposition::Executed,
        (Disposition::NotExecuted, last) => last,
        (Disposition::Unknown | Disposition::Executed, _) => Disposition::Unknown,
    }
}

fn of_status(status: StatusCode, has_key: bool) -> Disposition {
    match status {
        //= RFC 9110 §15.4.8: […] the user agent MUST NOT change the request method if it performs
        //= an automatic redirection. So the request is still to be made, elsewhere.
        StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT => Disposition::NotExecuted,
        // Often sent by something in between that gave up on a server which goes on.
        StatusCode::REQUEST_TIMEOUT => Disposition::Unknown,
        // With a key it may mean that the same operation is under way, begun by somebody else.
        StatusCode::CONFLICT if has_key => Disposition::Unknown,
        _ if status.is_success() => Disposition::Executed,
        _ if status.is_client_error() => Disposition::NotExecuted,
        _ => Disposition::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use Disposition::{Executed, NotExecuted, Unknown};

    use super::*;
    use crate::{Class, policy::Answer};

    fn status(status: u16, has_key: bool) -> Disposition {
        let outcome = Outcome::status(StatusCode::from_u16(status).unwrap());
        of_attempt(&outcome, has_key)
    }

    #[test]
    fn a_refusal_after_a_redirect_says_nothing_about_the_request() {
        let after = |status: StatusCode| {
            Outcome::Answered(Answer {
                redirected: true,
                ..Answer::new(status)
            })
        };
        for status in [StatusCode::NOT_FOUND, StatusCode::TOO_MANY_REQUESTS] {
            assert_eq!(of_attempt(&after(status), false), Unknown);
        }
        assert_eq!(of_attempt(&after(StatusCode::OK), false), Executed);
    }

    #[test]
    fn an_attempt_says_what_its_end_proves() {
        for (code, expected) in [
            (201, Executed),
            (204, Executed),
            (303, Unknown),
            (307, NotExecuted),
            (401, NotExecuted),
            (408, Unknown),
            (409, NotExecuted),
            (422, NotExecuted),
            (425, NotExecuted),
            (429, NotExecuted),
            (500, Unknown),
            (503, Unknown),
            (504, Unknown),
        ] {
            assert_eq!(status(code, false), expected, "{code}");
        }
        assert_eq!(status(409, true), Unknown, "the key may be in flight");
        let broken = Answer {
            broken: true,
            ..Answer::new(StatusCode::CREATED)
        };
        let broken = of_attempt(&Outcome::Answered(broken), false);
        assert_eq!(
            broken, Executed,
            "the server said so before the body broke off"
        );
        let failed = |class| of_attempt(&Outcome::Failed(class), true);
        assert_eq!(failed(Class::Connect), NotExecuted);
        assert_eq!(failed(Class::Refused), NotExecuted);
        assert_eq!(failed(Class::Timeout), Unknown);
        assert_eq!(failed(Class::Ambiguous), Unknown);
    }

    #[test]
    fn only_a_success_outweighs_an_attempt_of_which_nobody_knows() {
        assert_eq!(together(Unknown, Executed), Executed);
        assert_eq!(together(Unknown, NotExecuted), Unknown);
        assert_eq!(together(Unknown, Unknown), Unknown);
        assert_eq!(together(NotExecuted, NotExecuted), NotExecuted);
        assert_eq!(together(NotExecuted, Unknown), Unknown);
        assert_eq!(together(NotExecuted, Executed), Executed);
    }
}
