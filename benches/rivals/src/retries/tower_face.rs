//! Ours as a layer, and `tower::retry`.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use golive_core::tower::Layer as _;
use golive_sim::{Answer, Caller, FarEnd};
use http::StatusCode;
use http_body_util::Full;
use tower::{
    BoxError, Service, ServiceExt as _,
    retry::{
        Policy, Retry,
        backoff::{Backoff as _, ExponentialBackoff, ExponentialBackoffMaker, MakeBackoff as _},
        budget::{Budget as _, TpsBudget},
    },
    util::rng::HasherRng,
};

use super::{BASE, CAP, RETRIES, backoff, caller};

/// The request of the simulations.
type Request = http::Request<Full<Bytes>>;

/// A policy as tower's documentation shows one: attempts that are counted, a backoff, and where it
/// is given, a budget.
#[derive(Clone, Debug)]
pub struct Careful {
    left: u32,
    // NOTE: a clone of it, one for each request, clones its generator too.
    backoff: ExponentialBackoff,
    budget: Option<Arc<TpsBudget>>,
}

pub(super) fn ours(far_end: FarEnd, seed: u64) -> Caller {
    through(backoff(seed).layer(Transport(far_end)))
}

pub(super) fn without_budget(far_end: FarEnd, _: u64) -> Caller {
    through(Retry::new(Careful::new(None), Transport(far_end)))
}

pub(super) fn with_budget(far_end: FarEnd, _: u64) -> Caller {
    let budget = Arc::new(TpsBudget::default());
    through(Retry::new(Careful::new(Some(budget)), Transport(far_end)))
}

fn through<S, B>(service: S) -> Caller
where
    S: Service<Request, Response = http::Response<B>, Future: Send> + Clone + Send + Sync + 'static,
    S::Error: Send,
    B: Send,
{
    caller(move || {
        let call = service.clone().oneshot(request());
        async {
            call.await
                .is_ok_and(|response| response.status().is_success())
        }
    })
}

/// That may be sent again.
fn request() -> Request {
    let mut request = Request::default();
    *request.uri_mut() = http::Uri::from_static("https://api.example.com/v3/customers");
    request
}

// === impl Careful ===

impl Careful {
    /// With this budget, or without one.
    ///
    /// # Panics
    /// Never: the settings are valid.
    #[must_use]
    pub fn new(budget: Option<Arc<TpsBudget>>) -> Self {
        let maker = ExponentialBackoffMaker::new(BASE, CAP, 1.0, HasherRng::default());
        Self {
            left: RETRIES,
            backoff: maker.expect("valid settings").make_backoff(),
            budget,
        }
    }
}

impl<A: Clone, B, E> Policy<http::Request<A>, http::Response<B>, E> for Careful {
    type Future = tokio::time::Sleep;

    fn retry(
        &mut self,
        _: &mut http::Request<A>,
        result: &mut Result<http::Response<B>, E>,
    ) -> Option<Self::Future> {
        let failed = result.as_ref().map_or(true, |response| {
            let status = response.status();
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        });
        if !failed {
            if let Some(budget) = &self.budget {
                budget.deposit();
            }
            return None;
        }
        let granted = self.left > 0 && self.budget.as_ref().is_none_or(|one| one.withdraw());
        if !granted {
            return None;
        }
        self.left -= 1;
        Some(self.backoff.next_backoff())
    }

    fn clone_request(&mut self, request: &http::Request<A>) -> Option<http::Request<A>> {
        Some(request.clone())
    }
}

/// The far end as a service.
#[derive(Clone, Debug)]
struct Transport(FarEnd);

// === impl Transport ===

impl<A> Service<http::Request<A>> for Transport {
    type Response = http::Response<Full<Bytes>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<A>) -> Self::Future {
        let far_end = self.0.clone();
        Box::pin(async move {
            match far_end.answer().await {
                Answer::Response(status, headers) => {
                    let mut response = http::Response::default();
                    *response.status_mut() = status;
                    *response.headers_mut() = headers;
                    Ok(response)
                }
                Answer::Refused => Err(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
            }
        })
    }
}
