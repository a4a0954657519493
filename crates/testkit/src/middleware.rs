use golive_core::{Call, Exchange, Middleware, Request, Response};

/// Does nothing: what any middleware costs at least.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassOn;

/// Sends up to three times, until an answer is a success: puts any middleware below it through
/// three attempts.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thrice;

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

mod faces {
    use golive_core::tower::{Layer, Layered};

    use super::{PassOn, Thrice};

    // `faces!` asks for features of the calling crate; this one always has both.
    macro_rules! both {
        ($t:ty) => {
            impl<S> Layer<S> for $t {
                type Service = Layered<$t, S>;
                fn layer(&self, inner: S) -> Self::Service {
                    Layered::new(*self, inner)
                }
            }
            impl golive_core::reqwest::Middleware for $t {
                fn handle<'a, 'b, 'c, 'd>(
                    &'a self,
                    req: reqwest::Request,
                    extensions: &'b mut http::Extensions,
                    next: golive_core::reqwest::Next<'c>,
                ) -> golive_core::reqwest::Handled<'d>
                where
                    'a: 'd,
                    'b: 'd,
                    'c: 'd,
                    Self: 'd,
                {
                    golive_core::reqwest::handle(self, req, extensions, next)
                }
            }
        };
    }
    both!(PassOn);
    both!(Thrice);
}
