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
        let (host, port) = host_and_port(uri.authority()?.as_str());
        Self::new(uri.scheme_str()?, host, port)
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
        // Two pieces in nearly all cases: a hasher is quick with few long ones. The lengths go
        // first, so that no text can be taken for the beginning of another.
        let (scheme, known) = match default_port(self.scheme) {
            Some(port) => ("", u64::from(port)),
            None => (self.scheme, 0),
        };
        let lengths = ((scheme.len() as u64) << 48) ^ ((self.host.len() as u64) << 32);
        state.write_u64(lengths ^ (known << 16) ^ u64::from(self.port));
        hash_lower(scheme, state);
        hash_lower(self.host, state);
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

/// What `Uri::host` and `Uri::port_u16` give, in one pass: every call asks for them.
fn host_and_port(authority: &str) -> (&str, Option<u16>) {
    let (mut begin, mut colon) = (0, None);
    for (at, byte) in authority.bytes().enumerate() {
        match byte {
            b'@' => (begin, colon) = (at + 1, None),
            b':' => colon = Some(at),
            // Those before it are part of an IPv6 address.
            b']' => colon = None,
            _ => {}
        }
    }
    let Some(colon) = colon else {
        return (authority.get(begin..).unwrap_or_default(), None);
    };
    let host = authority.get(begin..colon).unwrap_or_default();
    let port = authority
        .get(colon + 1..)
        .and_then(|port| port.parse().ok());
    (host, port)
}

/// Hashes a text in lower case, in pieces that its length alone decides, so that equal ones are
/// equal for every hasher.
fn hash_lower<H: Hasher>(text: &str, state: &mut H) {
    const PIECE: usize = 64;
    for piece in text.as_bytes().chunks(PIECE) {
        if !piece.iter().any(u8::is_ascii_uppercase) {
            state.write(piece);
            continue;
        }
        let mut lower = [0; PIECE];
        if let Some(lower) = lower.get_mut(..piece.len()) {
            lower.copy_from_slice(piece);
            lower.make_ascii_lowercase();
            state.write(lower);
        }
    }
}

/// Nearly always they are written alike, which is seen sooner.
fn same_letters(a: &str, b: &str) -> bool {
    a == b || a.eq_ignore_ascii_case(b)
}

fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        // Nearly always they are written like this, which is seen sooner.
        "https" => Some(443),
        "http" => Some(80),
        _ if scheme.eq_ignore_ascii_case("https") => Some(443),
        _ if scheme.eq_ignore_ascii_case("http") => Some(80),
        _ => None,
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
    fn long_hosts_hash_alike_and_apart() {
        let hash = |host: &str| {
            let origin = Origin::new("https", host, None).unwrap();
            BuildHasherDefault::<DefaultHasher>::new().hash_one(origin)
        };
        let mut seen = std::collections::HashSet::new();
        for len in 1..200 {
            let host = "a".repeat(len);
            assert_eq!(hash(&host), hash(&host.to_uppercase()), "{len}");
            assert!(seen.insert(hash(&host)), "{len}");
            // The last letter counts, wherever a piece ends.
            let other = format!("{}b", "a".repeat(len - 1));
            assert!(seen.insert(hash(&other)), "{len}");
        }
    }

    #[test]
    fn host_and_port_are_read_as_by_the_uri() {
        for authority in [
            "a.test",
            "a.test:8080",
            "a.test:",
            "a.test:65536",
            "u@a.test",
            "u:p@a.test",
            "u:80@a.test:81",
            "[::1]",
            "[::1]:80",
            "u:p@[2001:db8::7]:443",
            "u:p@[2001:db8::7]",
            "@a.test",
        ] {
            // Not all of them are taken for one.
            if let Ok(uri) = http::Uri::try_from(format!("https://{authority}/x")) {
                let read = host_and_port(uri.authority().unwrap().as_str());
                assert_eq!(read, (uri.host().unwrap(), uri.port_u16()), "{authority}");
            }
        }
        let user = http::Uri::from_static("https://u:80@a.test:81/");
        assert_eq!(Origin::of(&user).unwrap().port(), 81);
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
