//! Service control policies on calls of member accounts, evaluated by the crate `iam-rs`.
//!
//! At each level (root, every OU on the way, the account) some policy must allow the action, and none may deny it.

use crate::MANAGEMENT;
use crate::caller::Caller;
use crate::upstream::Upstream;
use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// What is attached where: one list of policies a level.
type Levels = Arc<Vec<Vec<IAMPolicy>>>;

/// Effective policies by account, until something in the organization changes.
#[derive(Debug, Default)]
pub struct Guardrails {
    levels: Mutex<HashMap<String, Levels>>,
}

impl Guardrails {
    /// Forgets what was read: called after every write to Organizations.
    pub fn forget(&self) {
        self.lock().clear();
    }

    /// Why the call may not be made, or `None` if it may.
    pub async fn objection(
        &self,
        upstream: &Upstream,
        caller: &Caller,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> Option<&'static str> {
        let cached = self.lock().get(&caller.account).cloned();
        let levels = match cached {
            Some(levels) => levels,
            None => match read(upstream, &caller.account).await {
                Ok(levels) => {
                    let levels = Arc::new(levels);
                    self.lock().insert(caller.account.clone(), levels.clone());
                    levels
                }
                Err(error) => {
                    tracing::error!(account = caller.account, error, "service control policies cannot be read");
                    return Some("because its service control policies could not be read");
                }
            },
        };
        let mut allowed_everywhere = true;
        for level in levels.iter() {
            let mut allowed = false;
            for policy in level {
                match evaluate(policy, caller, action, resource, context) {
                    Decision::Deny => return Some("with an explicit deny in a service control policy"),
                    Decision::Allow => allowed = true,
                    Decision::NotApplicable => {}
                }
            }
            allowed_everywhere &= allowed;
        }
        (!allowed_everywhere).then_some("because no service control policy allows the action")
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Levels>> {
        self.levels.lock().unwrap_or_else(|e| e.into_inner())
    }
}

async fn read(upstream: &Upstream, account: &str) -> Result<Vec<Vec<IAMPolicy>>, String> {
    let ask = async |operation: &str, body: Value| {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        upstream.ask_json(MANAGEMENT, "us-east-1", "organizations", &target, &body).await
    };
    let mut levels = Vec::new();
    let mut target = account.to_owned();
    loop {
        let answer =
            ask("ListPoliciesForTarget", json!({"TargetId": target, "Filter": "SERVICE_CONTROL_POLICY"})).await?;
        let mut level = Vec::new();
        for policy in answer["Policies"].as_array().into_iter().flatten() {
            let described = ask("DescribePolicy", json!({"PolicyId": policy["Id"]})).await?;
            let content = described["Policy"]["Content"].as_str().unwrap_or_default();
            level.push(serde_json::from_str(content).map_err(|e| format!("{}: {e}", policy["Name"]))?);
        }
        levels.push(level);
        if target.starts_with("r-") {
            return Ok(levels);
        }
        let parents = ask("ListParents", json!({"ChildId": target})).await?;
        target = parents["Parents"][0]["Id"].as_str().ok_or("no parent")?.to_owned();
    }
}

/// One policy's word on one call.
pub fn evaluate(
    policy: &IAMPolicy,
    caller: &Caller,
    action: &str,
    resource: &str,
    context: &[(&str, &str)],
) -> Decision {
    let mut facts = Context::new();
    let own = [("aws:PrincipalArn", caller.arn.as_str()), ("aws:PrincipalAccount", caller.account.as_str())];
    for (key, value) in own.iter().chain(context) {
        facts.insert((*key).to_owned(), ContextValue::String((*value).to_owned()));
    }
    let resource = Arn::parse(resource)
        .or_else(|_| Arn::parse("arn:aws:none:::any"))
        .unwrap_or_else(|_| unreachable!("a fixed ARN"));
    let principal = Principal::Aws(PrincipalId::String(caller.arn.clone()));
    let request = IAMRequest::new_with_context(principal, action, resource, facts);
    match iam_rs::evaluate_policy(policy, &request) {
        Ok(decision) => decision,
        Err(error) => {
            tracing::error!(action, %error, "a policy could not be evaluated");
            Decision::Deny
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller(name: &str) -> Caller {
        let arn = format!("arn:aws:iam::111111111111:{name}");
        Caller { account: "111111111111".into(), session: arn.clone(), arn }
    }

    fn decide(statement: Value, who: &str, action: &str, resource: &str, context: &[(&str, &str)]) -> Decision {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let policy = serde_json::from_value(policy).expect("a policy");
        evaluate(&policy, &caller(who), action, resource, context)
    }

    const LEARNER: &str = "role/aws-reserved/sso.amazonaws.com/ap-northeast-1/AWSReservedSSO_koza-learner_0";
    const BUCKET: &str = "arn:aws:s3:::b";

    #[test]
    fn exempt_by_exact_arn_in_any_account() {
        let deny = || {
            json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"ArnNotLike": {"aws:PrincipalArn": [
                "arn:aws:iam::*:role/koza/koza-operator", "arn:aws:iam::*:role/OrganizationAccountAccessRole"]}}})
        };
        let on = |who| decide(deny(), who, "s3:CreateBucket", BUCKET, &[]);
        assert_eq!(on("role/koza/koza-operator"), Decision::NotApplicable);
        assert_eq!(on("role/OrganizationAccountAccessRole"), Decision::NotApplicable);
        assert_eq!(on("role/koza/koza-probe"), Decision::Deny);
        assert_eq!(on("role/other/koza-operator"), Decision::Deny);
        assert_eq!(on(LEARNER), Decision::Deny);
    }

    #[test]
    fn people_are_matched_by_path_and_not_action_lets_reads_through() {
        let people = json!({"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": [
            "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*", "arn:aws:iam::*:user/*"]}}});
        assert_eq!(decide(people.clone(), LEARNER, "s3:GetObject", BUCKET, &[]), Decision::Deny);
        assert_eq!(decide(people.clone(), "user/a", "s3:GetObject", BUCKET, &[]), Decision::Deny);
        assert_eq!(decide(people, "role/mine", "s3:GetObject", BUCKET, &[]), Decision::NotApplicable);
        let reads = json!({"Effect": "Deny", "NotAction": ["s3:List*", "s3:Get*"], "Resource": "*"});
        assert_eq!(decide(reads.clone(), "role/r", "s3:ListBucket", BUCKET, &[]), Decision::NotApplicable);
        assert_eq!(decide(reads, "role/r", "s3:DeleteBucket", BUCKET, &[]), Decision::Deny);
    }

    #[test]
    fn regions_resources_and_lock_modes_are_told_apart() {
        let regions = json!({"Effect": "Deny", "NotAction": ["iam:*"], "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": ["ap-northeast-1"]}}});
        let tokyo = [("aws:RequestedRegion", "ap-northeast-1")];
        let paris = [("aws:RequestedRegion", "eu-west-3")];
        assert_eq!(decide(regions.clone(), LEARNER, "s3:CreateBucket", BUCKET, &tokyo), Decision::NotApplicable);
        assert_eq!(decide(regions.clone(), LEARNER, "s3:CreateBucket", BUCKET, &paris), Decision::Deny);
        assert_eq!(decide(regions, LEARNER, "iam:CreateRole", BUCKET, &paris), Decision::NotApplicable);
        let ours = json!({"Effect": "Deny", "Action": ["iam:Update*"], "Resource": ["arn:aws:iam::*:role/koza/*"]});
        let role = |name: &str| format!("arn:aws:iam::111111111111:role/{name}");
        let update = "iam:UpdateAssumeRolePolicy";
        assert_eq!(decide(ours.clone(), LEARNER, update, &role("koza/koza-operator"), &[]), Decision::Deny);
        assert_eq!(decide(ours, LEARNER, update, &role("mine"), &[]), Decision::NotApplicable);
        let lock = json!({"Effect": "Deny", "Action": ["s3:PutObject"], "Resource": "*",
            "Condition": {"StringEquals": {"s3:object-lock-mode": "COMPLIANCE"}}});
        let mode = [("s3:object-lock-mode", "COMPLIANCE")];
        assert_eq!(decide(lock.clone(), LEARNER, "s3:PutObject", BUCKET, &mode), Decision::Deny);
        assert_eq!(decide(lock, LEARNER, "s3:PutObject", BUCKET, &[]), Decision::NotApplicable);
    }
}
