use std::sync::Arc;

use golive_core::{
    Attempt, Call, Disposition, Exchange, Middleware, Outcome, Own, Request, Response,
};
use http::{StatusCode, header};

use crate::{
    AuthRefreshBuilder, Tokens, policy,
    tokens::{Rejected, Snapshot},
};

const DEFAULT_CODE: &str = "token_expired";
const DEFAULT_PEEK_LIMIT: usize = 64 * 1024;

/// Sends each request with a token, and once more with a new one if the server says that the token
/// has expired. See the crate documentation.
#[derive(Clone, Debug)]
pub struct AuthRefresh {
    tokens: Tokens,
    config: Arc<Config>,
}

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) expired_codes: Vec<String>,
    pub(crate) challenge: bool,
    pub(crate) peek_limit: usize,
}

enum Judged<R, Q> {
    HandOn(R),
    Replay(Q),
}

golive_core::faces!(AuthRefresh);

// === impl AuthRefresh ===

impl AuthRefresh {
    /// Sends the tokens of `tokens`, with the defaults of [`AuthRefreshBuilder`].
    #[must_use]
    pub fn new(tokens: Tokens) -> Self {
        Self::from_parts(tokens, Config::default())
    }

    /// Sends the tokens of `tokens`, as the builder is told.
    pub fn builder(tokens: Tokens) -> AuthRefreshBuilder {
        AuthRefreshBuilder::new(tokens)
    }

    pub(crate) fn from_parts(tokens: Tokens, config: Config) -> Self {
        Self {
            tokens,
            config: Arc::new(config),
        }
    }

    /// A token to be sent. Without one nothing is, and a retry further out need not ask again:
    /// whatever could be tried was.
    async fn usable(&self, call: &mut Call) -> Result<Arc<Snapshot>, Own> {
        let usable = self.tokens.usable(call.deadline()).await;
        usable.map_err(|error| {
            call.set_unsent();
            Own::new(error)
        })
    }

    /// What becomes of a response. If it is to be replayed it is dropped here, so that its
    /// connection is free while the renewal is waited for.
    async fn judge<R: Response, Q: Request>(
        &self,
        response: R,
        sent: &Snapshot,
        spare: Option<Q::Spare>,
    ) -> Judged<R, Q> {
        let status = response.status();
        if policy::proves(status) {
            sent.prove();
        }
        if status != StatusCode::UNAUTHORIZED {
            return Judged::HandOn(response);
        }
        let Config {
            expired_codes,
            challenge,
            peek_limit,
        } = &*self.config;
        let peeked = response.peek(*peek_limit).await;
        let headers = peeked.response.headers();
        let body = &peeked.bytes;
        let expired = policy::says_expired(status, headers, body, expired_codes, *challenge);
        // Renewed even if this request cannot be sent again: the next one will need it.
        let replaced = expired && self.tokens.reject(sent) == Rejected::Replaced;
        match spare.filter(|_| replaced).and_then(Q::restore) {
            Some(req) => Judged::Replay(req),
            None => Judged::HandOn(peeked.response),
        }
    }
}

impl Middleware for AuthRefresh {
    async fn handle<Req: Request, X: Exchange<Req>>(
        &self,
        call: &mut Call,
        mut req: Req,
        mut below: X,
    ) -> Result<X::Response, X::Error> {
        // The caller knows better: a request to another service, or the token endpoint itself.
        if req.headers().contains_key(header::AUTHORIZATION) {
            return below.send(call, req).await;
        }
        let sent = self.usable(call).await?;
        // Without the token, so that the replay cannot send the old one.
        let spare = req.spare();
        attach(&mut req, &sent);
        let response = below.send(call, req).await?;
        let mut req: Req = match self.judge(response, &sent, spare).await {
            Judged::HandOn(response) => return Ok(response),
            Judged::Replay(again) => again,
        };
        let refused = Outcome::Answered(StatusCode::UNAUTHORIZED);
        call.record(Attempt::new(refused, Disposition::NotExecuted));
        let newer = self.usable(call).await?;
        attach(&mut req, &newer);
        call.next_attempt();
        let response = below.send(call, req).await?;
        // Whatever it says: exactly one replay.
        if policy::proves(response.status()) {
            newer.prove();
        }
        Ok(response)
    }
}

fn attach<Req: Request>(req: &mut Req, token: &Snapshot) {
    req.headers_mut()
        .insert(header::AUTHORIZATION, token.header.clone());
}

// === impl Config ===

impl Default for Config {
    fn default() -> Self {
        Self {
            expired_codes: vec![DEFAULT_CODE.to_owned()],
            challenge: false,
            peek_limit: DEFAULT_PEEK_LIMIT,
        }
    }
}
