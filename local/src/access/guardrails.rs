//! Service control policies on calls of member accounts.
//!
//! At each level (root, every OU on the way, the account) some policy must allow the action, and none may deny it. A change
//! takes effect some seconds after it was made.

use crate::access::caller::Caller;
use crate::access::policies::{Question, together};
use crate::upstream::Upstream;
use iam_rs::{Decision, IAMPolicy};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Where an account is, and what binds it there.
#[derive(Debug)]
pub struct Effective {
    /// Organization, root, units: `o-…/r-…/ou-…/`, as `aws:ResourceOrgPaths` has it.
    pub path: String,
    /// One list of policies a level, from the account up to the root.
    levels: Vec<Vec<IAMPolicy>>,
}

/// What is in effect, until a change takes effect.
#[derive(Debug)]
struct Known {
    effective: Arc<Effective>,
    until: Option<Instant>,
}

/// Effective policies by account.
#[derive(Debug, Default)]
pub struct Guardrails {
    known: Mutex<HashMap<String, Known>>,
}

impl Guardrails {
    /// Something in the organization was changed: it takes effect everywhere after `delay`.
    pub fn change(&self, delay: Duration) {
        let until = Instant::now() + delay;
        for known in self.lock().values_mut() {
            known.until.get_or_insert(until);
        }
    }

    /// What is in effect for an account now.
    pub async fn of(&self, upstream: &Upstream, account: &str) -> Result<Arc<Effective>, String> {
        let known = |k: &Known| k.until.is_none_or(|until| Instant::now() < until).then(|| k.effective.clone());
        let in_effect = self.lock().get(account).and_then(known);
        if let Some(effective) = in_effect {
            return Ok(effective);
        }
        let answer = upstream.question(crate::MANAGEMENT, "/_koza/account", &[("id", account)]).await?;
        let mut levels = Vec::new();
        for level in answer["levels"].as_array().into_iter().flatten() {
            let policies = level.as_array().into_iter().flatten().filter_map(|p| p.as_str());
            levels.push(policies.map(serde_json::from_str).collect::<Result<_, _>>().map_err(|e| e.to_string())?);
        }
        let path = answer["path"].as_str().unwrap_or_default().to_owned();
        let effective = Arc::new(Effective { path, levels });
        self.lock().insert(account.to_owned(), Known { effective: effective.clone(), until: None });
        Ok(effective)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Known>> {
        self.known.lock().unwrap_or_else(|e| e.into_inner())
    }
}

impl Effective {
    /// Why the call may not be made, or `None` if it may.
    pub fn objection(&self, caller: &Caller, question: &Question) -> Option<&'static str> {
        let mut allowed_everywhere = true;
        for level in &self.levels {
            match together(level, caller, question) {
                Decision::Deny => return Some("with an explicit deny in a service control policy"),
                Decision::Allow => {}
                Decision::NotApplicable => allowed_everywhere = false,
            }
        }
        (!allowed_everywhere).then_some("because no service control policy allows the action")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::policies::evaluate;
    use serde_json::{Value, json};

    fn caller(name: &str) -> Caller {
        Caller { arn: format!("arn:aws:iam::111111111111:{name}"), ..Caller::administrator("111111111111") }
    }

    fn decide(statement: Value, who: &str, action: &str, resource: &str, facts: &[(&'static str, &str)]) -> Decision {
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]});
        let policy = serde_json::from_value(policy).expect("a policy");
        let question = facts.iter().fold(Question::new(action, resource), |q, (key, value)| q.with(key, *value));
        evaluate(&policy, &caller(who), &question)
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
