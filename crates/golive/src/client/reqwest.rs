//! The client over reqwest.

use std::{fmt, sync::Arc};

use golive_auth_refresh::client_credentials::CredentialSource;
use http::Method;
use reqwest_middleware::{ClientWithMiddleware, RequestBuilder};

use super::ClientBuilder;
use crate::Environment;

/// A client of the provider with everything that production asks for; cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use golive::auth_refresh::client_credentials::Credentials;
/// use golive::{CallError, Client, Environment, accepted};
///
/// let credentials = Credentials::new("dinie_ci_test_1", "dinie_cs_test_from_a_manager".to_owned())?;
/// let client = Client::builder(Environment::sandbox(), credentials).build()?;
///
/// let customer = r#"{"name": "Ana", "cpf": "529.982.247-25", "external_id": "c-1"}"#;
/// let request = client.post("/customers").header("content-type", "application/json");
/// match accepted(request.body(customer).send().await).await {
///     Ok(response) => println!("{}", response.text().await?),
///     // Title, detail, and each field with what is wrong with it.
///     Err(CallError::Problem(problem)) => println!("{problem}"),
///     Err(error) => return Err(error.into()),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    http: ClientWithMiddleware,
    environment: Environment,
}

// === impl Client ===

impl Client {
    /// Speaks to this environment as whoever these credentials belong to: fixed
    /// [`Credentials`](golive_auth_refresh::client_credentials::Credentials), or a
    /// [`ClientSecret`](crate::secrets::ClientSecret) that follows its rotation.
    pub fn builder(environment: Environment, credentials: impl CredentialSource) -> ClientBuilder {
        ClientBuilder::new(environment, Arc::new(credentials))
    }

    /// A request with this method to a path below the base URL, or to an absolute URL inside of
    /// the environment.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, self.environment.url(path))
    }

    /// A GET.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A POST. It gets an idempotency key, the same one on all of its attempts.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A PATCH.
    pub fn patch(&self, path: &str) -> RequestBuilder {
        self.request(Method::PATCH, path)
    }

    /// A PUT.
    pub fn put(&self, path: &str) -> RequestBuilder {
        self.request(Method::PUT, path)
    }

    /// A DELETE.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// Where it speaks to.
    #[must_use]
    pub fn environment(&self) -> &Environment {
        &self.environment
    }

    /// The client itself, for whatever takes one. It refuses requests that leave the environment.
    #[must_use]
    pub fn http(&self) -> &ClientWithMiddleware {
        &self.http
    }

    pub(super) fn from_parts(http: ClientWithMiddleware, environment: Environment) -> Self {
        Self { http, environment }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not reqwest's client: its default headers are not ours to print.
        f.debug_struct("Client")
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}
