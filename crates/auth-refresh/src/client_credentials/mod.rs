//! The client credentials grant: who the client is, and how it asks for a token.
//!
//! [`ClientCredentials`] does no I/O. Over a transport it becomes a
//! [`TokenSource`](crate::source::TokenSource): see `reqwest::ReqwestSource` and
//! `tower::ServiceSource`, in the modules of these features.

mod credentials;
mod protocol;
mod response;

pub use self::credentials::Credentials;
pub use self::protocol::{ClientAuth, ClientCredentials, ClientCredentialsBuilder};
