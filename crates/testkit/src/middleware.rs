use golive_core::{Call, Exchange, Middleware, Request, Response};

/// Does nothing: what any middleware costs at least.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassOn;

/// Sends up to three times, until an answer is a success: puts any middleware below it through
/// three attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thrice;

golive_core::faces!(PassOn);
golive_core::faces!(Thrice);

impl Middleware for PassOn {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        below.send(call, req).await
    }
}

impl Middleware for Thrice {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        for _ in 0..2 {
            let Some(spare) = req.try_clone() else { break };
            let result = below.send(call, req).await;
            if !spare.is_whole() || result.as_ref().is_ok_and(|r| r.status().is_success()) {
                return result;
            }
            drop(result);
            call.next_attempt();
            req = spare;
        }
        below.send(call, req).await
    }
}
