//! The client credentials grant: who the client is, and how it asks for a token.
//!
//! [`ClientCredentials`] does no I/O. It takes [`Credentials`], or a [`CredentialSource`] whose
//! credentials change. Over a transport it becomes a
//! [`TokenSource`](crate::source::TokenSource): see `reqwest::ReqwestSource` and
//! `tower::ServiceSource`, in the modules of these features.

mod credentials;
mod encode;
mod fetch;
mod protocol;
mod response;
mod source;

pub use self::credentials::Credentials;
pub use self::protocol::{ClientAuth, ClientCredentials, ClientCredentialsBuilder};
pub use self::source::{CredentialError, CredentialSet, CredentialSource, Rereading};
