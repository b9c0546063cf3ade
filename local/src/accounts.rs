//! Who calls: fixed keys of the management and operations accounts, and sessions that the gateway itself gave.

use crate::answer::{Refusal, element, xml, xml_answer};
use crate::caller::Caller;
use crate::operation::{Operation, Protocol, field};
use crate::upstream::{Question, Upstream};
use crate::{MANAGEMENT, MANAGEMENT_KEY, OPERATIONS, OPERATIONS_KEY};
use axum::body::Body;
use axum::http::Response;
use iam_rs::{Decision, IAMPolicy};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a function of the operations account is to a trust policy: the emulator gives all functions one key.
const FUNCTION: &str = "role/koza/functions";

/// Sessions by access key.
#[derive(Debug, Default)]
pub struct Accounts {
    sessions: Mutex<HashMap<String, Caller>>,
    count: AtomicU64,
    roles: Mutex<HashMap<(String, String), Option<Role>>>,
}

impl Accounts {
    /// Whose key this is; `None`: nobody's.
    pub fn caller(&self, key: &str) -> Option<Caller> {
        let fixed = |account: &str, name: &str| {
            let arn = format!("arn:aws:iam::{account}:{name}");
            Some(Caller { account: account.to_owned(), session: arn.clone(), arn })
        };
        match key {
            MANAGEMENT_KEY => fixed(MANAGEMENT, "user/administrator"),
            OPERATIONS_KEY | OPERATIONS => fixed(OPERATIONS, FUNCTION),
            key => self.lock().get(key).cloned(),
        }
    }

    /// A new session of a role: access key, secret, token.
    pub fn give(&self, role_arn: &str, session: &str) -> Option<(String, Caller)> {
        let mut parts = role_arn.splitn(6, ':');
        let account = parts.nth(4)?.to_owned();
        let name = role_arn.rsplit('/').next()?;
        let caller = Caller {
            session: format!("arn:aws:sts::{account}:assumed-role/{name}/{session}"),
            account,
            arn: role_arn.to_owned(),
        };
        let key = format!("ASIA{:016X}", self.count.fetch_add(1, Ordering::Relaxed) + 0x4B4F_5A41_0000);
        self.lock().insert(key.clone(), caller.clone());
        Some((key, caller))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Caller>> {
        self.sessions.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// A role by its name, read once until something in its account could have changed it.
    pub async fn role(&self, upstream: &Upstream, account: &str, name: &str) -> Option<Role> {
        let key = (account.to_owned(), name.to_owned());
        let known = self.roles.lock().unwrap_or_else(|e| e.into_inner()).get(&key).cloned();
        if let Some(role) = known {
            return role;
        }
        let read = role(upstream, account, name).await;
        self.roles.lock().unwrap_or_else(|e| e.into_inner()).insert(key, read.clone());
        read
    }

    /// Forgets an account's roles: called after every call that may write one.
    pub fn forget(&self, account: &str) {
        self.roles.lock().unwrap_or_else(|e| e.into_inner()).retain(|(of, _), _| of != account);
    }

    /// The gateway's own STS: it must know every session, and moto would take a key that it does not know for the
    /// management account's.
    pub async fn sts(
        &self,
        upstream: &Upstream,
        caller: &Caller,
        operation: &Operation,
        body: &[u8],
    ) -> Result<Response<Body>, Refusal> {
        match operation.name.as_str() {
            "GetCallerIdentity" => Ok(xml_answer(format!(
                "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                 <Arn>{}</Arn><UserId>AIDAKOZALOCAL</UserId><Account>{}</Account></GetCallerIdentityResult>\
                 <ResponseMetadata><RequestId>koza-local</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
                xml(&caller.session),
                caller.account
            ))),
            "AssumeRole" => {
                let role = field(body, "RoleArn").unwrap_or_default();
                let session = field(body, "RoleSessionName").unwrap_or_default();
                self.may_assume(upstream, caller, &role).await?;
                let (key, given) = self
                    .give(&role, &session)
                    .ok_or_else(|| Refusal::new("ValidationError", format!("{role} is invalid")))?;
                let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
                Ok(xml_answer(format!(
                    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                     <AssumedRoleUser><AssumedRoleId>AROAKOZALOCAL:{session}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
                     <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>local</SecretAccessKey>\
                     <SessionToken>local-{key}</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
                     </AssumeRoleResult><ResponseMetadata><RequestId>koza-local</RequestId></ResponseMetadata></AssumeRoleResponse>",
                    xml(&given.session)
                )))
            }
            other => Err(Refusal::new("InvalidAction", format!("sts:{other} is not in the local AWS"))),
        }
    }

    /// Whether the role exists and trusts the caller.
    async fn may_assume(&self, upstream: &Upstream, caller: &Caller, role_arn: &str) -> Result<(), Refusal> {
        let denied = || {
            Refusal::denied(
                Protocol::Query,
                format!(
                    "User: {} is not authorized to perform: sts:AssumeRole on resource: {role_arn}",
                    caller.session
                ),
            )
        };
        let account = role_arn.split(':').nth(4).unwrap_or_default();
        let role = self
            .role(upstream, account, role_arn.rsplit('/').next().unwrap_or_default())
            .await
            .filter(|role| role.arn == role_arn)
            .ok_or_else(denied)?;
        match trusts(&role.trust, caller) {
            true => Ok(()),
            false => Err(denied()),
        }
    }
}

/// A role as moto has it.
#[derive(Clone, Debug)]
pub struct Role {
    /// ARN with path.
    pub arn: String,
    /// Trust policy.
    pub trust: Value,
}

/// Reads a role by its name.
pub async fn role(upstream: &Upstream, account: &str, name: &str) -> Option<Role> {
    let form = [("Action", "GetRole"), ("Version", "2010-05-08"), ("RoleName", name)];
    let (status, text) = upstream.ask(account, "us-east-1", "iam", Question::Form(&form)).await;
    if status != 200 {
        return None;
    }
    let document = element(&text, "AssumeRolePolicyDocument")?;
    let document = percent_encoding::percent_decode_str(document).decode_utf8_lossy().into_owned();
    let document = document.replace("&quot;", "\"").replace("&amp;", "&");
    Some(Role { arn: element(&text, "Arn")?.to_owned(), trust: serde_json::from_str(&document).ok()? })
}

/// Whether a trust policy lets the caller in: its account's root or its own ARN as principal, and its conditions.
pub fn trusts(trust: &Value, caller: &Caller) -> bool {
    let root = format!("arn:aws:iam::{}:root", caller.account);
    let statements = trust["Statement"].as_array().cloned().unwrap_or_else(|| vec![trust["Statement"].clone()]);
    statements.into_iter().any(|mut statement| {
        let principals = match &statement["Principal"]["AWS"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(many) => many.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect(),
            _ => Vec::new(),
        };
        let named = principals.iter().any(|p| p == "*" || p == &root || p == &caller.account || p == &caller.arn);
        // What is left is a question of action and condition, which the library answers.
        if let Some(statement) = statement.as_object_mut() {
            statement.remove("Principal");
            statement.insert("Resource".to_owned(), json!("*"));
        }
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        named
            && matches!(
                serde_json::from_value::<IAMPolicy>(policy).map(|p| crate::guardrails::evaluate(
                    &p,
                    caller,
                    "sts:AssumeRole",
                    "*",
                    &[]
                )),
                Ok(Decision::Allow)
            )
    })
}
