//! The client: one stack over reqwest, in the order of golive's architecture.
//! A mistake replaces one part of it.

use std::sync::Arc;
use std::time::Duration;

use golive_auth_refresh::client_credentials::{ClientCredentials, Credentials};
use golive_auth_refresh::reqwest::ReqwestSource;
use golive_auth_refresh::{AuthRefresh, Tokens};
use golive_backoff::{Backoff, reqwest_class};
use golive_idempotency::{IdempotencyKeys, Key};
use golive_problem::Problem;
use golive_sandbox::customer_fixture;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Middleware};

use super::mistakes::{FreshKey, HomeMadeAuth, RetryAlso, TokenInQuery, WithoutHeaders};
use super::{Environment, Mistake};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Part = Arc<dyn Middleware>;

/// Attempts of one call.
const ATTEMPTS: u32 = 5;
/// Of one attempt.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Of an error body.
const MAX_ERROR_BODY: usize = 64 * 1024;

/// A client of the provider.
#[derive(Clone, Debug)]
pub(super) struct Client {
    http: ClientWithMiddleware,
    base_url: String,
}

/// Why a call failed.
#[derive(Debug)]
pub(super) enum CallError {
    /// The provider said so.
    Problem(Box<Problem>),
    /// There was no answer, or none that could be read.
    Transport(String),
}

// === impl Client ===

impl Client {
    pub(super) fn new(mistake: Option<Mistake>, env: &Environment) -> Result<Self, BoxError> {
        let transport = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .build()?;
        let parts = [
            key(mistake)?,
            Some(backoff(mistake)?),
            inside_the_retry(mistake),
            Some(auth(mistake, env, &transport)?),
            innermost(mistake),
        ];
        let stack = ClientBuilder::new(transport);
        let stack = parts
            .into_iter()
            .flatten()
            .fold(stack, ClientBuilder::with_arc);
        Ok(Self {
            http: stack.build(),
            base_url: env.base_url.trim_end_matches('/').to_owned(),
        })
    }

    pub(super) async fn create(&self, external_id: &str) -> Result<String, CallError> {
        let body = customer_fixture(external_id).to_string();
        let request = self
            .http
            .post(format!("{}/customers", self.base_url))
            .header("content-type", "application/json")
            .body(body);
        read(request.send().await).await
    }

    pub(super) async fn find(&self, id: &str) -> Result<String, CallError> {
        read(
            self.http
                .get(format!("{}/customers/{id}", self.base_url))
                .send()
                .await,
        )
        .await
    }

    pub(super) async fn find_by_external_id(&self, id: &str) -> Result<String, CallError> {
        let url = format!("{}/customers?external_id={id}", self.base_url);
        read(self.http.get(url).send().await).await
    }

    pub(super) async fn list(&self) -> Result<String, CallError> {
        read(
            self.http
                .get(format!("{}/customers?limit=5", self.base_url))
                .send()
                .await,
        )
        .await
    }
}

async fn read(
    result: Result<reqwest::Response, reqwest_middleware::Error>,
) -> Result<String, CallError> {
    let transport = |e: &dyn std::error::Error| CallError::Transport(e.to_string());
    let response = result.map_err(|e| transport(&e.without_url()))?;
    let status = response.status();
    let body = response
        .bytes()
        .await
        .map_err(|e| transport(&e.without_url()))?;
    if status.is_success() {
        return Ok(String::from_utf8_lossy(&body).into_owned());
    }
    let start = body.get(..MAX_ERROR_BODY).unwrap_or(&body);
    let problem = Problem::from_json(status, start).unwrap_or_else(|_| Problem::new(status));
    Err(CallError::Problem(Box::new(problem)))
}

// === the parts ===

fn key(mistake: Option<Mistake>) -> Result<Option<Part>, BoxError> {
    let keys = match mistake {
        Some(Mistake::NoKey) => return Ok(None),
        Some(Mistake::OneKeyForAll) => {
            let one = Key::random()?;
            IdempotencyKeys::builder()
                .mint_with(move || Ok(one.clone()))
                .build()?
        }
        _ => IdempotencyKeys::builder().build()?,
    };
    Ok(Some(Arc::new(keys)))
}

fn backoff(mistake: Option<Mistake>) -> Result<Part, BoxError> {
    // The transport follows no redirects, so a connection that was not made is one.
    let builder = Backoff::builder()
        .attempts(ATTEMPTS)
        .classify(reqwest_class);
    let builder = match mistake {
        Some(Mistake::NeverRetries) => builder.attempts(1),
        Some(Mistake::ConstantDelay) => {
            let delay = Duration::from_millis(300);
            builder.base(delay).cap(delay).random(|| u64::MAX)
        }
        _ => builder,
    };
    Ok(Arc::new(builder.build()?))
}

fn auth(
    mistake: Option<Mistake>,
    env: &Environment,
    transport: &reqwest::Client,
) -> Result<Part, BoxError> {
    let credentials = Credentials::new(env.client_id.clone(), env.client_secret.clone())?;
    let url = format!("{}/auth/token", env.base_url.trim_end_matches('/'));
    let protocol = ClientCredentials::builder(url, credentials).build()?;
    match mistake {
        Some(Mistake::TokenPerCall) => {
            return Ok(Arc::new(HomeMadeAuth::a_token_for_each_call(
                protocol,
                transport.clone(),
            )));
        }
        Some(Mistake::RenewalLoop) => {
            return Ok(Arc::new(HomeMadeAuth::renewing_again_and_again(
                protocol,
                transport.clone(),
            )));
        }
        _ => {}
    }
    let tokens = Tokens::new(ReqwestSource::with_client(protocol, transport.clone()));
    let builder = AuthRefresh::builder(tokens);
    let builder = match mistake {
        Some(Mistake::SurfacesExpiry) => builder.expired_codes(["never_said"]),
        _ => builder,
    };
    Ok(Arc::new(builder.build()?))
}

fn inside_the_retry(mistake: Option<Mistake>) -> Option<Part> {
    match mistake {
        Some(Mistake::KeyChangesOnRetry) => Some(Arc::new(FreshKey)),
        Some(Mistake::Retries422) => Some(Arc::new(RetryAlso(422))),
        Some(Mistake::IgnoresRetryAfter) => Some(Arc::new(WithoutHeaders(&["retry-after"]))),
        Some(Mistake::IgnoresReset) => Some(Arc::new(WithoutHeaders(&[
            "x-ratelimit-limit",
            "x-ratelimit-remaining",
            "x-ratelimit-reset",
        ]))),
        _ => None,
    }
}

fn innermost(mistake: Option<Mistake>) -> Option<Part> {
    match mistake {
        Some(Mistake::SecretInUrl) => Some(Arc::new(TokenInQuery)),
        _ => None,
    }
}

// === impl CallError ===

impl CallError {
    /// What the user is shown.
    pub(super) fn for_the_user(&self, mistake: Option<Mistake>) -> String {
        match self {
            Self::Problem(problem) if mistake == Some(Mistake::HidesFieldErrors) => {
                problem.title().unwrap_or("Something went wrong").to_owned()
            }
            Self::Problem(problem) => problem.to_string(),
            Self::Transport(words) => words.clone(),
        }
    }
}
