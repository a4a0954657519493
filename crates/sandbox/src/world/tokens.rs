//! Access tokens: issued, looked up, expired on the server's side.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use crate::ids::Ids;

/// Tokens remembered; beyond it the oldest becomes unknown (`invalid_token`).
const MAX_TOKENS: usize = 100_000;

/// NOTE: no `Debug`, here and on [`Token`]: it would print live tokens.
pub(crate) struct Tokens {
    lifetime: Duration,
    issued: u64,
    by_text: HashMap<String, u64>,
    by_generation: BTreeMap<u64, Token>,
}

pub(crate) struct Token {
    pub(crate) generation: u64,
    pub(crate) client_id: String,
    text: String,
    until: Duration,
}

impl Tokens {
    pub(crate) fn new(lifetime: Duration) -> Self {
        Self {
            lifetime,
            issued: 0,
            by_text: HashMap::new(),
            by_generation: BTreeMap::new(),
        }
    }

    /// The token and its lifetime.
    pub(crate) fn issue(
        &mut self,
        ids: &mut Ids,
        client_id: &str,
        now: Duration,
    ) -> (String, Duration) {
        self.issued += 1;
        let text = ids.next_token(client_id, self.issued);
        if self.by_generation.len() >= MAX_TOKENS
            && let Some((_, oldest)) = self.by_generation.pop_first()
        {
            self.by_text.remove(&oldest.text);
        }
        self.by_text.insert(text.clone(), self.issued);
        self.by_generation.insert(
            self.issued,
            Token {
                generation: self.issued,
                client_id: client_id.to_owned(),
                text: text.clone(),
                until: now + self.lifetime,
            },
        );
        (text, self.lifetime)
    }

    pub(crate) fn find(&self, text: &str) -> Option<&Token> {
        self.by_generation.get(self.by_text.get(text)?)
    }

    pub(crate) fn expire(&mut self, generation: u64) {
        if let Some(token) = self.by_generation.get_mut(&generation) {
            token.until = Duration::ZERO;
        }
    }

    pub(crate) fn expire_all(&mut self) {
        for token in self.by_generation.values_mut() {
            token.until = Duration::ZERO;
        }
    }

    pub(crate) fn issued(&self) -> u64 {
        self.issued
    }
}

impl Token {
    pub(crate) fn is_expired(&self, now: Duration) -> bool {
        now >= self.until
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_with_its_lifetime_or_earlier_when_the_server_says_so() {
        let mut ids = Ids::new(1);
        let mut tokens = Tokens::new(Duration::from_secs(10));
        let (first, _) = tokens.issue(&mut ids, "c", Duration::from_secs(1));
        let (second, _) = tokens.issue(&mut ids, "c", Duration::from_secs(1));
        let expired = |tokens: &Tokens, text: &str, at| {
            tokens
                .find(text)
                .unwrap()
                .is_expired(Duration::from_secs(at))
        };
        assert!(!expired(&tokens, &first, 10) && expired(&tokens, &first, 11));
        tokens.expire(1);
        assert!(expired(&tokens, &first, 2) && !expired(&tokens, &second, 2));
        tokens.expire_all();
        assert!(expired(&tokens, &second, 2));
        assert!(tokens.find("other").is_none());
        assert_eq!(tokens.issued(), 2);
    }
}
