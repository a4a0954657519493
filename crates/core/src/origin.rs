use std::{
    fmt,
    hash::{Hash, Hasher},
};

/// Where a request goes: scheme, host and port (RFC 6454 §4). What a credential may be bound to,
/// and what a limit or a budget is counted by.
///
/// Two are equal, and hash alike, whatever the case of their letters and whether or not a default
/// port is spelled out. As text it is the serialization of RFC 6454 §6.2, which is a key to keep:
///
/// ```
/// use golive_core::Origin;
///
/// let uri = http::Uri::from_static("https://API.example.com:443/v3/customers?limit=1");
/// assert_eq!(Origin::of(&uri).unwrap().to_string(), "https://api.example.com");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    scheme: &'a str,
    host: &'a str,
    port: u16,
}

impl<'a> Origin<'a> {
    /// The origin of `uri`; `None` if it is relative, or its port is neither given nor known by
    /// its scheme.
    #[must_use]
    pub fn of(uri: &'a http::Uri) -> Option<Self> {
        Self::new(uri.scheme_str()?, uri.host()?, uri.port_u16())
    }

    /// The origin of these parts of a URL, an IPv6 address in brackets; `None` if the port is
    /// neither given nor known by its scheme.
    #[must_use]
    pub fn new(scheme: &'a str, host: &'a str, port: Option<u16>) -> Option<Self> {
        let port = port.or_else(|| default_port(scheme))?;
        Some(Self { scheme, host, port })
    }

    /// The scheme, in the letters of the request.
    #[must_use]
    pub fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// The host, in the letters of the request; an IPv6 address is in brackets.
    #[must_use]
    pub fn host(&self) -> &'a str {
        self.host
    }

    /// The port, or the default one of the scheme.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl PartialEq for Origin<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.port == other.port
            && same_letters(self.host, other.host)
            && same_letters(self.scheme, other.scheme)
    }
}

impl Eq for Origin<'_> {}

impl Hash for Origin<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for text in [self.scheme, self.host] {
            for byte in text.bytes() {
                byte.to_ascii_lowercase().hash(state);
            }
            0xff_u8.hash(state);
        }
        self.port.hash(state);
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lower = |text: &str| {
            text.chars()
                .try_for_each(|c| fmt::Write::write_char(f, c.to_ascii_lowercase()))
        };
        lower(self.scheme)?;
        lower("://")?;
        lower(self.host)?;
        if default_port(self.scheme) != Some(self.port) {
            write!(f, ":{}", self.port)?;
        }
        Ok(())
    }
}

/// Nearly always they are written alike, which is seen sooner.
fn same_letters(a: &str, b: &str) -> bool {
    a == b || a.eq_ignore_ascii_case(b)
}

fn default_port(scheme: &str) -> Option<u16> {
    if scheme.eq_ignore_ascii_case("https") {
        Some(443)
    } else if scheme.eq_ignore_ascii_case("http") {
        Some(80)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::hash_map::DefaultHasher, hash::BuildHasher, hash::BuildHasherDefault};

    use super::*;
    use crate::Request as _;

    fn request(uri: &'static str) -> http::Request<String> {
        let mut request = http::Request::new(String::new());
        *request.uri_mut() = http::Uri::from_static(uri);
        request
    }

    #[test]
    fn case_default_port_path_and_user_are_no_part_of_an_origin() {
        let hash = |o: &Origin<'_>| BuildHasherDefault::<DefaultHasher>::new().hash_one(o);
        let one = request("https://api.example.com/a?b");
        let one = one.origin().unwrap();
        for same in [
            "https://API.example.com:443/",
            "HTTPS://user:secret@api.EXAMPLE.com/x",
        ] {
            let same = request(same);
            let same = same.origin().unwrap();
            assert_eq!(one, same);
            assert_eq!(hash(&one), hash(&same));
            assert_eq!(same.to_string(), "https://api.example.com");
            assert!(!format!("{same:?}").contains("secret"));
        }
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com.evil.test/",
        ] {
            assert_ne!(one, request(other).origin().unwrap(), "{other}");
        }
    }

    #[test]
    fn what_is_no_url_has_no_origin() {
        for none in ["/v3/customers", "*", "api.example.com:443", "ftp://x.test/"] {
            assert!(request(none).origin().is_none(), "{none}");
        }
    }

    #[cfg(feature = "reqwest")]
    #[test]
    fn both_faces_see_the_same_origin() {
        for (url, origin) in [
            ("http://127.0.0.1:8080/x", "http://127.0.0.1:8080"),
            ("http://[::1]:80/", "http://[::1]"),
            (
                "https://u:p@Api.Example.com:443/?q",
                "https://api.example.com",
            ),
        ] {
            let http = request(url);
            let method = http::Method::GET;
            let reqwest = ::reqwest::Request::new(method, url.parse().unwrap());
            assert_eq!(http.origin(), crate::Request::origin(&reqwest));
            assert_eq!(http.origin().unwrap().to_string(), origin);
        }
        let blob = ::reqwest::Request::new(http::Method::GET, "data:,x".parse().unwrap());
        assert!(crate::Request::origin(&blob).is_none());
    }
}
