//! The outermost part: nothing leaves the environment.

use std::sync::Arc;

use golive_core::{Call, Exchange, Middleware, Own, Request};

use crate::{Environment, deadline::not_sent};

/// Refuses a request to anywhere else, before a token is attached to it.
#[derive(Clone, Debug)]
pub(crate) struct Boundary(Arc<Environment>);

impl Boundary {
    pub(crate) fn new(environment: Arc<Environment>) -> Self {
        Self(environment)
    }
}

impl Middleware for Boundary {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        if let Err(outside) = self.0.contains(req.origin(), req.path()) {
            not_sent(call);
            call.set_unsent();
            return Err(Own::new(outside).into());
        }
        below.send(call, req).await
    }
}
