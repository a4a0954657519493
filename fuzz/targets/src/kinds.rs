//! Every scheme that there is, and some of our own, written down a second time.

use golive_webhook_verify::{Encoding, Part, Scheme};

use crate::naive;

/// Where a time stands.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Time {
    Nowhere,
    Header(&'static str),
    /// In the list of signatures, behind this label.
    List(&'static str),
}

/// A piece of what is signed before the body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Id,
    Time,
    Text(&'static str),
    /// This many times the letter `u`.
    Many(usize),
}

/// How deliveries are signed.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) id: Option<&'static str>,
    pub(crate) time: Time,
    pub(crate) signature: &'static str,
    pub(crate) label: &'static str,
    /// Of ed25519 signatures.
    pub(crate) asymmetric: Option<&'static str>,
    pub(crate) hex: bool,
    pub(crate) signed: &'static [Piece],
    /// The one of the crate; none if it is built of its parts.
    known: Option<fn() -> Scheme>,
}

const URL: &str = "https://example.com/hooks?a=b";

const STANDARD: Kind = Kind {
    id: Some("webhook-id"),
    time: Time::Header("webhook-timestamp"),
    signature: "webhook-signature",
    label: "v1,",
    asymmetric: Some("v1a,"),
    hex: false,
    signed: &[Piece::Id, Piece::Text("."), Piece::Time, Piece::Text(".")],
    known: Some(Scheme::standard_webhooks),
};

const OVER_THE_BODY: Kind = Kind {
    id: None,
    time: Time::Nowhere,
    signature: "x-hub-signature-256",
    label: "",
    asymmetric: None,
    hex: true,
    signed: &[],
    known: None,
};

/// All of them; the first is the default.
pub(crate) static KINDS: &[Kind] = &[
    STANDARD,
    Kind {
        id: Some("svix-id"),
        time: Time::Header("svix-timestamp"),
        signature: "svix-signature",
        known: Some(Scheme::svix),
        ..STANDARD
    },
    Kind {
        time: Time::List("t="),
        signature: "stripe-signature",
        label: "v1=",
        signed: &[Piece::Time, Piece::Text(".")],
        known: Some(Scheme::stripe),
        ..OVER_THE_BODY
    },
    Kind {
        label: "sha256=",
        known: Some(Scheme::github),
        ..OVER_THE_BODY
    },
    Kind {
        time: Time::Header("x-slack-request-timestamp"),
        signature: "x-slack-signature",
        label: "v0=",
        signed: &[Piece::Text("v0:"), Piece::Time, Piece::Text(":")],
        known: Some(Scheme::slack),
        ..OVER_THE_BODY
    },
    Kind {
        signature: "x-shopify-hmac-sha256",
        hex: false,
        known: Some(Scheme::shopify),
        ..OVER_THE_BODY
    },
    Kind {
        signature: "x-square-hmacsha256-signature",
        hex: false,
        signed: &[Piece::Text(URL)],
        known: Some(|| Scheme::square(URL)),
        ..OVER_THE_BODY
    },
    // A label that ends in a comma, hex, and a time in a list of such.
    Kind {
        time: Time::List("t:"),
        signature: "acme-signature",
        label: "s,",
        signed: &[Piece::Time, Piece::Text("\r\n")],
        ..OVER_THE_BODY
    },
    // No label, and an id that is signed twice.
    Kind {
        id: Some("acme-id"),
        time: Time::Header("acme-time"),
        signature: "acme-signature",
        hex: false,
        signed: &[
            Piece::Text("acme"),
            Piece::Id,
            Piece::Text("|"),
            Piece::Time,
            Piece::Text("/"),
            Piece::Id,
            Piece::Text("|end"),
        ],
        ..OVER_THE_BODY
    },
    // More before the body than is set aside for it.
    Kind {
        id: Some("acme-id"),
        signature: "acme-signature",
        label: "=",
        signed: &[Piece::Many(189), Piece::Id, Piece::Text("\n")],
        ..OVER_THE_BODY
    },
];

impl Kind {
    /// The one of the crate.
    pub(crate) fn scheme(&self) -> Scheme {
        if let Some(known) = self.known {
            return known();
        }
        let parts = self.signed.iter().map(|piece| match piece {
            Piece::Id => Part::Id,
            Piece::Time => Part::Timestamp,
            Piece::Text(text) => Part::Text((*text).into()),
            Piece::Many(times) => Part::Text("u".repeat(*times).into()),
        });
        let encoding = if self.hex {
            Encoding::Hex
        } else {
            Encoding::Base64
        };
        let mut builder = Scheme::builder(self.signature)
            .label(self.label)
            .encoding(encoding)
            .signed(parts);
        if let Some(name) = self.id {
            builder = builder.id_header(name);
        }
        match self.time {
            Time::Nowhere => {}
            Time::Header(name) => builder = builder.timestamp_header(name),
            Time::List(label) => builder = builder.timestamp_in_list(label),
        }
        builder.build().unwrap()
    }

    /// All that is signed.
    pub(crate) fn content(&self, id: &[u8], time: &[u8], body: &[u8]) -> Vec<u8> {
        let mut content = Vec::new();
        for piece in self.signed {
            match piece {
                Piece::Id => content.extend(id),
                Piece::Time => content.extend(time),
                Piece::Text(text) => content.extend(text.as_bytes()),
                Piece::Many(times) => content.extend("u".repeat(*times).as_bytes()),
            }
        }
        content.extend(body);
        content
    }

    /// The text of a MAC.
    pub(crate) fn spell(&self, mac: &[u8]) -> String {
        if self.hex {
            naive::hex(mac)
        } else {
            naive::base64(mac)
        }
    }

    /// How long that is.
    pub(crate) fn len(&self) -> usize {
        if self.hex { 64 } else { 44 }
    }

    /// The byte that an id must not have.
    pub(crate) fn ends_id(&self) -> Option<u8> {
        let at = self.signed.iter().position(|piece| *piece == Piece::Id)?;
        match self.signed.get(at + 1) {
            Some(Piece::Text(text)) => text.bytes().next(),
            _ => None,
        }
    }
}
