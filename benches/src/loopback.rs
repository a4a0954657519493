//! A provider on loopback, on a thread of its own: HTTP/1.1 over kept connections, a token for
//! whoever asks for one, and the same customer for everything else.

use std::{convert::Infallible, io, net::TcpListener, thread};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, header};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

/// Where it gives tokens.
const TOKEN_PATH: &str = "/v3/auth/token";

const TOKEN: &str =
    r#"{"access_token":"at_1f0b6c7d9e2a4385","token_type":"Bearer","expires_in":3600}"#;
const CUSTOMER: &str = r#"{"id":"cus_01J9Z3K4M5N6P7Q8R9S0T1U2V3","object":"customer","name":"Ana Souza","cpf":"529.982.247-25","email":"ana@example.com","phone":"+55 11 98765-4321","external_id":"c-1","status":"active","address":{"street":"Rua das Flores","number":"100","city":"São Paulo","state":"SP","postal_code":"01000-000"},"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}"#;

/// The provider; it ends with the program.
#[derive(Debug)]
pub struct Provider {
    url: String,
}

// === impl Provider ===

impl Provider {
    /// Starts one.
    ///
    /// # Errors
    /// Nobody may listen on 127.0.0.1, or there is no thread for it.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let runtime = { tokio::runtime::Builder::new_current_thread() }
            .enable_io()
            .build()?;
        thread::Builder::new()
            .name("provider".to_owned())
            .spawn(move || runtime.block_on(serve(listener)))?;
        Ok(Self { url })
    }

    /// Where it is: its API lies below `/v3`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

async fn serve(listener: TcpListener) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let connection =
            http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
        // It ends when the client goes.
        tokio::spawn(connection);
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = match request.uri().path() {
        TOKEN_PATH => TOKEN,
        _ => CUSTOMER,
    };
    // Who answers before the end of a request may close the connection under it.
    let _ = request.into_body().collect().await;
    let mut response = Response::new(Full::from(body));
    let headers = response.headers_mut();
    let json = HeaderValue::from_static("application/json");
    headers.insert(header::CONTENT_TYPE, json);
    let quota = [
        ("x-ratelimit-limit", "1000"),
        ("x-ratelimit-remaining", "998"),
        ("x-ratelimit-reset", "30"),
    ];
    for (name, value) in quota {
        headers.insert(name, HeaderValue::from_static(value));
    }
    let id = HeaderValue::from_static("req_01J9Z3K4M5N6P7Q8R9S0T1U2V3");
    headers.insert("x-request-id", id);
    Ok(response)
}
