//! One deadline for the whole call: the retries, the waits, and the renewal of a token too.

use std::{error::Error, time::Duration};

use golive_backoff::AttemptTimeout;
use golive_core::{Call, Disposition, Exchange, Failure, Middleware, Own, Request, caused_by};
use tokio::time::{Instant, timeout_at};

use crate::DeadlineExceeded;

/// Ends a call in time. What lies below sees the deadline, and begins nothing that cannot end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Duration);

impl Middleware for Deadline {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        let now = Instant::now();
        let own = now + self.0;
        call.limit_to(own.into_std());
        // Whoever lies further out may have less time.
        let until = call.deadline().map_or(own, Instant::from_std);
        if until <= now {
            not_sent(call);
            call.set_unsent();
            return Err(Own::new(DeadlineExceeded).into());
        }
        match timeout_at(until, below.send(call, req)).await {
            // The last attempt had what was left, and both ended together.
            Ok(Err(error)) if is_late(error.as_error()) && Instant::now() >= until => {
                Err(Own::new(DeadlineExceeded).into())
            }
            Ok(result) => result,
            Err(_) => Err(Own::new(DeadlineExceeded).into()),
        }
    }
}

fn is_late(error: &(dyn Error + 'static)) -> bool {
    caused_by::<AttemptTimeout>(error).is_some()
}

/// Notes that this call sent nothing, whatever somebody further out sent before it.
pub(crate) fn not_sent(call: &mut Call) {
    let before = call.attempts();
    if before
        .iter()
        .all(|a| a.disposition == Disposition::NotExecuted)
    {
        call.set_disposition(Disposition::NotExecuted);
    }
}
