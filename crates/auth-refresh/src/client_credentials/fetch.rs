//! One fetch: which credentials are sent, and which after them if the server knows them not.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use tokio::time::timeout;

use super::{ClientCredentials, CredentialError, CredentialSet, Credentials, response};
use crate::{
    source::{ErrorCode, Token, TokenError},
    tokens,
};

/// How long the credentials may take to be read again. Well below the 10 seconds of an attempt, so
/// that with a secrets manager that hangs the previous ones still get their turn.
const REREAD_TIMEOUT: Duration = Duration::from_secs(3);

/// Credentials, and the version that the source had just before.
struct Held {
    version: u64,
    set: CredentialSet,
}

/// The credentials of one fetch that were sent so far; the server refused them all as unknown.
#[derive(Default)]
struct Refused(Vec<Credentials>);

// === impl ClientCredentials ===

impl ClientCredentials {
    /// Fetches one token over `send`, for a transport of your own. `send` gets a request, sends it
    /// once without following redirects, and answers with the response and its whole body, or with
    /// more than [`TokenError::MAX_BODY_BYTES`] of it.
    ///
    /// The current credentials are sent first. If the server refuses them as unknown
    /// (`invalid_client`, or a 401 that names no code) they are
    /// [read again](super::CredentialSource::reread): then the current ones are sent if they are
    /// others now, and at last the previous ones. So `send` is called three times at most, and
    /// never twice with the same credentials.
    ///
    /// With [`ClientAuth::Form`](super::ClientAuth::Form) and
    /// [`ClientAuth::Json`](super::ClientAuth::Json) the body of the request holds the secret, and
    /// `Debug` of an `http::Request` prints its body.
    ///
    /// It must be called inside a tokio runtime with time enabled. It may be dropped at any time.
    ///
    /// # Errors
    /// Why there is no token. The text of the server is not repeated, save a known code.
    pub async fn fetch<F, Sending>(&self, mut send: F) -> Result<Token, TokenError>
    where
        F: FnMut(Request<Bytes>) -> Sending,
        Sending: Future<Output = Result<Response<Bytes>, TokenError>>,
    {
        let (mut held, mut fresh) = match self.load() {
            Ok(held) => (held, false),
            Err(_) => (self.reread().await?, true),
        };
        let mut refused = Refused::default();
        // The first turn always finds one: nothing has been refused yet.
        let mut next = held.set.current().clone();
        loop {
            let request = self.form().encode(&next)?;
            let sent_at = tokens::now();
            let answer = send(request).await?;
            let safe = |word: &str| {
                let sent = refused.0.iter().chain([&next]);
                let mut known = sent.chain(both(&held.set));
                !known.any(|credentials| credentials.overlap(word))
            };
            let (status, headers) = (answer.status(), answer.headers());
            let read = response::parse(status, headers, answer.body(), sent_at, self.now(), safe);
            let error = match read {
                Err(error) if is_unknown_client(&error) => error,
                read => return read.map(|token| token.with_version(held.version)),
            };
            refused.0.push(next);
            if !std::mem::replace(&mut fresh, true) {
                match self.reread().await {
                    Ok(again) => held = again,
                    // What it no longer vouches for is not sent.
                    Err(_) => return Err(error),
                }
            }
            next = match refused.next(&held.set) {
                Some(next) => next.clone(),
                None => return Err(error),
            };
        }
    }

    fn load(&self) -> Result<Held, CredentialError> {
        // In this order: a change between the two is then followed once more, and never missed.
        let version = self.source().version();
        let set = self.source().load()?;
        Ok(Held { version, set })
    }

    async fn reread(&self) -> Result<Held, CredentialError> {
        // If it takes too long, what is there now has to do.
        let _ = timeout(REREAD_TIMEOUT, self.source().reread()).await;
        self.load()
    }
}

// === impl Refused ===

impl Refused {
    /// What is sent next: the current credentials, then the previous ones, none of them twice.
    fn next<'a>(&self, set: &'a CredentialSet) -> Option<&'a Credentials> {
        both(set).find(|candidate| !self.0.iter().any(|refused| refused.same(candidate)))
    }
}

fn both(set: &CredentialSet) -> impl Iterator<Item = &Credentials> {
    [set.current()].into_iter().chain(set.previous())
}

//= RFC 6749 §5.2: invalid_client: Client authentication failed (e.g., unknown client [...])
fn is_unknown_client(error: &TokenError) -> bool {
    let code = ErrorCode::InvalidClient;
    matches!(error, TokenError::Refused { code: seen, .. } if *seen == code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(secret: &str) -> Credentials {
        Credentials::new("id", secret).unwrap()
    }

    fn set(current: &str, previous: Option<&str>) -> CredentialSet {
        let set = CredentialSet::new(1, credentials(current));
        match previous {
            Some(previous) => set.with_previous(credentials(previous)),
            None => set,
        }
    }

    #[test]
    fn after_a_refusal_come_the_new_current_and_then_the_previous_and_nothing_twice() {
        for (refused, set, next) in [
            (vec![], set("a", Some("p")), Some("a")),
            (vec!["a"], set("a", None), None),
            (vec!["a"], set("a", Some("p")), Some("p")),
            (vec!["a"], set("b", Some("a")), Some("b")),
            (vec!["a"], set("b", Some("p")), Some("b")),
            (vec!["a", "b"], set("b", Some("a")), None),
            (vec!["a", "b"], set("b", Some("p")), Some("p")),
            (vec!["a", "p"], set("a", Some("p")), None),
            (vec!["a", "b", "p"], set("b", Some("p")), None),
        ] {
            let tried = Refused(refused.iter().map(|s| credentials(s)).collect());
            let chosen = tried.next(&set).map(Credentials::client_secret);
            assert_eq!(chosen, next, "after {refused:?}");
        }
    }

    #[test]
    fn another_id_with_the_same_secret_is_another_client() {
        let tried = Refused(vec![Credentials::new("old", "s").unwrap()]);
        let set = CredentialSet::new(1, Credentials::new("new", "s").unwrap());
        assert_eq!(tried.next(&set).unwrap().client_id(), "new");
    }
}
