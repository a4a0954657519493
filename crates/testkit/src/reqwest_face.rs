use std::sync::Arc;

use golive_core::{CallHandle, Stack, caused_by};
use http::Extensions;
use http_body_util::BodyExt;
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware, Error, Next};

use crate::{
    Answered, Ask, AskBody, Face, Failed, Leaf, ProbeError,
    face::{Chunks, Probed},
    leaf::{FromLeaf, Marker},
    tower_face::content_type,
};

const URL: &str = "http://probe.test/v3/things?q=1";

/// A client through the reqwest face. The leaf is its last middleware, so no connection is made.
#[derive(Debug)]
pub struct ReqwestFace(ClientWithMiddleware);

struct ReqwestLeaf(Leaf);

impl Face for ReqwestFace {
    fn alone<M: Probed>(middleware: M, leaf: &Leaf) -> Self {
        build(|b| b.with(middleware), leaf)
    }

    fn layers<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self {
        build(|b| b.with(outer).with(middleware), leaf)
    }

    fn stack<O: Probed, M: Probed>(outer: O, middleware: M, leaf: &Leaf) -> Self {
        build(|b| b.with(Stack::new().push(outer).push(middleware)), leaf)
    }

    fn call(&mut self, ask: Ask) -> impl Future<Output = Result<Answered, Failed>> + Send {
        let body = match ask.body {
            AskBody::Full(bytes) => reqwest::Body::from(bytes),
            AskBody::Buffered(chunks) => reqwest::Body::from(chunks.concat()),
            AskBody::Stream(chunks) => reqwest::Body::wrap(Chunks(chunks.into())),
        };
        let request = self
            .0
            .request(ask.method, URL)
            .with_extension(Marker(7))
            .body(body);
        async move {
            match request.send().await {
                Ok(response) => Ok(Answered {
                    status: response.status(),
                    version: response.version(),
                    content_type: content_type(response.headers()),
                    extensions: response.extensions().get::<FromLeaf>().is_some(),
                    url: Some(response.url().to_string()),
                    call: response.extensions().get().map(CallHandle::call),
                    body: response.bytes().await.unwrap(),
                }),
                Err(error) => Err(Failed {
                    untouched: matches!(&error, Error::Middleware(e) if e.is::<ProbeError>())
                        && caused_by::<ProbeError>(&error).is_some(),
                    text: error.to_string(),
                }),
            }
        }
    }
}

fn build(with: impl FnOnce(ClientBuilder) -> ClientBuilder, leaf: &Leaf) -> ReqwestFace {
    let builder = with(ClientBuilder::new(reqwest::Client::new()));
    let leaf = Arc::new(ReqwestLeaf(leaf.clone()));
    ReqwestFace(builder.with_arc(leaf).build())
}

#[async_trait::async_trait]
impl reqwest_middleware::Middleware for ReqwestLeaf {
    async fn handle(
        &self,
        mut req: reqwest::Request,
        extensions: &mut Extensions,
        _: Next<'_>,
    ) -> Result<reqwest::Response, Error> {
        let body = match req.body_mut().take() {
            Some(body) => body.collect().await.unwrap().to_bytes(),
            None => bytes::Bytes::new(),
        };
        let response = self
            .0
            .attempt(req.headers().clone(), body, extensions)
            .await
            .map_err(Error::middleware)?;
        let (mut parts, body) = response.into_parts();
        let with_url =
            reqwest::ResponseBuilderExt::url(http::Response::builder(), req.url().clone());
        parts
            .extensions
            .extend(with_url.body(()).unwrap().into_parts().0.extensions);
        Ok(http::Response::from_parts(parts, reqwest::Body::wrap(body)).into())
    }
}
