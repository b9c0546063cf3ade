//! The few requests that the local AWS itself makes to its gateway.

use crate::REGION;
use anyhow::{Context, bail};
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Who signs. The gateway reads a signature's scope and does not check the signature.
#[derive(Clone, Debug)]
pub struct Signer(String);

impl Signer {
    /// The holder of this access key.
    pub fn key(key: &str) -> Self {
        Self(key.to_owned())
    }

    fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.0
        )
    }
}

async fn send(
    endpoint: &str,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: String,
) -> anyhow::Result<String> {
    let mut request = Request::builder().method(method).uri(format!("{endpoint}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client = Client::builder(TokioExecutor::new()).build_http::<Body>();
    let answer = client.request(request.body(Body::from(body))?).await?;
    let status = answer.status();
    let bytes = answer.into_body().collect().await?.to_bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if !status.is_success() {
        bail!("{endpoint}{path} answered {status}: {text}");
    }
    Ok(text)
}

/// An unsigned GET.
pub async fn get(endpoint: &str, path: &str) -> anyhow::Result<String> {
    send(endpoint, Method::GET, path, &[], String::new()).await
}

/// An unsigned POST of JSON.
pub async fn post(endpoint: &str, path: &str, body: &Value) -> anyhow::Result<String> {
    send(endpoint, Method::POST, path, &[], body.to_string()).await
}

/// A call of a JSON service.
pub async fn signed_json(
    endpoint: &str,
    key: &str,
    service: &str,
    target: &str,
    body: &Value,
) -> anyhow::Result<Value> {
    let authorization = Signer::key(key).authorization(service);
    let headers = [
        ("authorization", authorization.as_str()),
        ("x-amz-target", target),
        ("content-type", "application/x-amz-json-1.1"),
    ];
    let text = send(endpoint, Method::POST, "/", &headers, body.to_string()).await?;
    serde_json::from_str(&text).with_context(|| format!("{target} answered no JSON: {text}"))
}

/// A call of a query service.
pub async fn form(endpoint: &str, signer: &Signer, service: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
    let authorization = signer.authorization(service);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(endpoint, Method::POST, "/", &headers, body).await
}

/// A signed PUT.
pub async fn put(endpoint: &str, signer: &Signer, service: &str, path: &str, body: &str) -> anyhow::Result<String> {
    let authorization = signer.authorization(service);
    send(endpoint, Method::PUT, path, &[("authorization", &authorization)], body.to_owned()).await
}

/// A signed GET.
pub async fn get_signed(endpoint: &str, signer: &Signer, service: &str, path: &str) -> anyhow::Result<String> {
    let authorization = signer.authorization(service);
    send(endpoint, Method::GET, path, &[("authorization", &authorization)], String::new()).await
}
