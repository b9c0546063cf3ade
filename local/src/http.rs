//! Plain requests to the gateway, signed in name only: what the local AWS itself, its benchmarks and tests ask.

use crate::REGION;
use anyhow::{Context, bail};
use axum::body::Body;
use axum::http::{Method, Request};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::sync::LazyLock;

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

static CLIENT: LazyLock<Client<HttpConnector, Body>> = LazyLock::new(|| {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    // A kept connection belongs to the runtime that opened it, and tests have one each.
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build(connector)
});

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
    let answer = CLIENT.request(request.body(Body::from(body))?).await?;
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
    // Some operations answer nothing.
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(&text).with_context(|| format!("{target} answered no JSON: {text}"))
}

/// A call of a query service.
pub async fn form(endpoint: &str, signer: &Signer, service: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
    let authorization = signer.authorization(service);
    let headers = [("authorization", authorization.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    send(endpoint, Method::POST, "/", &headers, body).await
}

/// The access key of a role's session, taken by whoever holds `key`.
pub async fn assume(endpoint: &str, key: &str, role_arn: &str) -> anyhow::Result<String> {
    let form =
        [("Action", "AssumeRole"), ("Version", "2011-06-15"), ("RoleArn", role_arn), ("RoleSessionName", "local")];
    let text = self::form(endpoint, &Signer::key(key), "sts", &form).await?;
    let given = crate::answer::element(&text, "AccessKeyId").unwrap_or_default();
    anyhow::ensure!(!given.is_empty(), "{role_arn} cannot be assumed: {text}");
    Ok(given.to_owned())
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
