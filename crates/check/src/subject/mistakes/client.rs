//! The client with one part of it wrong, or with none.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use golive::auth_refresh::client_credentials::{ClientCredentials, Credentials};
use golive::auth_refresh::reqwest::ReqwestSource;
use golive::auth_refresh::{AuthRefresh, Tokens};
use golive::backoff::limits::{Budget, Limits};
use golive::backoff::policy::{Curve, Jitter};
use golive::backoff::{Builder as Retries, Class, reqwest_class};
use golive::core::caused_by;
use golive::idempotency::{IdempotencyKeys, Key};
use golive::secrets::ClientSecret;
use golive::telemetry::Telemetry;
use golive::{ClientBuilder, Environment};
use opentelemetry::metrics::Meter;
use reqwest_middleware::{ClientWithMiddleware, Middleware};

use super::auth::HomeMadeAuth;
use super::middleware::{
    CountCalls, EveryErrorIsJson, FreshKey, LimitsOfRefusalsOnly, LogRequests, RetryAlso,
    TokenInQuery, WithoutHeaders,
};
use crate::subject::calls::Calls;
use crate::subject::secrets::Secrets;
use crate::subject::supervisor::Site;
use crate::subject::{BoxError, Mistake, client, metrics};

const TIMEOUT: Duration = Duration::from_secs(20);
const QUOTA_HEADERS: &[&str] = &[
    "x-ratelimit-limit",
    "x-ratelimit-remaining",
    "x-ratelimit-reset",
];

/// The calls of an integration at this site.
pub(in crate::subject) fn calls(
    site: &Site,
    secrets: &Secrets,
    meter: &Meter,
) -> Result<Calls, BoxError> {
    let http = match site.mistake {
        Some(mistake) => wrong(mistake, site, secrets, meter)?,
        None => good(site, secrets, meter)?.build()?.http().clone(),
    };
    let environment = Environment::custom(&site.base_url)?;
    Ok(Calls::new(http, environment, site.log.clone()))
}

fn good(site: &Site, secrets: &Secrets, meter: &Meter) -> Result<ClientBuilder, BoxError> {
    let credentials = ClientSecret::new(secrets.client.clone());
    client::builder(&site.base_url, credentials, meter)
}

fn wrong(
    mistake: Mistake,
    site: &Site,
    secrets: &Secrets,
    meter: &Meter,
) -> Result<ClientWithMiddleware, BoxError> {
    let good = |meter| good(site, secrets, meter);
    Ok(match mistake {
        Mistake::OneKeyForAll => {
            let one = Key::random()?;
            let keys = IdempotencyKeys::builder().mint_with(move || Ok(one.clone()));
            good(meter)?.keys(keys.build()?).build()?.http().clone()
        }
        Mistake::NeverRetries
        | Mistake::ConstantDelay
        | Mistake::NoJitter
        | Mistake::RetriesForEver
        | Mistake::NoBudget
        | Mistake::GivesUpOnReset => {
            let retries = otherwise(mistake)?.classify(reqwest_class).build()?;
            good(meter)?.backoff(retries).build()?.http().clone()
        }
        Mistake::SecretReadOnce => {
            let fixed = read_once(secrets)?;
            let builder = client::builder(&site.base_url, fixed, meter)?;
            builder.build()?.http().clone()
        }
        Mistake::CountsCallsOnly => {
            let builder = good(&metrics::unread())?;
            below(builder, CountCalls::new(meter))?
        }
        Mistake::KeyChangesOnRetry => below(good(meter)?, FreshKey)?,
        Mistake::Retries422 => below(good(meter)?, RetryAlso(422))?,
        Mistake::IgnoresRetryAfter => below(good(meter)?, WithoutHeaders(&["retry-after"]))?,
        Mistake::IgnoresReset => below(good(meter)?, WithoutHeaders(QUOTA_HEADERS))?,
        Mistake::IgnoresRemaining => below(good(meter)?, LimitsOfRefusalsOnly(QUOTA_HEADERS))?,
        Mistake::DiesOfHtml => below(good(meter)?, EveryErrorIsJson)?,
        Mistake::SecretInUrl => below(good(meter)?, TokenInQuery)?,
        Mistake::LogsRequests => below(good(meter)?, LogRequests(site.log.clone()))?,
        Mistake::NoKey | Mistake::TokenPerCall | Mistake::SurfacesExpiry | Mistake::RenewalLoop => {
            by_hand(mistake, site, secrets, meter)?
        }
        // The receiver's.
        _ => good(meter)?.build()?.http().clone(),
    })
}

/// The good client over a transport that does something more: for each attempt, signed already.
fn below(builder: ClientBuilder, part: impl Middleware) -> Result<ClientWithMiddleware, BoxError> {
    let client = builder.build()?.http().clone();
    let client = reqwest_middleware::ClientBuilder::from_client(client);
    Ok(client.with(part).build())
}

/// Retries with something wrong.
fn otherwise(mistake: Mistake) -> Result<Retries, BoxError> {
    let ms = |n| Duration::from_millis(n);
    let good = client::retries()?;
    let unlimited = || Limits::builder().budget(Budget::unlimited()).build();
    Ok(match mistake {
        Mistake::NeverRetries => good.attempts(1),
        Mistake::ConstantDelay => good
            .base(ms(300))
            .curve(Curve::Constant)
            .jitter(Jitter::Equal),
        Mistake::NoJitter => good.delays(move |retries, _| Some(ms(250 << retries.min(5)))),
        // Bounded, so that a run ends.
        Mistake::RetriesForEver => good
            .attempts(32)
            .base(ms(50))
            .cap(ms(400))
            .limits(unlimited()?),
        Mistake::NoBudget => good.attempts(8).base(ms(80)).limits(unlimited()?),
        // As one does who thinks of a reset as of an answer.
        Mistake::GivesUpOnReset => good.classify(|error: &(dyn Error + 'static)| {
            let reset = caused_by::<io::Error>(error)?.kind() == io::ErrorKind::ConnectionReset;
            reset.then_some(Class::Fatal)
        }),
        _ => good,
    })
}

/// A stack of one's own, for what the paved road does not let one get wrong.
fn by_hand(
    mistake: Mistake,
    site: &Site,
    secrets: &Secrets,
    meter: &Meter,
) -> Result<ClientWithMiddleware, BoxError> {
    let transport = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(TIMEOUT)
        .build()?;
    let telemetry = Telemetry::builder().meter(meter).build()?;
    let backoff = client::retries()?.classify(reqwest_class);
    let protocol = Environment::custom(&site.base_url)?
        .token_requests("auth/token", ClientSecret::new(secrets.client.clone()))?
        .build()?;

    let stack = reqwest_middleware::ClientBuilder::new(transport.clone()).with(telemetry.call());
    let stack = match mistake {
        Mistake::NoKey => stack,
        _ => stack.with(IdempotencyKeys::new()),
    };
    let stack = stack.with(backoff.build()?);
    let stack = stack.with_arc(auth(mistake, protocol, transport)?);
    Ok(stack.with(telemetry.attempt()).build())
}

fn auth(
    mistake: Mistake,
    protocol: ClientCredentials,
    transport: reqwest::Client,
) -> Result<Arc<dyn Middleware>, BoxError> {
    Ok(match mistake {
        Mistake::TokenPerCall => Arc::new(HomeMadeAuth::a_token_for_each_call(protocol, transport)),
        Mistake::RenewalLoop => {
            Arc::new(HomeMadeAuth::renewing_again_and_again(protocol, transport))
        }
        _ => {
            let tokens = Tokens::new(ReqwestSource::with_client(protocol, transport));
            let auth = AuthRefresh::builder(tokens);
            Arc::new(match mistake {
                Mistake::SurfacesExpiry => auth.expired_codes(["never_said"]).build()?,
                _ => auth.build()?,
            })
        }
    })
}

/// The secret as it was at the start, for as long as the process lives.
fn read_once(secrets: &Secrets) -> Result<Credentials, BoxError> {
    let loaded = secrets.client.load()?;
    let value = loaded.current().value();
    let id = value.field("client_id")?;
    let id = secrecy::ExposeSecret::expose_secret(&id).to_owned();
    Ok(Credentials::new(id, value.field("client_secret")?)?)
}
