//! What the end of an attempt says: to the policy, and to all who share the limits.

use golive_core::{Call, Failure, Response};
use http::StatusCode;
use tokio::time::Instant;

use crate::{
    Builder, Class, Said,
    body::Seen,
    limits::{self, Turn},
    policy::{Answer, Outcome},
};

// === impl Builder ===

impl Builder {
    /// Reads how an attempt ended, and tells the others.
    pub(crate) fn read<R: Response, E: Failure>(
        &self,
        call: &Call,
        result: &Result<(R, Seen), E>,
        turn: Option<Turn<'_>>,
    ) -> Outcome {
        let (response, seen) = match result {
            Ok((response, seen)) => (response, *seen),
            Err(_) if call.is_unsent() => return Outcome::Failed(Class::Unsent),
            Err(error) => return Outcome::Failed(self.classifiers.class(error.as_error())),
        };
        let (status, headers) = (response.status(), response.headers());
        let plain = status.as_u16() < 400 && !self.hints.mentions_quota(headers);
        // A clock is read only for what a date or a reset is measured by.
        let mut answer = if plain {
            Answer::new(status)
        } else {
            Answer::read(&self.hints, status, headers, self.clock.now())
        };
        answer.redirected = call.was_redirected();
        seen.add_to(&mut answer);
        // What another place says after a redirect is not about this one, which has let it through.
        // And what no wait brings back is not waited for: other calls may be paid from another purse.
        match turn {
            Some(turn) if answer.redirected || answer.used_up => {
                turn.answered_plainly(StatusCode::OK);
            }
            Some(turn) if plain => turn.answered_plainly(status),
            Some(turn) => {
                let quotas = self.hints.quotas(headers, self.clock.now());
                let told = limits::Answer::new(status).asked(answer.asked);
                turn.answered(Instant::now(), &told.quotas(quotas.as_slice()));
            }
            None => {}
        }
        Outcome::Answered(answer)
    }
}

// === impl Seen ===

impl Seen {
    fn add_to(self, answer: &mut Answer) {
        answer.broken = self.broken;
        match self.said {
            Some(Said::UsedUp) => answer.used_up = true,
            Some(Said::Never) => answer.vetoed = true,
            Some(Said::Again) => answer.invited = true,
            None => {}
        }
    }
}
