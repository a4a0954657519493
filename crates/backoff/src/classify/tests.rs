use std::{fmt, io};

use golive_core::BoxError;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] BoxError);

#[test]
fn an_io_error_tells_by_its_kind() {
    let class = |kind: io::ErrorKind| classify(&io::Error::from(kind));
    assert_eq!(class(io::ErrorKind::ConnectionRefused), Class::Connect);
    assert_eq!(class(io::ErrorKind::AddrNotAvailable), Class::Connect);
    assert_eq!(class(io::ErrorKind::TimedOut), Class::Timeout);
    assert_eq!(class(io::ErrorKind::ConnectionReset), Class::Reset);
    assert_eq!(class(io::ErrorKind::BrokenPipe), Class::Reset);
    assert_eq!(class(io::ErrorKind::UnexpectedEof), Class::Reset);
    assert_eq!(class(io::ErrorKind::InvalidData), Class::Ambiguous);
}

#[test]
fn a_refused_connection_further_down_proves_nothing() {
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    assert_eq!(classify(&Outer(refused.into())), Class::Ambiguous);
    let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
    let body = ReplayError::Body(refused.into());
    assert_eq!(classify(&Outer(body.into())), Class::Ambiguous);
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn a_connection_that_reqwest_did_not_get_further_down_proves_nothing() {
    async fn refused() -> ::reqwest::Error {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        drop(listener);
        let client = ::reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(url).send().await.unwrap_err()
    }
    assert_eq!(reqwest_class(&refused().await), Some(Class::Connect));
    // It may be that of a second request, after a redirect.
    assert_eq!(classify(&refused().await), Class::Ambiguous);
    // That of a request body which is itself being fetched, over another transport.
    let fetched = ReplayError::Body(refused().await.into());
    let outer = Outer(refused().await.into());
    for error in [&fetched as &(dyn Error + 'static), &outer] {
        assert_eq!(reqwest_class(error), None);
        assert_eq!(classify(error), Class::Ambiguous);
    }
}

#[cfg(feature = "reqwest")]
#[tokio::test]
async fn a_timeout_of_reqwest_is_seen_at_any_depth() {
    // Connects, and is never answered.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = ::reqwest::Client::builder().no_proxy().build().unwrap();
    let limit = std::time::Duration::from_millis(20);
    let late = client.get(url).timeout(limit).send().await.unwrap_err();
    assert_eq!(classify(&Outer(late.into())), Class::Timeout);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_seen_at_any_depth() {
    let limit = std::time::Duration::from_secs(1);
    let elapsed = tokio::time::timeout(limit, std::future::pending::<()>()).await;
    let error = Outer(elapsed.unwrap_err().into());
    assert_eq!(classify(&error), Class::Timeout);
    let late = io::Error::from(io::ErrorKind::TimedOut);
    assert_eq!(classify(&Outer(late.into())), Class::Timeout);
}

#[test]
fn what_is_unknown_is_ambiguous() {
    assert_eq!(classify(&fmt::Error), Class::Ambiguous);
}

/// All of them.
const ALL: [Class; 9] = [
    Class::Connect,
    Class::Tls,
    Class::Refused,
    Class::Timeout,
    Class::Reset,
    Class::Body,
    Class::Ambiguous,
    Class::Fatal,
    Class::Unsent,
];

#[test]
fn each_class_has_a_word_of_its_own() {
    let mut words = ALL.map(Class::as_str);
    words.sort_unstable();
    assert!(words.windows(2).all(|pair| pair[0] != pair[1]), "{words:?}");
}

#[test]
fn only_what_cannot_have_been_executed_says_so() {
    let unexecuted = ALL.into_iter().filter(|class| class.is_unexecuted());
    let expected = [Class::Connect, Class::Tls, Class::Refused, Class::Unsent];
    assert!(unexecuted.eq(expected));
    let lasting = ALL.into_iter().filter(|class| class.is_lasting());
    assert!(lasting.eq([Class::Tls, Class::Fatal, Class::Unsent]));
}

#[test]
fn those_who_know_an_error_are_asked_in_order() {
    let mut asked = Classifiers::default();
    assert_eq!(asked.class(&fmt::Error), Class::Ambiguous);
    asked.push(|error: &(dyn Error + 'static)| error.is::<io::Error>().then_some(Class::Fatal));
    assert_eq!(asked.class(&fmt::Error), Class::Ambiguous);
    asked.push(|error: &(dyn Error + 'static)| error.is::<fmt::Error>().then_some(Class::Connect));
    asked.push(|_: &(dyn Error + 'static)| Some(Class::Timeout));
    let late = io::Error::from(io::ErrorKind::TimedOut);
    assert_eq!(asked.class(&late), Class::Fatal);
    assert_eq!(asked.class(&fmt::Error), Class::Connect);
    assert_eq!(asked.class(&Outer(late.into())), Class::Timeout);
}
