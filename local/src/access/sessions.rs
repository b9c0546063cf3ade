//! Who calls: fixed keys of the management and operations accounts, functions, and sessions that the gateway itself gave.

use crate::access::caller::{Caller, Session};
use crate::access::policies::Question;
use crate::access::roles::Roles;
use crate::answer::{Refusal, xml, xml_answer};
use crate::operation::{Operation, Protocol, field};
use crate::upstream::Upstream;
use crate::{MANAGEMENT, MANAGEMENT_KEY, OPERATIONS, OPERATIONS_KEY};
use axum::body::Body;
use axum::http::Response;
use iam_rs::ContextValue;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Begins the key of a function; its role follows, with `+` for `/` (`ministack_launcher.py`).
const FUNCTION: &str = "FUNCTION.";

/// The key of a function with this role.
pub fn function_key(role_arn: &str) -> String {
    let role = role_arn.rsplit(':').next().unwrap_or_default();
    format!("{FUNCTION}{}", role.replace('/', "+"))
}

/// Sessions by access key.
#[derive(Debug, Default)]
pub struct Sessions {
    sessions: Mutex<HashMap<String, Caller>>,
    count: AtomicU64,
}

impl Sessions {
    /// Whose key this is; `None`: nobody's.
    pub fn caller(&self, key: &str) -> Option<Caller> {
        if let Some(role) = key.strip_prefix(FUNCTION) {
            let arn = format!("arn:aws:iam::{OPERATIONS}:{}", role.replace('+', "/"));
            return Caller::role(&arn, "function", Session { role_id: None, policy: None });
        }
        match key {
            MANAGEMENT_KEY => Some(Caller::administrator(MANAGEMENT)),
            OPERATIONS_KEY => Some(Caller::administrator(OPERATIONS)),
            key => self.lock().get(key).cloned(),
        }
    }

    /// A new session of a role, and its access key.
    pub fn give(&self, role_arn: &str, name: &str, session: Session) -> Option<(String, Caller)> {
        let caller = Caller::role(role_arn, name, session)?;
        let key = format!("ASIA{:016X}", self.count.fetch_add(1, Ordering::Relaxed) + 0x4B4F_5A41_0000);
        self.lock().insert(key.clone(), caller.clone());
        Some((key, caller))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Caller>> {
        self.sessions.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// The gateway's own STS: it must know every session, and moto would take a key that it does not know for the
    /// management account's. `path` is where in the organization the role's account is.
    pub async fn sts(
        &self,
        upstream: &Upstream,
        roles: &Roles,
        caller: &Caller,
        operation: &Operation,
        body: &[u8],
        path: Option<String>,
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
                let arn = field(body, "RoleArn").unwrap_or_default();
                let name = field(body, "RoleSessionName").unwrap_or_default();
                let mut question = Question::new("sts:AssumeRole", arn.as_str());
                if let Some(path) = path {
                    question.facts.push(("aws:ResourceOrgPaths", ContextValue::StringList(vec![path])));
                }
                let denied = |why: &str| Refusal::not_authorized(Protocol::Query, caller, &question, why);
                let role = roles.trusting(upstream, &arn, caller).await.ok_or_else(|| denied(""))?;
                if let Some(why) = objection(upstream, roles, caller, &question).await {
                    return Err(denied(why));
                }
                let policy = match field(body, "Policy") {
                    Some(text) => Some(serde_json::from_str(&text).map(Arc::new).map_err(|e| {
                        Refusal::new("MalformedPolicyDocument", format!("the session policy is not as expected: {e}"))
                    })?),
                    None => None,
                };
                let session = Session { role_id: Some(role.id.clone()), policy };
                let (key, given) = self
                    .give(&arn, &name, session)
                    .ok_or_else(|| Refusal::new("ValidationError", format!("{arn} is invalid")))?;
                let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
                Ok(xml_answer(format!(
                    "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>\
                     <AssumedRoleUser><AssumedRoleId>{}:{name}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser>\
                     <Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>local</SecretAccessKey>\
                     <SessionToken>local-{key}</SessionToken><Expiration>{expires:.0}</Expiration></Credentials>\
                     </AssumeRoleResult><ResponseMetadata><RequestId>koza-local</RequestId></ResponseMetadata></AssumeRoleResponse>",
                    role.id,
                    xml(&given.session)
                )))
            }
            other => Err(Refusal::new("InvalidAction", format!("sts:{other} is not in the local AWS"))),
        }
    }
}

/// Why the caller's own role does not let it, or `None` if it does. An administrator may everything.
pub async fn objection(
    upstream: &Upstream,
    roles: &Roles,
    caller: &Caller,
    question: &Question,
) -> Option<&'static str> {
    caller.role.as_ref()?;
    match roles.by_arn(upstream, &caller.arn).await {
        Some(role) => role.objection(caller, question),
        None => Some("because its role is not there any more"),
    }
}
