//! One endpoint before two emulators: says who calls what, refuses as AWS would, sends on, and writes everything down.

use crate::accounts::Accounts;
use crate::answer::{Refusal, json_answer};
use crate::asynchrony::Asynchrony;
use crate::caller::Caller;
use crate::costs::Costs;
use crate::faults::{Fault, Faults, Trouble};
use crate::guardrails::Guardrails;
use crate::identity_center::IdentityCenter;
use crate::ledger::{Call, Ledger};
use crate::notebooks::Notebooks;
use crate::operation::{self, Operation, Protocol, header};
use crate::quotas::Quotas;
use crate::rules::{Place, Rules};
use crate::upstream::Upstream;
use crate::{MANAGEMENT, OPERATIONS};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Services whose calls have no Region of their own.
const GLOBAL: [&str; 6] = ["iam", "cloudfront", "organizations", "route53", "sts", "ce"];

/// The gateway's state.
#[derive(Debug)]
pub struct Gateway {
    upstream: Upstream,
    accounts: Accounts,
    guardrails: Guardrails,
    identity_center: IdentityCenter,
    notebooks: Notebooks,
    costs: Costs,
    rules: Rules,
    quotas: Quotas,
    asynchrony: Asynchrony,
    faults: Faults,
    ledger: Ledger,
}

/// A signed request: who, where, what.
struct Signed {
    caller: Caller,
    region: String,
    operation: Operation,
}

impl Gateway {
    /// A gateway before these emulators.
    pub fn new(upstream: Upstream, speed: f64) -> anyhow::Result<Self> {
        Ok(Self {
            upstream,
            accounts: Accounts::default(),
            guardrails: Guardrails::default(),
            identity_center: IdentityCenter::default(),
            notebooks: Notebooks::default(),
            costs: Costs::default(),
            rules: Rules::default(),
            quotas: Quotas::read(speed)?,
            asynchrony: Asynchrony::new(speed),
            faults: Faults::default(),
            ledger: Ledger::default(),
        })
    }

    /// The HTTP service.
    pub fn router(self) -> Router {
        Router::new().fallback(handle).with_state(Arc::new(self))
    }

    /// The call's answer, with the trouble that was ordered for it.
    async fn answer(
        &self,
        parts: &Parts,
        body: Bytes,
        signed: &Signed,
        fault: Option<&Fault>,
    ) -> Result<Response<Body>, Refusal> {
        let Some(fault) = fault else { return self.call(parts, body, signed).await };
        match fault.trouble {
            Trouble::Throttle => return Err(Refusal::throttled(signed.operation.protocol)),
            Trouble::Error => return Err(Refusal::internal(signed.operation.protocol)),
            Trouble::Reset => return Ok(broken("Reset")),
            Trouble::Slow => tokio::time::sleep(Duration::from_millis(fault.milliseconds)).await,
            Trouble::LostAnswer => {}
        }
        let answer = self.call(parts, body, signed).await;
        if fault.trouble == Trouble::LostAnswer {
            // The emulator has done it when its whole answer is read.
            if let Ok(answer) = answer {
                let _ = answer.into_body().collect().await;
            }
            return Ok(broken("LostAnswer"));
        }
        answer
    }

    /// A call on its way: every step may answer it.
    async fn call(&self, parts: &Parts, body: Bytes, signed: &Signed) -> Result<Response<Body>, Refusal> {
        let Signed { caller, region, operation } = signed;
        if let Some(refusal) = self.quotas.objection(Place { account: &caller.account, region }, operation) {
            return Err(refusal);
        }
        if operation.service == "sts" {
            let role = operation::field(&body, "RoleArn").unwrap_or_default();
            if self.asynchrony.is_unborn(role.split(':').nth(4).unwrap_or_default()) {
                return Err(Refusal::denied(
                    operation.protocol,
                    format!("{role} is in an account that is still being made"),
                ));
            }
            return self.accounts.sts(&self.upstream, caller, operation, &body).await;
        }
        let account = self.account(caller, operation)?;
        let is_member = caller.account != MANAGEMENT && caller.account != OPERATIONS;
        if is_member {
            self.admit(parts, &body, signed).await?;
        }
        if let Some(refusal) = self.asynchrony.objection(operation) {
            return Err(refusal);
        }
        if let Some(answer) = self.own_answer(operation, &body) {
            return answer;
        }
        let on_moto = account != OPERATIONS;
        let place = Place { account, region };
        if on_moto {
            if let Some(answer) = self.notebooks.lacking(place, operation) {
                return Ok(answer);
            }
            let asked = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
            if operation.name.starts_with("Create")
                && let Some(answer) = crate::duplicates::answer(&self.upstream, operation, &asked()).await
            {
                return answer;
            }
            if let Some(refusal) = self.rules.objection(&self.upstream, place, operation, &body).await {
                return Err(refusal);
            }
        }
        let mut headers = parts.headers.clone();
        if on_moto && let Ok(id) = HeaderValue::from_str(account) {
            headers.insert("x-moto-account-id", id);
            // moto finds the service by the host's name.
            if let Ok(host) = HeaderValue::from_str(&host(operation, region)) {
                headers.insert("host", host);
            }
        }
        let upstream = if on_moto { &self.upstream.moto } else { &self.upstream.ministack };
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        if on_moto && operation.service == "s3" && operation.name == "GetObjectRetention" {
            return crate::object_lock::retention(&self.upstream, path, &headers).await;
        }
        let answer = self.upstream.send(upstream, &parts.method, path, &headers, body.clone()).await?;
        let answer = match on_moto && answer.status().is_success() && Asynchrony::concerns(operation) {
            true => self.as_it_is_now(operation, answer).await?,
            false => answer,
        };
        if operation.service == "organizations" && !reads(&operation.name) {
            self.guardrails.forget();
        }
        if matches!(operation.service.as_str(), "iam" | "cloudformation") && !reads(&operation.name) {
            self.accounts.forget(account);
        }
        if operation.service == "sagemaker" && answer.status() == StatusCode::OK {
            self.notebooks.after(place, operation, &body);
        }
        if operation.service == "sso" && answer.status() == StatusCode::OK {
            return self.after_identity_center(operation, &body, answer).await;
        }
        Ok(answer)
    }

    /// The account that the call works in.
    fn account<'a>(&self, caller: &'a Caller, operation: &Operation) -> Result<&'a str, Refusal> {
        if caller.account != OPERATIONS {
            return Ok(&caller.account);
        }
        match operation.service.as_str() {
            // The operations account is Identity Center's delegated administrator.
            "sso" | "identitystore" => Ok(MANAGEMENT),
            // A delegated administrator may read the organization, and nothing else of it.
            "organizations" if reads(&operation.name) => Ok(MANAGEMENT),
            "organizations" | "ce" => Err(Refusal::denied(
                operation.protocol,
                format!(
                    "You don't have permissions to access this resource: {} is called with a role of the management account",
                    operation.name
                ),
            )),
            _ => Ok(&caller.account),
        }
    }

    /// Service control policies.
    async fn admit(&self, parts: &Parts, body: &[u8], signed: &Signed) -> Result<(), Refusal> {
        let Signed { caller, region, operation } = signed;
        let service = operation.service.as_str();
        let requested = if GLOBAL.contains(&service) { "us-east-1" } else { region.as_str() };
        let mut context = vec![("aws:RequestedRegion", requested), ("aws:ResourceAccount", caller.account.as_str())];
        let text = String::from_utf8_lossy(body);
        let lock_mode = header(parts, "x-amz-object-lock-mode")
            .or_else(|| crate::answer::element(&text, "Mode").filter(|_| operation.name == "PutObjectRetention"));
        if let Some(mode) = lock_mode {
            context.push(("s3:object-lock-mode", mode));
        }
        let resource = self.resource(signed, body).await;
        let mut asked: Vec<(String, String)> = operation::iam_actions(operation, parts.method.as_str())
            .into_iter()
            .map(|action| (action, resource.clone()))
            .collect();
        if let Some(role) = passed_role(operation, body) {
            asked.push(("iam:PassRole".to_owned(), role));
        }
        for (action, resource) in asked {
            let objection = self.guardrails.objection(&self.upstream, caller, &action, &resource, &context).await;
            if let Some(why) = objection {
                return Err(Refusal::denied(
                    operation.protocol,
                    format!(
                        "User: {} is not authorized to perform: {action} on resource: {resource} {why}",
                        caller.session
                    ),
                ));
            }
        }
        Ok(())
    }

    /// The ARN that a policy sees. Exact for IAM's things and S3's, which policies of ours name.
    async fn resource(&self, signed: &Signed, body: &[u8]) -> String {
        let Signed { caller, region, operation } = signed;
        let account = &caller.account;
        match operation.service.as_str() {
            "iam" => {
                if let Some(arn) = operation::field(body, "PolicyArn")
                    .filter(|_| operation.name.contains("Policy") && !operation.name.contains("RolePolicy"))
                {
                    return arn;
                }
                match operation::field(body, "RoleName") {
                    Some(name) => match self.accounts.role(&self.upstream, account, &name).await {
                        Some(role) => role.arn,
                        None => {
                            let path = operation::field(body, "Path").unwrap_or_else(|| "/".to_owned());
                            format!("arn:aws:iam::{account}:role{path}{name}")
                        }
                    },
                    None => {
                        let path = operation::field(body, "Path").unwrap_or_else(|| "/".to_owned());
                        match operation::field(body, "PolicyName") {
                            Some(name) => format!("arn:aws:iam::{account}:policy{path}{name}"),
                            None => format!("arn:aws:iam::{account}:any"),
                        }
                    }
                }
            }
            "s3" => {
                let part = |name: &str| operation.labels.get(name).cloned().unwrap_or_default();
                match (part("Bucket"), part("Key+")) {
                    // ListBuckets names no bucket, and an ARN without one is none.
                    (bucket, _) if bucket.is_empty() => format!("arn:aws:s3:{region}:{account}:any"),
                    (bucket, key) if key.is_empty() => format!("arn:aws:s3:::{bucket}"),
                    (bucket, key) => format!("arn:aws:s3:::{bucket}/{key}"),
                }
            }
            service => format!("arn:aws:{service}:{region}:{account}:any"),
        }
    }

    /// What the gateway answers because the emulators cannot.
    fn own_answer(&self, operation: &Operation, body: &[u8]) -> Option<Result<Response<Body>, Refusal>> {
        let asked = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        match operation.service.as_str() {
            "ce" => Some(self.costs.answer(&operation.name, &asked())),
            "sso" => self.identity_center.lacking(&self.asynchrony, &operation.name, &asked()).map(Ok),
            "account" if operation.name == "ListRegions" => Some(Ok(regions())),
            _ => None,
        }
    }

    /// An answer without what is not done yet.
    async fn as_it_is_now(&self, operation: &Operation, answer: Response<Body>) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = answer.into_parts();
        let body = read(body).await?;
        let text = String::from_utf8_lossy(&body);
        let Some(seen) = self.asynchrony.seen(operation, &text) else {
            return Ok(Response::from_parts(parts, Body::from(body)));
        };
        parts.headers.remove("content-length");
        Ok(Response::from_parts(parts, Body::from(seen)))
    }

    async fn after_identity_center(
        &self,
        operation: &Operation,
        body: &[u8],
        answer: Response<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let (parts, answer) = answer.into_parts();
        let answer = read(answer).await?;
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let answered: Value = serde_json::from_slice(&answer).unwrap_or_default();
        self.identity_center
            .after(&self.upstream, &operation.name, &asked, &answered)
            .await
            .map_err(|e| Refusal::new("ConflictException", e))?;
        self.accounts.forget(asked["TargetId"].as_str().unwrap_or_default());
        Ok(Response::from_parts(parts, Body::from(answer)))
    }

    /// The gateway's own endpoints, for stories and people.
    async fn own(&self, parts: &Parts, body: &[u8]) -> Option<Response<Body>> {
        let path = parts.uri.path();
        let query: HashMap<String, String> =
            form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()).into_owned().collect();
        let portal = ["/assignment/accounts", "/assignment/roles", "/federation/credentials"];
        if portal.contains(&path) {
            let token = header(parts, "x-amz-sso_bearer_token").unwrap_or_default();
            let answer = self.identity_center.portal(&self.upstream, &self.accounts, path, &query, token).await;
            return Some(answer.unwrap_or_else(|r| r.into_response(Protocol::RestJson)));
        }
        let asked = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        Some(match path {
            "/_koza/health" => json_answer(&json!({"ok": true})),
            "/_koza/calls" => {
                let since = query.get("since").and_then(|s| s.parse().ok()).unwrap_or(0);
                Response::new(Body::from(self.ledger.since(since)))
            }
            "/_koza/costs" => {
                self.costs.set(asked().as_object().cloned().unwrap_or_default());
                json_answer(&json!({}))
            }
            "/_koza/faults" => match serde_json::from_slice::<Vec<Fault>>(body) {
                Ok(faults) => {
                    self.faults.set(faults);
                    json_answer(&json!({}))
                }
                Err(error) => Refusal::new("ValidationException", error.to_string()).into_response(Protocol::Json),
            },
            "/_koza/identity-center" => match crate::identity_center::instance(&self.upstream).await {
                Ok((arn, store)) => json_answer(&json!({"instance": arn, "store": store})),
                Err(error) => Refusal::new("ServiceUnavailable", error).into_response(Protocol::Json),
            },
            "/_koza/sign-in" => {
                let user = asked()["userName"].as_str().unwrap_or_default().to_owned();
                match self.identity_center.sign_in(&self.upstream, &user).await {
                    Some(token) => json_answer(&json!({"accessToken": token})),
                    None => Refusal::new("ResourceNotFoundException", format!("there is no user {user}"))
                        .into_response(Protocol::RestJson),
                }
            }
            _ => return None,
        })
    }

    /// Reads the signature's scope and names the operation.
    fn signed(&self, parts: &Parts, body: &[u8]) -> Result<Signed, Refusal> {
        let query = parts.uri.query().unwrap_or("");
        let credential = header(parts, "authorization")
            .and_then(|a| a.split("Credential=").nth(1))
            .and_then(|c| c.split(',').next())
            .map(str::to_owned)
            .or_else(|| operation::field(query.as_bytes(), "X-Amz-Credential"))
            .ok_or_else(|| Refusal {
                status: 403,
                ..Refusal::new("MissingAuthenticationToken", "Missing Authentication Token")
            })?;
        let scope: Vec<&str> = credential.trim().split('/').collect();
        let [key, _, region, service, ..] = scope[..] else {
            return Err(Refusal::new("IncompleteSignature", credential));
        };
        let operation = operation::name(service, parts, body).unwrap_or_else(|| Operation {
            service: service.to_owned(),
            name: format!("{} {}", parts.method, parts.uri.path()),
            protocol: Protocol::RestJson,
            labels: HashMap::new(),
        });
        let caller = self.accounts.caller(key).ok_or_else(|| Refusal {
            status: 403,
            ..Refusal::new(
                "InvalidClientTokenId",
                format!("The security token included in the request is invalid: {key}"),
            )
        })?;
        Ok(Signed { caller, region: region.to_owned(), operation })
    }
}

async fn handle(State(gateway): State<Arc<Gateway>>, request: Request) -> Response<Body> {
    let began = Instant::now();
    let (parts, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(refusal) => return refusal.into_response(Protocol::RestJson),
    };
    if let Some(answer) = gateway.own(&parts, &body).await {
        return answer;
    }
    let signed = match gateway.signed(&parts, &body) {
        Ok(signed) => signed,
        Err(refusal) => return refusal.into_response(Protocol::Query),
    };
    let protocol = signed.operation.protocol;
    let fault = gateway.faults.strike(&signed.caller.account, &signed.operation);
    let (answer, error) = match gateway.answer(&parts, body, &signed, fault.as_ref()).await {
        Err(refusal) => {
            let code = refusal.code.clone();
            (refusal.into_response(protocol), Some(code))
        }
        Ok(answer) => with_code(answer).await,
    };
    let Signed { caller, region, operation } = signed;
    gateway.ledger.write(Call {
        at: jiff::Timestamp::now().to_string(),
        account: caller.account,
        principal: caller.arn,
        region,
        service: operation.service,
        operation: operation.name,
        status: answer.status().as_u16(),
        error,
        milliseconds: began.elapsed().as_secs_f64() * 1_000.0,
    });
    answer
}

/// An answer that breaks off: the client sees the connection end.
fn broken(why: &'static str) -> Response<Body> {
    let nothing = futures::stream::once(async { Err::<Bytes, _>(std::io::Error::other("broken on demand")) });
    let mut response = Response::new(Body::from_stream(nothing));
    response.headers_mut().insert("content-length", HeaderValue::from_static("1000"));
    response.headers_mut().insert("x-koza-trouble", HeaderValue::from_static(why));
    response
}

fn own_header(answer: &Response<Body>, name: &str) -> Option<String> {
    answer.headers().get(name).and_then(|v| v.to_str().ok()).map(str::to_owned)
}

/// An answer and AWS's error code in it, which each protocol has elsewhere.
async fn with_code(answer: Response<Body>) -> (Response<Body>, Option<String>) {
    if let Some(trouble) = own_header(&answer, "x-koza-trouble") {
        return (answer, Some(trouble));
    }
    if !answer.status().is_client_error() && !answer.status().is_server_error() {
        return (answer, None);
    }
    let code = own_header(&answer, "x-amzn-errortype");
    let (parts, body) = answer.into_parts();
    let body = read(body).await.unwrap_or_default();
    let text = String::from_utf8_lossy(&body);
    let json = serde_json::from_str::<Value>(&text).ok();
    let code = code
        .or_else(|| json.and_then(|j| Some(j["__type"].as_str().or(j["code"].as_str())?.to_owned())))
        .or_else(|| crate::answer::element(&text, "Code").map(str::to_owned))
        .unwrap_or_else(|| parts.status.to_string());
    let plain = code.rsplit('#').next().unwrap_or(&code).split(':').next().unwrap_or(&code).to_owned();
    (Response::from_parts(parts, Body::from(body)), Some(plain))
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let collected = body.collect().await;
    collected.map(|c| c.to_bytes()).map_err(|e| Refusal::new("RequestTimeout", e.to_string()))
}

fn reads(operation: &str) -> bool {
    ["List", "Describe", "Get"].iter().any(|verb| operation.starts_with(verb))
}

/// The host name by which moto knows the service.
fn host(operation: &Operation, region: &str) -> String {
    match operation.service.as_str() {
        "s3" => "s3.amazonaws.com".to_owned(),
        "cloudfront" => "cloudfront.amazonaws.com".to_owned(),
        "iam" => "iam.amazonaws.com".to_owned(),
        "organizations" => "organizations.us-east-1.amazonaws.com".to_owned(),
        "sagemaker" => format!("api.sagemaker.{region}.amazonaws.com"),
        service => format!("{service}.{region}.amazonaws.com"),
    }
}

/// The role that a request hands to a service.
fn passed_role(operation: &Operation, body: &[u8]) -> Option<String> {
    match (operation.service.as_str(), operation.name.as_str()) {
        ("cloudformation", "CreateStack" | "UpdateStack" | "DeleteStack") => operation::field(body, "RoleARN"),
        ("lambda", "CreateFunction") | ("sagemaker", "CreateNotebookInstance") => {
            let asked: Value = serde_json::from_slice(body).ok()?;
            let role = asked["Role"].as_str().or(asked["RoleArn"].as_str())?;
            Some(role.to_owned())
        }
        _ => None,
    }
}

/// The Regions that are enabled by default (AWS Account Management, "Regions enabled by default").
fn regions() -> Response<Body> {
    let list: Vec<Value> = shared::regions::BY_DEFAULT
        .iter()
        .map(|name| json!({"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"}))
        .collect();
    json_answer(&json!({"Regions": list}))
}
