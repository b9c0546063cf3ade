//! Roles: whom they trust and what they may.
//!
//! A role may do what its identity policies allow, its permissions boundary and its session policy allow too, and none of
//! them denies ("Policy evaluation logic" in the IAM User Guide).

use crate::access::caller::{Caller, name_of};
use crate::access::policies::{Question, evaluate, together};
use crate::upstream::Upstream;
use iam_rs::{Decision, IAMPolicy};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// A role as its emulator has it.
#[derive(Debug)]
pub struct Role {
    /// ARN with path.
    pub arn: String,
    /// Its own id, `AROA…`: another one when it is made again.
    pub id: String,
    trust: Value,
    policies: Vec<IAMPolicy>,
    boundary: Option<IAMPolicy>,
}

impl Role {
    fn parse(answer: &Value) -> Result<Self, String> {
        let text =
            |name: &str| answer[name].as_str().map(str::to_owned).ok_or_else(|| format!("a role without {name}"));
        // Some come as documents, some as their text.
        let document = |value: &Value| match value {
            Value::String(text) => serde_json::from_str(text).map_err(|e| e.to_string()),
            other => Ok(other.clone()),
        };
        let policy = |value: &Value| {
            let mut policy = document(value)?;
            // AWS takes one without a version, the library does not.
            if let Some(policy) = policy.as_object_mut() {
                policy.entry("Version").or_insert_with(|| json!("2012-10-17"));
            }
            serde_json::from_value(policy).map_err(|e| e.to_string())
        };
        Ok(Self {
            arn: text("arn")?,
            id: text("id")?,
            trust: document(&answer["trust"])?,
            policies: answer["policies"].as_array().into_iter().flatten().map(policy).collect::<Result<_, _>>()?,
            boundary: Some(&answer["boundary"]).filter(|b| !b.is_null()).map(policy).transpose()?,
        })
    }

    /// Why a session of this role may not, or `None` if it may.
    pub fn objection(&self, caller: &Caller, question: &Question) -> Option<&'static str> {
        let session = caller.role.as_ref();
        if session.and_then(|s| s.role_id.as_ref()).is_some_and(|id| *id != self.id) {
            return Some("because its role was deleted and made again");
        }
        match together(&self.policies, caller, question) {
            Decision::Deny => return Some("with an explicit deny in an identity-based policy"),
            Decision::NotApplicable => return Some("because no identity-based policy allows the action"),
            Decision::Allow => {}
        }
        let allows = |policy: &IAMPolicy| evaluate(policy, caller, question) == Decision::Allow;
        if self.boundary.as_ref().is_some_and(|boundary| !allows(boundary)) {
            return Some("because no permissions boundary allows the action");
        }
        if session.and_then(|s| s.policy.as_deref()).is_some_and(|policy| !allows(policy)) {
            return Some("because no session policy allows the action");
        }
        None
    }

    /// Whether the trust policy lets the caller in. `known` has the ids that principals of this trust had when it was
    /// written: AWS stores those, so a role that is made again under the same ARN is another principal.
    fn trusts(&self, caller: &Caller, known: Option<&HashMap<String, String>>) -> bool {
        let root = format!("arn:aws:iam::{}:root", caller.account);
        let id = caller.role.as_ref().and_then(|s| s.role_id.as_ref());
        self.admits(caller, "AWS", |principal| {
            let same = known.and_then(|ids| ids.get(principal)).is_none_or(|then| Some(then) == id);
            principal == "*" || principal == root || principal == caller.account || (principal == caller.arn && same)
        })
    }

    /// Whether a service of this account may take the role, for work that was begun there.
    pub fn trusts_service(&self, service: &str, account: &str) -> bool {
        let caller = Caller::administrator(account);
        self.admits(&caller, "Service", |principal| principal == service)
    }

    fn admits(&self, caller: &Caller, kind: &str, is_caller: impl Fn(&str) -> bool) -> bool {
        let statements = match &self.trust["Statement"] {
            Value::Array(many) => many.clone(),
            one => vec![one.clone()],
        };
        let question = Question::new("sts:AssumeRole", "*").with("aws:SourceAccount", caller.account.as_str());
        statements.into_iter().any(|mut statement| {
            let named = texts(&statement["Principal"][kind]).iter().any(|p| is_caller(p));
            // What is left is a question of action and condition, which the library answers.
            if let Some(statement) = statement.as_object_mut() {
                statement.remove("Principal");
                statement.insert("Resource".to_owned(), json!("*"));
            }
            let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
            named && serde_json::from_value(policy).is_ok_and(|p| evaluate(&p, caller, &question) == Decision::Allow)
        })
    }
}

/// One text, or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(one) => vec![one.clone()],
        Value::Array(many) => many.iter().filter_map(|p| p.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    }
}

/// Account and name.
type Key = (String, String);

/// The roles of all accounts, each read once until something in its account could have changed it.
#[derive(Debug, Default)]
pub struct Roles {
    known: Mutex<HashMap<Key, Option<Arc<Role>>>>,
    /// By role: the ids that the principals of its trust had when it was written.
    principals: Mutex<HashMap<Key, HashMap<String, String>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Roles {
    /// A role by its name. `None`: there is none, or it cannot be read.
    pub async fn get(&self, upstream: &Upstream, account: &str, name: &str) -> Option<Arc<Role>> {
        let key = (account.to_owned(), name.to_owned());
        let known = lock(&self.known).get(&key).cloned();
        if let Some(role) = known {
            return role;
        }
        let read = upstream.question(account, "/_koza/role", &[("account", account), ("name", name)]).await;
        let role =
            match read.and_then(|answer| if answer.is_null() { Ok(None) } else { Role::parse(&answer).map(Some) }) {
                Ok(role) => role.map(Arc::new),
                Err(error) => {
                    tracing::error!(account, name, error, "a role cannot be read");
                    return None;
                }
            };
        lock(&self.known).insert(key, role.clone());
        role
    }

    /// A role by its ARN.
    pub async fn by_arn(&self, upstream: &Upstream, arn: &str) -> Option<Arc<Role>> {
        let account = arn.split(':').nth(4)?;
        self.get(upstream, account, name_of(arn)).await.filter(|role| role.arn == arn)
    }

    /// Forgets an account's roles: called after every call that may write one.
    pub fn forget(&self, account: &str) {
        lock(&self.known).retain(|(of, _), _| of != account);
    }

    /// The role, if it trusts the caller.
    pub async fn trusting(&self, upstream: &Upstream, arn: &str, caller: &Caller) -> Option<Arc<Role>> {
        let role = self.by_arn(upstream, arn).await?;
        let key = (arn.split(':').nth(4).unwrap_or_default().to_owned(), name_of(arn).to_owned());
        let known = lock(&self.principals).get(&key).cloned();
        role.trusts(caller, known.as_ref()).then_some(role)
    }

    /// Looks up the principals of a trust policy that is about to be written. `Err`: the one that is not there, which AWS
    /// refuses.
    pub async fn remember_principals(
        &self,
        upstream: &Upstream,
        account: &str,
        name: &str,
        trust: &str,
    ) -> Result<(), String> {
        let trust: Value = serde_json::from_str(trust).unwrap_or_default();
        let mut ids = HashMap::new();
        let statements = trust["Statement"].as_array().cloned().unwrap_or_default();
        for principal in statements.iter().flat_map(|s| texts(&s["Principal"]["AWS"])) {
            if principal.contains(":role/") {
                let role = self.by_arn(upstream, &principal).await.ok_or_else(|| principal.clone())?;
                ids.insert(principal, role.id.clone());
            }
        }
        lock(&self.principals).insert((account.to_owned(), name.to_owned()), ids);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::caller::Session;
    use iam_rs::ContextValue;

    const ACCOUNT: &str = "111111111111";

    fn allow(action: &str) -> Value {
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
    }

    fn role(trust: Value, policies: Value, boundary: Value) -> Role {
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/r");
        Role::parse(&json!({"arn": arn, "id": "AROA1", "trust": trust, "policies": policies, "boundary": boundary}))
            .expect("a role")
    }

    fn caller(policy: Option<Value>, id: &str) -> Caller {
        let policy = policy.map(|p| Arc::new(serde_json::from_value(p).expect("a policy")));
        let session = Session { role_id: Some(id.to_owned()), policy };
        Caller::role(&format!("arn:aws:iam::{ACCOUNT}:role/r"), "s", session).expect("a role")
    }

    #[test]
    fn what_is_allowed_must_be_allowed_by_all_of_them() {
        let may =
            |role: &Role, caller: &Caller, action: &str| role.objection(caller, &Question::new(action, "*")).is_none();
        let plain = role(Value::Null, json!([allow("s3:*")]), Value::Null);
        assert!(may(&plain, &caller(None, "AROA1"), "s3:GetObject"));
        assert!(!may(&plain, &caller(None, "AROA1"), "ec2:RunInstances"), "nothing allows it");
        assert!(!may(&plain, &caller(None, "AROA0"), "s3:GetObject"), "a session of a role that was made again");
        let bounded = role(Value::Null, json!([allow("s3:*")]), allow("s3:Get*"));
        assert!(may(&bounded, &caller(None, "AROA1"), "s3:GetObject"));
        assert!(!may(&bounded, &caller(None, "AROA1"), "s3:PutObject"), "outside the boundary");
        let session = caller(Some(allow("s3:List*")), "AROA1");
        assert!(may(&plain, &session, "s3:ListBucket"));
        assert!(!may(&plain, &session, "s3:GetObject"), "outside the session policy");
        let deny =
            json!({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:Put*", "Resource": "*"}]});
        let denied = role(Value::Null, json!([allow("s3:*"), deny]), Value::Null);
        assert!(!may(&denied, &caller(None, "AROA1"), "s3:PutObject"));
    }

    #[test]
    fn an_account_outside_the_named_path_is_out_of_reach() {
        let inside = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*",
            "Condition": {"ForAnyValue:StringLike": {"aws:ResourceOrgPaths": "o-1/r-1/ou-1/*"}}}]});
        let role = role(Value::Null, json!([inside]), Value::Null);
        let ask = |path: Option<&str>| {
            let mut question = Question::new("sts:AssumeRole", "arn:aws:iam::222222222222:role/r");
            if let Some(path) = path {
                question.facts.push(("aws:ResourceOrgPaths", ContextValue::StringList(vec![path.to_owned()])));
            }
            role.objection(&caller(None, "AROA1"), &question).is_none()
        };
        assert!(ask(Some("o-1/r-1/ou-1/ou-2/")) && ask(Some("o-1/r-1/ou-1/")));
        assert!(!ask(Some("o-1/r-1/ou-9/")) && !ask(Some("o-1/r-1/")) && !ask(None));
    }

    #[test]
    fn a_trust_names_principals_and_conditions_and_a_role_made_again_is_another() {
        let trust = |principal: Value, condition: Value| {
            json!({"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition}]})
        };
        let under_path = trust(
            json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}),
            json!({"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{ACCOUNT}:role/koza/*")}}),
        );
        let under_path = role(under_path, json!([]), Value::Null);
        let as_role = |name: &str, id: &str| {
            let session = Session { role_id: Some(id.to_owned()), policy: None };
            Caller::role(&format!("arn:aws:iam::{ACCOUNT}:role/{name}"), "s", session).expect("a role")
        };
        assert!(under_path.trusts(&as_role("koza/a", "AROA1"), None));
        assert!(!under_path.trusts(&as_role("a", "AROA1"), None));
        let arn = format!("arn:aws:iam::{ACCOUNT}:role/koza/a");
        let by_name = role(trust(json!({"AWS": arn}), json!({})), json!([]), Value::Null);
        let then = HashMap::from([(arn, "AROA1".to_owned())]);
        assert!(by_name.trusts(&as_role("koza/a", "AROA1"), Some(&then)));
        assert!(!by_name.trusts(&as_role("koza/a", "AROA2"), Some(&then)), "made again");
        let keeper = trust(
            json!({"Service": "cloudformation.amazonaws.com"}),
            json!({"StringEquals": {"aws:SourceAccount": ACCOUNT}}),
        );
        let keeper = role(keeper, json!([]), Value::Null);
        assert!(keeper.trusts_service("cloudformation.amazonaws.com", ACCOUNT));
        assert!(!keeper.trusts_service("cloudformation.amazonaws.com", "222222222222"));
        assert!(!keeper.trusts_service("lambda.amazonaws.com", ACCOUNT));
        assert!(!keeper.trusts(&as_role("koza/a", "AROA1"), None));
    }
}
