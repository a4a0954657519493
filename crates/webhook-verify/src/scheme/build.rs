//! A scheme of one's own, and its rules.

use alloc::vec::Vec;

use super::{Encoding, Part, Scheme, TimestampIn};

/// More pieces than any provider signs.
const MAX_PARTS: usize = 8;
const MAX_LABEL_BYTES: usize = 16;

/// Describes a scheme that is not among the known ones; start with [`Scheme::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct SchemeBuilder {
    id: Option<&'static str>,
    timestamp: Option<TimestampIn>,
    signature: &'static str,
    label: &'static str,
    encoding: Encoding,
    signed: Vec<Part>,
}

/// Why a [`Scheme`] was not built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchemeError {
    /// A header name is not a token in lower case (RFC 9110, 5.1), or is used twice.
    #[error("{0:?} cannot be the name of a header here: lower case, and each name once")]
    HeaderName(&'static str),
    /// A label is longer than 16 characters, not visible ASCII, or has a comma before its end; or
    /// signatures may start with that of the timestamp.
    #[error(
        "{0:?} cannot be a label: up to 16 visible ASCII characters, a comma only as the last, and \
         that of the timestamp starts no signature"
    )]
    Label(&'static str),
    /// The id or the timestamp is signed, but no header was named that it stands in.
    #[error("the {0} is signed, but nothing says where it stands")]
    NoSource(&'static str),
    /// A header was named for the id or the timestamp, but it is not signed: a forger could choose
    /// it.
    #[error("the {0} is read, but not signed, so that a forger could choose it")]
    NotSigned(&'static str),
    /// What is signed can be split in more than one way, because two pieces of free length touch.
    #[error("no text ends the {0} in what is signed, so that it could be split in another way")]
    Ambiguous(&'static str),
    /// There are more than 8 pieces before the body.
    #[error("more than 8 pieces are signed before the body")]
    TooManyParts,
}

// === impl Scheme ===

impl Scheme {
    /// Starts the description of a scheme whose signatures stand in this header (lower case):
    /// HMAC-SHA256 over the body alone, in lower-case hex, without a label.
    ///
    /// ```
    /// use golive_webhook_verify::{Part, Scheme};
    ///
    /// // acme-signature: v1=<hex over "<timestamp>/<body>">
    /// let scheme = Scheme::builder("acme-signature")
    ///     .label("v1=")
    ///     .timestamp_header("acme-timestamp")
    ///     .signed([Part::Timestamp, Part::Text("/".into())])
    ///     .build()?;
    /// # Ok::<(), golive_webhook_verify::SchemeError>(())
    /// ```
    pub fn builder(signature_header: &'static str) -> SchemeBuilder {
        SchemeBuilder {
            id: None,
            timestamp: None,
            signature: signature_header,
            label: "",
            encoding: Encoding::Hex,
            signed: Vec::new(),
        }
    }
}

// === impl SchemeBuilder ===

impl SchemeBuilder {
    /// The header of the id (lower case). It must be among what is [`signed`](Self::signed).
    pub fn id_header(mut self, name: &'static str) -> Self {
        self.id = Some(name);
        self
    }

    /// The header of the timestamp (lower case), in seconds since 1970. It must be among what is
    /// [`signed`](Self::signed).
    pub fn timestamp_header(mut self, name: &'static str) -> Self {
        self.timestamp = Some(TimestampIn::Header(name));
        self
    }

    /// The timestamp stands in the list of signatures, after this label (`t=`), which must not end in
    /// a comma, and with which no signature may start.
    pub fn timestamp_in_list(mut self, label: &'static str) -> Self {
        self.timestamp = Some(TimestampIn::List(label));
        self
    }

    /// What stands right before each signature (`v1=`, `sha256=`). What has another label is
    /// skipped. Default: nothing.
    pub fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    /// How the signature is spelled. Default: [`Encoding::Hex`].
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// What is signed before the body, in order. Default: nothing.
    pub fn signed(mut self, parts: impl IntoIterator<Item = Part>) -> Self {
        self.signed = parts.into_iter().collect();
        self
    }

    /// Builds the scheme.
    ///
    /// # Errors
    /// A [`SchemeError`] if a name or a label cannot be one, or if what is signed does not bind what
    /// is read.
    pub fn build(self) -> Result<Scheme, SchemeError> {
        self.check_names()?;
        if self.signed.len() > MAX_PARTS {
            return Err(SchemeError::TooManyParts);
        }
        let signs = |part: &Part| self.signed.contains(part);
        for (what, part, read) in [
            ("id", Part::Id, self.id.is_some()),
            ("timestamp", Part::Timestamp, self.timestamp.is_some()),
        ] {
            match (read, signs(&part)) {
                (true, false) => return Err(SchemeError::NotSigned(what)),
                (false, true) => return Err(SchemeError::NoSource(what)),
                _ => {}
            }
        }
        // An id is visible ASCII, so nothing else has to be kept out of it.
        let after_id = self
            .what_ends("id", &Part::Id)?
            .filter(u8::is_ascii_graphic);
        let after_timestamp = self.what_ends("timestamp", &Part::Timestamp)?;
        if after_timestamp.is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(SchemeError::Ambiguous("timestamp"));
        }
        Ok(Scheme {
            id: self.id,
            timestamp: self.timestamp,
            label: self.label,
            signed: self.signed.into_boxed_slice(),
            after_id,
            ..Scheme::over_the_body(self.signature, self.encoding)
        })
    }

    fn check_names(&self) -> Result<(), SchemeError> {
        let timestamp = match self.timestamp {
            Some(TimestampIn::Header(name)) => Some(name),
            _ => None,
        };
        let names = [Some(self.signature), self.id, timestamp];
        for (at, name) in names.iter().enumerate() {
            let Some(name) = *name else { continue };
            if !is_header_name(name) || names[..at].contains(&Some(name)) {
                return Err(SchemeError::HeaderName(name));
            }
        }
        let in_list = match self.timestamp {
            Some(TimestampIn::List(label)) => Some(label),
            _ => None,
        };
        // An empty label of the signature stands before everything, of the timestamp before nothing.
        if !is_label(self.label) {
            return Err(SchemeError::Label(self.label));
        }
        match in_list {
            Some(label) if label.is_empty() || !is_label(label) => Err(SchemeError::Label(label)),
            // A signature, now and then or always, would be read as a second timestamp.
            Some(label) if self.may_start_a_signature(label) => Err(SchemeError::Label(label)),
            // A comma ends an item of the list, so nothing would ever stand behind this label.
            Some(label) if label.ends_with(',') => Err(SchemeError::Label(label)),
            _ => Ok(()),
        }
    }

    /// Whether an item that is a signature may start like this.
    fn may_start_a_signature(&self, start: &str) -> bool {
        let spells = |byte: u8| match self.encoding {
            Encoding::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Encoding::Hex => matches!(byte, b'0'..=b'9' | b'a'..=b'f'),
        };
        // Behind the comma of a label, the signature is an item to whoever looks for the timestamp.
        let is_bare = self.label.is_empty() || self.label.ends_with(',');
        match start.strip_prefix(self.label) {
            _ if is_bare && start.bytes().all(spells) => true,
            Some(rest) => rest.bytes().all(spells),
            None => self.label.starts_with(start),
        }
    }

    /// The byte after this piece, wherever it is signed.
    fn what_ends(&self, what: &'static str, part: &Part) -> Result<Option<u8>, SchemeError> {
        let mut end = None;
        for (at, one) in self.signed.iter().enumerate() {
            if one != part {
                continue;
            }
            let Some(Part::Text(text)) = self.signed.get(at + 1) else {
                return Err(SchemeError::Ambiguous(what));
            };
            let byte = text.as_bytes().first().copied();
            if byte.is_none() || end.is_some_and(|end| Some(end) != byte) {
                return Err(SchemeError::Ambiguous(what));
            }
            end = byte;
        }
        Ok(end)
    }
}

/// RFC 9110, 5.6.2, `tchar`, in the lower case in which header maps keep names.
fn is_header_name(name: &str) -> bool {
    let token =
        |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&b);
    !name.is_empty() && name.bytes().all(token)
}

fn is_label(label: &str) -> bool {
    let inner = label.strip_suffix(',').unwrap_or(label);
    let visible = |b: u8| b.is_ascii_graphic() && b != b',';
    label.len() <= MAX_LABEL_BYTES && inner.bytes().all(visible) && label != ","
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn err(builder: SchemeBuilder) -> SchemeError {
        builder.build().unwrap_err()
    }

    #[test]
    fn each_known_scheme_could_have_been_built() {
        let dot = || Part::Text(".".into());
        let standard = Scheme::builder("webhook-signature")
            .id_header("webhook-id")
            .timestamp_header("webhook-timestamp")
            .label("v1,")
            .encoding(Encoding::Base64)
            .signed([Part::Id, dot(), Part::Timestamp, dot()])
            .build()
            .unwrap();
        let known = Scheme::standard_webhooks();
        assert_eq!(
            standard,
            Scheme {
                asymmetric: None,
                ..known
            }
        );
        let stripe = Scheme::builder("stripe-signature")
            .timestamp_in_list("t=")
            .label("v1=")
            .signed([Part::Timestamp, dot()])
            .build();
        assert_eq!(stripe, Ok(Scheme::stripe()));
        let github = Scheme::builder("x-hub-signature-256").label("sha256=");
        assert_eq!(github.build(), Ok(Scheme::github()));
        let slack = Scheme::builder("x-slack-signature")
            .timestamp_header("x-slack-request-timestamp")
            .label("v0=")
            .signed([
                Part::Text("v0:".into()),
                Part::Timestamp,
                Part::Text(":".into()),
            ]);
        assert_eq!(slack.build(), Ok(Scheme::slack()));
        let shopify = Scheme::builder("x-shopify-hmac-sha256").encoding(Encoding::Base64);
        assert_eq!(shopify.build(), Ok(Scheme::shopify()));
        let square = Scheme::builder("x-square-hmacsha256-signature")
            .encoding(Encoding::Base64)
            .signed([Part::Text("https://a.example/".into())]);
        assert_eq!(square.build(), Ok(Scheme::square("https://a.example/")));
    }

    #[test]
    fn names_are_lower_case_tokens_and_differ() {
        for name in ["", "X-Signature", "x signature", "x:y", "é"] {
            assert_eq!(err(Scheme::builder(name)), SchemeError::HeaderName(name));
        }
        let twice = Scheme::builder("a").id_header("a");
        assert_eq!(err(twice), SchemeError::HeaderName("a"));
    }

    #[test]
    fn labels_are_short_and_cannot_break_the_list() {
        for label in ["a b", "a,b", ",", "seventeen-letters"] {
            assert_eq!(
                err(Scheme::builder("s").label(label)),
                SchemeError::Label(label)
            );
        }
        let timestamp = |label| Scheme::builder("s").label("v=").timestamp_in_list(label);
        assert_eq!(err(timestamp("")), SchemeError::Label(""));
        assert_eq!(err(timestamp("t,")), SchemeError::Label("t,"));
        assert_eq!(err(timestamp("v=")), SchemeError::Label("v="));
    }

    #[test]
    fn what_is_read_must_be_signed_and_what_is_signed_must_be_read() {
        let id = Scheme::builder("s").id_header("i");
        assert_eq!(err(id), SchemeError::NotSigned("id"));
        let timestamp = Scheme::builder("s").timestamp_header("t");
        assert_eq!(err(timestamp), SchemeError::NotSigned("timestamp"));
        let unread = Scheme::builder("s").signed([Part::Id, Part::Text(".".into())]);
        assert_eq!(err(unread), SchemeError::NoSource("id"));
    }

    #[test]
    fn what_is_signed_can_be_split_in_one_way_only() {
        let text = |t: &'static str| Part::Text(t.into());
        let both = |parts: Vec<Part>| {
            let named = Scheme::builder("s").id_header("i").timestamp_header("t");
            named.signed(parts).build()
        };
        for (parts, what) in [
            (vec![Part::Id, Part::Timestamp, text(".")], "id"),
            (vec![Part::Timestamp, text("."), Part::Id], "id"),
            (vec![Part::Id, text(""), Part::Timestamp, text(".")], "id"),
            (vec![Part::Id, text("."), Part::Timestamp], "timestamp"),
            (
                vec![Part::Id, text("."), Part::Timestamp, text("0")],
                "timestamp",
            ),
            (
                vec![
                    Part::Id,
                    text("."),
                    Part::Id,
                    text(":"),
                    Part::Timestamp,
                    text("."),
                ],
                "id",
            ),
        ] {
            assert_eq!(
                both(parts.clone()),
                Err(SchemeError::Ambiguous(what)),
                "{parts:?}"
            );
        }
        assert!(both(vec![Part::Id, text("."), Part::Timestamp, text(".")]).is_ok());
        let many = Scheme::builder("s").signed(vec![text("x"); 9]);
        assert_eq!(err(many), SchemeError::TooManyParts);
    }
}
