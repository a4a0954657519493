//! Where the headers of a delivery come from.

/// The headers of a delivery, as whatever HTTP library has them.
///
/// ```
/// use golive_webhook_verify::{Key, Verifier};
///
/// let key = Key::from_whsec("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let verifier = Verifier::builder().key(key).build()?;
/// let headers = [
///     ("Webhook-Id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
///     ("Webhook-Timestamp", "1614265330"),
///     ("Webhook-Signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
/// ];
/// assert!(verifier.verify(&headers[..], br#"{"test": 2432232314}"#, 1614265330).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Headers {
    /// Calls `line` with the name and the value of every header line, in their order. Names may be
    /// in any case.
    fn each<'a>(&'a self, line: impl FnMut(&'a str, &'a [u8]));
}

impl<N: AsRef<str>, V: AsRef<[u8]>> Headers for [(N, V)] {
    fn each<'a>(&'a self, mut line: impl FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            line(name.as_ref(), value.as_ref());
        }
    }
}

impl<N: AsRef<str>, V: AsRef<[u8]>, const LEN: usize> Headers for [(N, V); LEN] {
    fn each<'a>(&'a self, line: impl FnMut(&'a str, &'a [u8])) {
        self[..].each(line);
    }
}

#[cfg(feature = "http")]
#[cfg_attr(docsrs, doc(cfg(feature = "http")))]
impl Headers for http::HeaderMap {
    #[inline]
    fn each<'a>(&'a self, mut line: impl FnMut(&'a str, &'a [u8])) {
        for (name, value) in self {
            line(name.as_str(), value.as_bytes());
        }
    }
}
