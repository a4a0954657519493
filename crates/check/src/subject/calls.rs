//! The calls that the integration makes, whatever client it makes them with.

use golive::{CallError, Environment, accepted};
use golive_sandbox::customer_fixture;
use http::Method;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};

use super::logs::Log;

/// Calls of the provider.
#[derive(Clone)]
pub(super) struct Calls {
    http: ClientWithMiddleware,
    environment: Environment,
    log: Log,
}

// === impl Calls ===

impl Calls {
    pub(super) fn new(http: ClientWithMiddleware, environment: Environment, log: Log) -> Self {
        Self {
            http,
            environment,
            log,
        }
    }

    pub(super) async fn create(&self, external_id: &str) -> Result<String, CallError> {
        let request = self
            .request(Method::POST, "/customers")
            .header("content-type", "application/json")
            .body(customer_fixture(external_id).to_string());
        self.send("create a customer", request).await
    }

    pub(super) async fn find(&self, id: &str) -> Result<String, CallError> {
        let request = self.request(Method::GET, &format!("/customers/{id}"));
        self.send("find a customer", request).await
    }

    pub(super) async fn find_by_external_id(&self, id: &str) -> Result<String, CallError> {
        self.list(&format!("external_id={id}")).await
    }

    pub(super) async fn list(&self, query: &str) -> Result<String, CallError> {
        let request = self.request(Method::GET, &format!("/customers?{query}"));
        self.send("list customers", request).await
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.environment.url(path))
    }

    /// The body of the answer. What came of it is logged, and nothing of what
    /// was sent: ids and numbers of customers belong in no log.
    async fn send(&self, what: &str, request: RequestBuilder) -> Result<String, CallError> {
        let result = answer(request).await;
        match &result {
            Ok(_) => self.log.line(format_args!("{what}: done")),
            Err(error) => self.log.line(format_args!("{what}: {error}")),
        }
        result
    }
}

async fn answer(request: RequestBuilder) -> Result<String, CallError> {
    let response = accepted(request.send().await).await?;
    let body = response.text().await;
    body.map_err(|error| CallError::NoAnswer(error.without_url().into()))
}
