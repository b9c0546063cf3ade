//! One endpoint before two emulators: says who calls what, refuses as AWS would, sends on, and writes everything down.

use crate::access::caller::Caller;
use crate::access::guardrails::Guardrails;
use crate::access::policies::Question;
use crate::access::resources::{Asked, is_member, questions};
use crate::access::roles::Roles;
use crate::access::sessions::{Sessions, objection};
use crate::answer::{Refusal, json_answer};
use crate::faults::{Fault, Faults, Trouble};
use crate::lacking::costs::Costs;
use crate::lacking::identity_center::IdentityCenter;
use crate::lacking::notebooks::Notebooks;
use crate::ledger::{Call, Ledger};
use crate::operation::{self, Operation, Protocol, header};
use crate::slow::asynchrony::{Asynchrony, Later};
use crate::slow::durations::{Durations, Job};
use crate::slow::lists::{Lists, lags};
use crate::strict::duplicates::Emails;
use crate::strict::quotas::Quotas;
use crate::strict::rules::{Place, Rules};
use crate::upstream::{self, Upstream};
use crate::{MANAGEMENT, OPERATIONS};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Response};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The gateway's state.
#[derive(Debug)]
pub struct Gateway {
    upstream: Upstream,
    sessions: Sessions,
    roles: Roles,
    guardrails: Guardrails,
    identity_center: IdentityCenter,
    notebooks: Notebooks,
    costs: Costs,
    rules: Rules,
    emails: Emails,
    quotas: Quotas,
    asynchrony: Asynchrony,
    lists: Lists,
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
    pub fn new(upstream: Upstream, speed: f64, seed: u64) -> anyhow::Result<Self> {
        Ok(Self {
            upstream,
            sessions: Sessions::default(),
            roles: Roles::default(),
            guardrails: Guardrails::default(),
            identity_center: IdentityCenter::default(),
            notebooks: Notebooks::default(),
            costs: Costs::default(),
            rules: Rules::default(),
            emails: Emails::default(),
            quotas: Quotas::read(speed)?,
            asynchrony: Asynchrony::new(Durations::read(speed, seed)?),
            lists: Lists::default(),
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
        self: &Arc<Self>,
        parts: &Parts,
        body: Bytes,
        signed: &Signed,
        fault: Option<&Fault>,
    ) -> Result<Response<Body>, Refusal> {
        let Some(fault) = fault else { return self.call(parts, body, signed, false).await };
        match fault.trouble {
            Trouble::Throttle => return Err(Refusal::throttled(signed.operation.protocol)),
            Trouble::Error => return Err(Refusal::internal(signed.operation.protocol)),
            Trouble::Reset => return Ok(broken("Reset")),
            Trouble::Slow => tokio::time::sleep(Duration::from_millis(fault.milliseconds)).await,
            Trouble::LostAnswer | Trouble::Cut | Trouble::Blind | Trouble::Lenient => {}
        }
        let answer = self.call(parts, body, signed, fault.trouble == Trouble::Lenient).await;
        if fault.trouble == Trouble::Blind
            && let Ok(answer) = answer
        {
            return blind(answer).await;
        }
        if fault.trouble == Trouble::LostAnswer {
            // The emulator has done it when its whole answer is read.
            if let Ok(answer) = answer {
                let _ = answer.into_body().collect().await;
            }
            return Ok(broken("LostAnswer"));
        }
        answer
    }

    /// A call on its way: every step may answer it. `again`: what AWS refuses the second time is done again.
    async fn call(
        self: &Arc<Self>,
        parts: &Parts,
        body: Bytes,
        signed: &Signed,
        again: bool,
    ) -> Result<Response<Body>, Refusal> {
        let Signed { caller, region, operation } = signed;
        if let Some(refusal) = self.quotas.objection(Place { account: &caller.account, region }, operation) {
            return Err(refusal);
        }
        if operation.service == "sts" {
            return self.sts(caller, operation, &body).await;
        }
        let account = self.account(caller, operation)?;
        let place = Place { account, region };
        self.admit(parts, &body, signed).await?;
        if let Some(refusal) = self.asynchrony.objection(&self.quotas, place, operation, &body) {
            return Err(refusal);
        }
        if let Some(answer) = self.own_answer(operation, &body) {
            return answer;
        }
        let on_moto = account != OPERATIONS;
        if on_moto {
            self.as_strict_as_aws(place, operation, &body).await?;
            if let Some(answer) = self.notebooks.lacking(place, operation) {
                return Ok(answer);
            }
            let asked = || serde_json::from_slice::<Value>(&body).unwrap_or_default();
            if operation.name.starts_with("Create")
                && !again
                && let Some(answer) =
                    crate::strict::duplicates::answer(&self.upstream, &self.emails, operation, &asked()).await
            {
                return answer;
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
        let path = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        if on_moto && operation.service == "s3" && operation.name == "GetObjectRetention" {
            return crate::lacking::object_lock::retention(&self.upstream, account, path, &headers).await;
        }
        if on_moto && let Some(later) = self.asynchrony.later(place, operation, &body) {
            return Ok(self.do_later(later, account, parts.method.clone(), path.to_owned(), headers, body));
        }
        let listed = (on_moto && lags(operation)).then(|| list_place(place, operation));
        if let Some(listed) = &listed
            && let Some(as_it_was) = self.lists.as_it_was(listed.clone(), path, &body)
        {
            return Ok(Response::new(Body::from(as_it_was)));
        }
        let host = self.upstream.host(account);
        let answer = self.upstream.send(host, &parts.method, path, &headers, body.clone()).await?;
        if !answer.status().is_success() {
            return Ok(answer);
        }
        if !operation.is_read() {
            self.wrote(place, operation);
        }
        if !on_moto {
            return Ok(answer);
        }
        if let Some(listed) = listed {
            let (parts, answer) = answer.into_parts();
            let answer = read(answer).await?;
            self.lists.answered(listed, path, body, answer.clone());
            return Ok(Response::from_parts(parts, Body::from(answer)));
        }
        let answer = match Asynchrony::concerns(operation) {
            true => self.as_it_is_now(place, operation, &body, answer).await?,
            false => answer,
        };
        match (operation.service.as_str(), operation.name.as_str()) {
            ("sagemaker", _) => self.notebooks.after(place, operation, &body),
            ("logs", "DeleteLogGroup") => self.log_group_returns(place, &body),
            ("sso", _) => return self.after_identity_center(operation, &body, answer).await,
            _ => {}
        }
        Ok(answer)
    }

    /// Sessions are the gateway's own.
    async fn sts(&self, caller: &Caller, operation: &Operation, body: &[u8]) -> Result<Response<Body>, Refusal> {
        let role = operation::field(body, "RoleArn").unwrap_or_default();
        let account = role.split(':').nth(4).unwrap_or_default();
        let question = Question::new("sts:AssumeRole", role.as_str());
        if self.asynchrony.is_closed_yet(account) {
            return Err(Refusal::not_authorized(operation.protocol, caller, &question, ""));
        }
        if is_member(&caller.account) && operation.name == "AssumeRole" {
            self.admit_one(caller, operation.protocol, &question).await?;
        }
        let path = match account.is_empty() {
            true => None,
            false => self.guardrails.of(&self.upstream, account).await.ok().map(|e| e.path.clone()),
        };
        self.sessions.sts(&self.upstream, &self.roles, caller, operation, body, path).await
    }

    /// What AWS refuses and the emulators let pass.
    async fn as_strict_as_aws(&self, place: Place<'_>, operation: &Operation, body: &[u8]) -> Result<(), Refusal> {
        if operation.service == "iam"
            && let Some(name) = operation::field(body, "RoleName")
            && let Some(trust) = operation::field(body, "AssumeRolePolicyDocument")
                .or_else(|| operation::field(body, "PolicyDocument").filter(|_| operation.name.contains("AssumeRole")))
        {
            let written = self.roles.remember_principals(&self.upstream, place.account, &name, &trust).await;
            written.map_err(|principal| {
                Refusal::new("MalformedPolicyDocument", format!("Invalid principal in policy: \"AWS\":\"{principal}\""))
            })?;
        }
        if operation.service == "s3"
            && operation.name == "CreateBucket"
            && let Some(bucket) = operation.labels.get("Bucket")
            && self.upstream.has_bucket_elsewhere(place.account, bucket).await
        {
            let words = "The requested bucket name is not available. The bucket namespace is shared by all users of the system.";
            return Err(Refusal { status: 409, ..Refusal::new("BucketAlreadyExists", words) });
        }
        match self.rules.objection(&self.upstream, &self.roles, place, operation, body).await {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Does a call when its time has come, and answers it now.
    fn do_later(
        self: &Arc<Self>,
        later: Later,
        account: &str,
        method: Method,
        path: String,
        headers: HeaderMap,
        body: Bytes,
    ) -> Response<Body> {
        let Some(after) = later.after else { return later.answer };
        let (gateway, account) = (self.clone(), account.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let host = gateway.upstream.host(&account);
            let done = gateway.upstream.send(host, &method, &path, &headers, body).await;
            if let (Ok(answer), Some(stack)) = (done, later.stack)
                && !answer.status().is_success()
            {
                let text = read(answer.into_body()).await.unwrap_or_default();
                let text = String::from_utf8_lossy(&text);
                gateway
                    .asynchrony
                    .stack_failed(stack, crate::answer::element(&text, "Message").unwrap_or(&text).to_owned());
            }
            gateway.roles.forget(&account);
            gateway.lists.forget(&account);
        });
        later.answer
    }

    /// What has to be forgotten after a write.
    fn wrote(&self, place: Place<'_>, operation: &Operation) {
        match operation.service.as_str() {
            "organizations" => self.guardrails.change(self.asynchrony.duration(Job::Policy)),
            "iam" => self.roles.forget(place.account),
            "cloudformation" => {
                self.roles.forget(place.account);
                self.lists.forget(place.account);
            }
            _ => {}
        }
        if matches!(operation.service.as_str(), "iam" | "ec2" | "s3" | "logs") && is_member(place.account) {
            self.lists.wrote(list_place(place, operation), self.asynchrony.duration(Job::List));
        }
    }

    /// A function that still ran makes its log group again, once.
    fn log_group_returns(self: &Arc<Self>, place: Place<'_>, body: &[u8]) {
        let asked: Value = serde_json::from_slice(body).unwrap_or_default();
        let name = asked["logGroupName"].as_str().unwrap_or_default();
        let Some(after) = self.asynchrony.log_group_returns(place, name) else { return };
        let (gateway, name) = (self.clone(), name.to_owned());
        let (account, region) = (place.account.to_owned(), place.region.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(after).await;
            let body = json!({"logGroupName": name});
            let target = "Logs_20140328.CreateLogGroup";
            let _ = gateway.upstream.ask(&account, &region, "logs", upstream::Question::Json(target, &body)).await;
            gateway.lists.forget(&account);
        });
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
            "organizations" if operation.is_read() => Ok(MANAGEMENT),
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

    /// Policies: those of the caller's role, and in a member account the service control policies.
    async fn admit(&self, parts: &Parts, body: &[u8], signed: &Signed) -> Result<(), Refusal> {
        let Signed { caller, region, operation } = signed;
        if caller.role.is_none() && !is_member(&caller.account) {
            return Ok(());
        }
        let organization = match operation.service.as_str() {
            "organizations" => self.guardrails.of(&self.upstream, MANAGEMENT).await.map(|e| e.path.clone()),
            _ => Ok(String::new()),
        };
        let organization = organization.map_err(|e| Refusal::new("ServiceUnavailable", e))?;
        let organization = organization.split('/').next().unwrap_or_default();
        let asked = Asked { caller, region, operation, parts, body };
        for question in questions(asked, &self.upstream, &self.roles, organization).await {
            self.admit_one(caller, operation.protocol, &question).await?;
        }
        Ok(())
    }

    async fn admit_one(&self, caller: &Caller, protocol: Protocol, question: &Question) -> Result<(), Refusal> {
        let mut why = None;
        if is_member(&caller.account) {
            why = match self.guardrails.of(&self.upstream, &caller.account).await {
                Ok(effective) => effective.objection(caller, question),
                Err(error) => {
                    tracing::error!(account = caller.account, error, "service control policies cannot be read");
                    Some("because its service control policies could not be read")
                }
            };
        }
        if why.is_none() {
            why = objection(&self.upstream, &self.roles, caller, question).await;
        }
        let Some(why) = why else { return Ok(()) };
        Err(Refusal::not_authorized(protocol, caller, question, why))
    }

    /// What the gateway answers because the emulators cannot.
    fn own_answer(self: &Arc<Self>, operation: &Operation, body: &[u8]) -> Option<Result<Response<Body>, Refusal>> {
        let asked = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        match operation.service.as_str() {
            "ce" => Some(self.costs.answer(&operation.name, &asked())),
            "sso" if operation.name == "ProvisionPermissionSet" => Some(Ok(self.provision(asked()))),
            "sso" => self.identity_center.lacking(&self.asynchrony, &operation.name, &asked()).map(Ok),
            "account" if operation.name == "ListRegions" => Some(Ok(regions())),
            _ => None,
        }
    }

    /// An answer without what is not done yet.
    async fn as_it_is_now(
        &self,
        place: Place<'_>,
        operation: &Operation,
        asked: &[u8],
        answer: Response<Body>,
    ) -> Result<Response<Body>, Refusal> {
        let (mut parts, body) = answer.into_parts();
        let body = read(body).await?;
        let text = String::from_utf8_lossy(&body);
        if operation.name == "CreateAccount" {
            self.emails.take(&serde_json::from_slice(asked).unwrap_or_default());
            let answer: Value = serde_json::from_str(&text).unwrap_or_default();
            if let Some(account) = answer["CreateAccountStatus"]["AccountId"].as_str() {
                crate::lacking::identity_center::make_access_role(&self.upstream, account).await;
            }
        }
        let Some(seen) = self.asynchrony.seen(place, operation, asked, &text) else {
            return Ok(Response::from_parts(parts, Body::from(body)));
        };
        parts.headers.remove("content-length");
        Ok(Response::from_parts(parts, Body::from(seen)))
    }

    /// Writes a permission set into its accounts, which takes its time.
    fn provision(self: &Arc<Self>, asked: Value) -> Response<Body> {
        let accounts = self.identity_center.accounts_to_provision(&asked);
        let id = format!("{:08x}-0000-4000-8000-{:012x}", fastrand::u32(..), fastrand::u64(..) >> 16);
        let lasts = self.asynchrony.provision(&id, accounts.len());
        let status = json!({"PermissionSetProvisioningStatus": {
            "Status": "IN_PROGRESS", "RequestId": id, "PermissionSetArn": asked["PermissionSetArn"]}});
        let gateway = self.clone();
        tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            for account in accounts {
                let (instance, set) = (&asked["InstanceArn"], &asked["PermissionSetArn"]);
                if let Err(error) =
                    crate::lacking::identity_center::write_role(&gateway.upstream, &account, instance, set).await
                {
                    tracing::error!(account, error, "a permission set could not be provisioned");
                }
                gateway.roles.forget(&account);
                gateway.lists.forget(&account);
            }
        });
        json_answer(&status)
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
        let account = asked["TargetId"].as_str().unwrap_or_default();
        self.roles.forget(account);
        self.lists.forget(account);
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
            let answer = self.identity_center.portal(&self.upstream, &self.sessions, path, &query, token).await;
            return Some(answer.unwrap_or_else(|r| r.into_response(Protocol::RestJson)));
        }
        let asked = || serde_json::from_slice::<Value>(body).unwrap_or_default();
        Some(match path {
            "/_koza/health" => json_answer(&json!({"ok": true})),
            "/_koza/ready" => match self.upstream.is_ready().await {
                true => json_answer(&json!({"ok": true})),
                false => {
                    Refusal { status: 503, ..Refusal::new("ServiceUnavailable", "an emulator does not answer yet") }
                        .into_response(Protocol::Json)
                }
            },
            "/_koza/calls" => {
                let since = query.get("since").and_then(|s| s.parse().ok()).unwrap_or(0);
                Response::new(Body::from(self.ledger.since(since)))
            }
            "/_koza/world" => match self.upstream.world().await {
                Ok(world) => json_answer(&Value::Object(world)),
                Err(error) => Refusal::new("ServiceUnavailable", error).into_response(Protocol::Json),
            },
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
            "/_koza/identity-center" => match crate::lacking::identity_center::instance(&self.upstream).await {
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
        let caller = self.sessions.caller(key).ok_or_else(|| Refusal {
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
    let fault = gateway.faults.strike(&signed.caller, &signed.operation);
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

/// A JSON answer whose lists are empty.
async fn blind(answer: Response<Body>) -> Result<Response<Body>, Refusal> {
    let (mut parts, body) = answer.into_parts();
    let body = read(body).await?;
    let Ok(Value::Object(mut answer)) = serde_json::from_slice(&body) else {
        return Ok(Response::from_parts(parts, Body::from(body)));
    };
    answer.remove("NextToken");
    answer.values_mut().filter(|value| value.is_array()).for_each(|value| *value = json!([]));
    parts.headers.remove("content-length");
    Ok(Response::from_parts(parts, Body::from(Value::Object(answer).to_string())))
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let collected = body.collect().await;
    collected.map(|c| c.to_bytes()).map_err(|e| Refusal::new("RequestTimeout", e.to_string()))
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

/// Where a list is shared: IAM and S3 have no Region.
fn list_place(place: Place<'_>, operation: &Operation) -> (String, String, String) {
    let region = if matches!(operation.service.as_str(), "iam" | "s3") { "" } else { place.region };
    (place.account.to_owned(), region.to_owned(), operation.service.clone())
}

/// The Regions that are enabled by default (AWS Account Management, "Regions enabled by default").
fn regions() -> Response<Body> {
    let list: Vec<Value> = shared::regions::BY_DEFAULT
        .iter()
        .map(|name| json!({"RegionName": name, "RegionOptStatus": "ENABLED_BY_DEFAULT"}))
        .collect();
    json_answer(&json!({"Regions": list}))
}
