//! The emulators, reached over kept-alive connections. They answer nobody who does not know the gateway's secret.

use crate::answer::Refusal;
use crate::{MANAGEMENT, OPERATIONS};
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The header that carries the gateway's secret; the emulators' launchers ask for it.
const SECRET: &str = "x-koza-gateway";

/// Connections to moto's processes and to ministack.
#[derive(Clone, Debug)]
pub struct Upstream {
    client: Client<HttpConnector, Body>,
    motos: Vec<String>,
    ministack: String,
    secret: HeaderValue,
}

impl Upstream {
    /// Connections to these, each a `host:port`.
    pub fn new(motos: Vec<String>, ministack: String, secret: &str) -> anyhow::Result<Self> {
        anyhow::ensure!(!motos.is_empty(), "no moto to connect to");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, motos, ministack, secret: HeaderValue::from_str(secret)? })
    }

    /// The process that has this account. The first has the organization and everything that is the organization's;
    /// members, who never see one another, are spread over all.
    pub fn host(&self, account: &str) -> &str {
        let members = |id: &str| id.bytes().fold(0_usize, |sum, digit| sum.wrapping_mul(31).wrapping_add(digit.into()));
        match account {
            OPERATIONS => &self.ministack,
            MANAGEMENT => &self.motos[0],
            member => &self.motos[members(member) % self.motos.len()],
        }
    }

    /// All moto processes but the one that has this account.
    pub fn others(&self, account: &str) -> impl Iterator<Item = &str> {
        let own = self.host(account).to_owned();
        self.motos.iter().map(String::as_str).filter(move |host| *host != own)
    }

    /// Whether every emulator answers.
    pub async fn is_ready(&self) -> bool {
        for emulator in self.motos.iter().chain([&self.ministack]) {
            if self.question_at(emulator, "/_koza/ready", &[]).await.is_err() {
                return false;
            }
        }
        true
    }

    /// Whether another process has a bucket of this name: names are unique in all of AWS, moto's only in one process.
    pub async fn has_bucket_elsewhere(&self, account: &str, bucket: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert("host", HeaderValue::from_static("s3.amazonaws.com"));
        for host in self.others(account) {
            let answer = self.send(host, &Method::HEAD, &format!("/{bucket}"), &headers, Bytes::new()).await;
            if answer.is_ok_and(|a| a.status() != StatusCode::NOT_FOUND) {
                return true;
            }
        }
        false
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
        request.headers_mut().insert(SECRET, self.secret.clone());
        let answer = self.client.request(request).await.map_err(|e| broken(e.to_string()))?;
        Ok(answer.map(Body::new))
    }

    /// Asks an emulator a question of the gateway's own, in an account and Region, and reads the whole answer.
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
        if account != OPERATIONS {
            put("x-moto-account-id", account);
            // moto finds the service by the host's name.
            put("host", &format!("{service}.{region}.amazonaws.com"));
        }
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
        match self.send(self.host(account), &method, &path, &headers, Bytes::from(body)).await {
            Err(refusal) => (refusal.status, refusal.message),
            Ok(answer) => {
                let status = answer.status().as_u16();
                let bytes = answer.into_body().collect().await.map(|b| b.to_bytes()).unwrap_or_default();
                (status, String::from_utf8_lossy(&bytes).into_owned())
            }
        }
    }

    /// One of the gateway's own questions that a launcher answers, at the emulator that has the account.
    pub async fn question(&self, account: &str, path: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        self.question_at(self.host(account), path, fields).await
    }

    async fn question_at(&self, host: &str, path: &str, fields: &[(&str, &str)]) -> Result<Value, String> {
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let path = format!("{path}?{query}");
        let answer = self.send(host, &Method::GET, &path, &HeaderMap::new(), Bytes::new()).await;
        let answer = answer.map_err(|refusal| refusal.message)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
        match status.is_success() {
            true => serde_json::from_slice(&body).map_err(|e| e.to_string()),
            false => Err(format!("{path} answered {status}")),
        }
    }

    /// The names of all accounts of the organization, by id.
    pub async fn accounts(&self) -> Result<BTreeMap<String, String>, String> {
        let (mut accounts, mut body) = (BTreeMap::new(), json!({}));
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        loop {
            let target = "AWSOrganizationsV20161128.ListAccounts";
            let page = self.ask_json(MANAGEMENT, "us-east-1", "organizations", target, &body).await?;
            let listed = page["Accounts"].as_array().into_iter().flatten();
            accounts.extend(listed.map(|account| (text(&account["Id"]), text(&account["Name"]))));
            match page["NextToken"].as_str() {
                Some(token) => body = json!({"NextToken": token}),
                None => return Ok(accounts),
            }
        }
    }

    /// What there is in all accounts, by names.
    pub async fn world(&self) -> Result<Map<String, Value>, String> {
        let (accounts, mut world) = (self.accounts().await?, Map::new());
        for host in &self.motos {
            let here: BTreeMap<_, _> = accounts.iter().filter(|(id, _)| self.host(id) == host).collect();
            // All names go to the process that has the organization: assignments name accounts of every process.
            let all = serde_json::to_string(&accounts).map_err(|e| e.to_string())?;
            let own = serde_json::to_string(&here.keys().collect::<Vec<_>>()).map_err(|e| e.to_string())?;
            let fields = [("names", all.as_str()), ("own", own.as_str())];
            let said = self.question_at(host, "/_koza/world", &fields).await?;
            world.extend(said.as_object().cloned().unwrap_or_default());
        }
        Ok(world)
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
