//! The two emulators, reached over kept-alive connections.

use crate::answer::Refusal;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Connections to moto and ministack.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client<HttpConnector, Body>,
    /// moto's `host:port`.
    pub moto: String,
    /// ministack's `host:port`.
    pub ministack: String,
}

impl Upstream {
    /// Connections to these two.
    pub fn new(moto: String, ministack: String) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector), moto, ministack }
    }

    /// Sends a request on, its body unchanged.
    pub async fn send(
        &self,
        host: &str,
        method: &Method,
        path: &str,
        headers: &HeaderMap,
        body: Bytes,
    ) -> Result<Response<Body>, Refusal> {
        let broken = |e: String| Refusal {
            status: 503,
            ..Refusal::new("ServiceUnavailable", format!("the emulator at {host} did not answer: {e}"))
        };
        let uri: Uri =
            format!("http://{host}{path}").parse().map_err(|e| Refusal::new("InvalidURI", format!("{path}: {e}")))?;
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri;
        *request.headers_mut() = headers.clone();
        let answer = self.client.request(request).await.map_err(|e| broken(e.to_string()))?;
        Ok(answer.map(Body::new))
    }

    /// Asks moto a question of the gateway's own, in an account and Region, and reads the whole answer.
    pub async fn ask(&self, account: &str, region: &str, service: &str, question: Question<'_>) -> (u16, String) {
        let mut headers = HeaderMap::new();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIAKOZAGATEWAY00000/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let mut put = |name: &'static str, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        put("authorization", &authorization);
        put("x-moto-account-id", account);
        // moto finds the service by the host's name.
        put("host", &format!("{service}.{region}.amazonaws.com"));
        let (method, path, body) = match question {
            Question::Json(target, body) => {
                put("x-amz-target", target);
                put("content-type", "application/x-amz-json-1.1");
                (Method::POST, "/".to_owned(), body.to_string())
            }
            Question::Form(fields) => {
                put("content-type", "application/x-www-form-urlencoded");
                let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
                (Method::POST, "/".to_owned(), body)
            }
            Question::Rest(method, path) => (method, path.to_owned(), String::new()),
        };
        match self.send(&self.moto, &method, &path, &headers, Bytes::from(body)).await {
            Err(refusal) => (refusal.status, refusal.message),
            Ok(answer) => {
                let status = answer.status().as_u16();
                let bytes = answer.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                (status, String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    /// A JSON question whose answer is JSON; an error answer is `Err` with its text.
    pub async fn ask_json(
        &self,
        account: &str,
        region: &str,
        service: &str,
        target: &str,
        body: &Value,
    ) -> Result<Value, String> {
        let (status, text) = self.ask(account, region, service, Question::Json(target, body)).await;
        match status {
            200 => serde_json::from_str(&text).map_err(|e| e.to_string()),
            _ => Err(text),
        }
    }
}

/// A question of the gateway's own.
#[derive(Clone, Debug)]
pub enum Question<'a> {
    /// Target and body of a JSON service.
    Json(&'a str, &'a Value),
    /// Fields of a query service.
    Form(&'a [(&'a str, &'a str)]),
    /// Method and path of a REST service.
    Rest(Method, &'a str),
}
