//! What stays inside, whose credentials are taken, and which bases are refused.

use proptest::prelude::*;

use super::*;

fn contains(environment: &Environment, uri: &str) -> bool {
    let uri: Uri = uri.parse().unwrap();
    environment.contains(Origin::of(&uri), uri.path()).is_ok()
}

#[test]
fn a_request_stays_at_its_origin_and_below_the_base_path() {
    let production = Environment::production();
    for inside in [
        "https://api.dinie.com.br/v3",
        "https://api.dinie.com.br/v3/customers?limit=1",
        "https://API.dinie.com.br:443/v3/a%20b",
        "https://api.dinie.com.br/v3/a..b/.well-known",
    ] {
        assert!(contains(&production, inside), "{inside}");
    }
    for outside in [
        "https://api.dinie.com.br/customers",
        "https://api.dinie.com.br/v30/customers",
        "http://api.dinie.com.br/v3/customers",
        "https://sandbox.api.dinie.com.br/v3/customers",
        "https://api.dinie.com.br.evil.test/v3/customers",
        "https://api.dinie.com.br:8443/v3/customers",
        "https://api.dinie.com.br/v3/../admin",
        "https://api.dinie.com.br/v3/%2E%2e/admin",
        "https://api.dinie.com.br/v3/x%2f..%2fadmin",
        // Some servers take what follows a semicolon for a parameter of the segment.
        "https://api.dinie.com.br/v3/..;/admin",
        "https://api.dinie.com.br/v3/..;a=b/admin",
        "https://api.dinie.com.br/v3/%2e.%3Bx/admin",
        // Or decode twice.
        "https://api.dinie.com.br/v3/%252e%252E/admin",
        "https://api.dinie.com.br/v3/..%252fadmin",
        "https://api.dinie.com.br./v3/customers",
        "https://api.dinie.com.br@evil.test/v3/customers",
        "https://[::1]/v3/customers",
        "//api.dinie.com.br/v3/customers",
        "/v3/customers",
    ] {
        assert!(!contains(&production, outside), "{outside}");
    }
}

#[test]
fn a_path_never_becomes_another_server() {
    let production = Environment::production();
    for path in [
        "//evil.test/x",
        "\\\\evil.test/x",
        "/\\evil.test/x",
        "https:evil.test",
        "https:/evil.test",
        " https://evil.test/x",
        "@evil.test",
        ":8443/x",
        "x?u=https://evil.test/",
        "javascript://evil.test/",
        "",
    ] {
        let url = Url::parse(&production.url(path)).unwrap();
        assert_eq!(url.host_str(), Some("api.dinie.com.br"), "{path:?}");
        assert_eq!(url.port(), None, "{path:?}");
        assert!(contains(&production, url.as_str()), "{path:?}");
    }
    // What is absolute is taken as it is, and judged before it is sent.
    for path in ["https://evil.test/v3", "HTTPS://evil.test/v3"] {
        assert!(!contains(&production, &production.url(path)), "{path:?}");
    }
}

#[test]
fn a_base_in_another_spelling_contains_what_is_below_it_all_the_same() {
    for (base, inside) in [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com", "https://api.example.com//x"),
        ("https://api.example.com:443/", "https://API.example.com/x"),
        (
            "HTTPS://Bücher.example/v1/",
            "https://xn--bcher-kva.example/v1/x",
        ),
        ("http://127.1:80/v1", "http://127.0.0.1/v1/x"),
        ("http://[0:0:0:0:0:0:0:1]:8080/v1", "http://[::1]:8080/v1/x"),
        (
            "https://api.example.com/a%20b//",
            "https://api.example.com/a%20b/x",
        ),
    ] {
        let environment = Environment::custom(base).unwrap();
        assert!(contains(&environment, inside), "{base}: {inside}");
        let url = environment.url("customers");
        assert!(contains(&environment, &url), "{base}: {url}");
    }
}

#[test]
fn tokens_are_asked_for_below_the_base_and_nowhere_else() {
    use golive_auth_refresh::client_credentials::Credentials;

    let credentials = Credentials::new("id", "secret").unwrap();
    for base in ["https://api.example.com/v3", "http://127.0.0.1:8080/v3"] {
        let environment = Environment::custom(base).unwrap();
        for path in [
            "http://evil.test/v3/auth/token",
            "https://api.example.com.evil.test/v3/auth/token",
            "https://api.example.com/auth/token",
            "../auth/token",
            "x%2f..%2f..%2fauth/token",
        ] {
            let refused = environment.token_requests(path, credentials.clone());
            assert!(matches!(refused, Err(ConfigError::TokenPath(_))), "{path}");
        }
        for path in ["auth/token", "/auth/token", &environment.url("token")] {
            let taken = environment.token_requests(path, credentials.clone());
            assert!(taken.unwrap().build().is_ok(), "{path}");
        }
    }
}

#[test]
fn the_hosts_of_the_built_in_provider_keep_their_stage() {
    let (live, test) = ("dinie_cs_live_x", "dinie_cs_test_x");
    let production = [
        "https://api.dinie.com.br./v3",
        "https://API.Dinie.com.br:443/v3/",
    ];
    for base in production {
        let environment = Environment::custom(base).unwrap();
        assert_eq!(environment.stage(), Some(Stage::Production), "{base}");
        assert!(environment.admits(test).is_err(), "{base}");
    }
    // What contradicts itself takes neither.
    let torn = Environment::sandbox().only(Stage::Production);
    assert!(torn.admits(live).is_err() && torn.admits(test).is_err());
    // Plain http on this machine may be the inside of a proxy that speaks TLS.
    let proxied = Environment::custom("http://localhost:8080").unwrap();
    assert!(proxied.admits(live).is_err());
    assert!(proxied.only(Stage::Production).admits(live).is_ok());
}

#[test]
fn a_base_url_that_would_hurt_later_is_refused_now() {
    let refused = |url: &str| Environment::custom(url).unwrap_err();
    for url in [
        "",
        "/v3",
        "api.dinie.com.br/v3",
        "ftp://api.example.com/",
        "https://user@api.example.com/",
        "https://api.example.com/v3?x=1",
        "https://api.example.com/v3#x",
        // Every request below would be refused.
        "https://api.example.com/a%2f..%2fb",
        "https://api.example.com/a/..;/b",
    ] {
        assert!(matches!(refused(url), ConfigError::BaseUrl), "{url}");
    }
    for url in [
        "http://api.example.com/v3",
        "http://127.0.0.1.evil.test/",
        "http://localhost.evil.test/",
        "http://localhost./",
        "http://0.0.0.0/",
        "http://0/",
        "http://[::]/",
        "http://[::ffff:127.0.0.1]/",
        "http://api.dinie.com.br/v3",
    ] {
        assert!(matches!(refused(url), ConfigError::PlainHttp), "{url}");
    }
    for url in [
        "https://api.dinie.com.br",
        "https://sandbox.api.dinie.com.br/v2",
        "https://API.dinie.com.br/v3/customers",
    ] {
        let lost = refused(url);
        assert!(matches!(lost, ConfigError::LostBasePath { .. }), "{url}");
    }
    for url in [
        "https://api.dinie.com.br/v3/",
        "https://api.dinie.com.br/api/v3",
        "http://localhost:8080",
        "http://[::1]:8080/v3",
        "https://api.example.com",
    ] {
        assert!(Environment::custom(url).is_ok(), "{url}");
    }
}

#[test]
fn credentials_of_the_other_stage_are_refused() {
    let (live, test, unnamed) = ("dinie_cs_live_x", "dinie_cs_test_x", "dinie_ci_8f3a");
    for (environment, takes_live, takes_test) in [
        (Environment::production(), true, false),
        (Environment::sandbox(), false, true),
        (
            Environment::custom("https://api.dinie.com.br/v3").unwrap(),
            true,
            false,
        ),
        (
            Environment::custom("https://a.example.com").unwrap(),
            true,
            true,
        ),
        (
            Environment::custom("http://127.0.0.1:1").unwrap(),
            false,
            true,
        ),
    ] {
        assert_eq!(environment.admits(live).is_ok(), takes_live);
        assert_eq!(environment.admits(test).is_ok(), takes_test);
        assert!(environment.admits(unnamed).is_ok());
    }
}

proptest! {
    /// Whatever is appended to a base, the result is inside or is refused; it never counts as
    /// inside while a server would see it elsewhere.
    #[test]
    fn no_path_escapes(path in "[a-z/.%0-9A-F?#\\\\@:]{0,30}") {
        let environment = Environment::production();
        let Ok(url) = Url::parse(&environment.url(&path)) else { return Ok(()) };
        let uri: Uri = url.as_str().parse().unwrap();
        if environment.contains(Origin::of(&uri), uri.path()).is_ok() {
            prop_assert_eq!(url.host_str(), Some("api.dinie.com.br"));
            prop_assert!(url.path() == "/v3" || url.path().starts_with("/v3/"));
        }
    }
}
