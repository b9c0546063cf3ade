//! What a policy says of a call, evaluated by the crate `iam-rs`.

use crate::access::caller::Caller;
use iam_rs::{Arn, Context, ContextValue, Decision, IAMPolicy, IAMRequest, Principal, PrincipalId};

/// One question to a policy: may this be done with that?
#[derive(Clone, Debug)]
pub struct Question {
    /// `service:Action`.
    pub action: String,
    /// ARN.
    pub resource: String,
    /// Condition keys of this action alone (`iam:PassedToService`).
    pub facts: Vec<(&'static str, ContextValue)>,
}

impl Question {
    /// Without condition keys of its own.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), facts: Vec::new() }
    }

    /// With one more condition key.
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.facts.push((key, ContextValue::String(value.into())));
        self
    }
}

/// One policy's word on one question. What cannot be evaluated is denied.
pub fn evaluate(policy: &IAMPolicy, caller: &Caller, question: &Question) -> Decision {
    let mut facts = Context::new();
    let text = |value: &str| ContextValue::String(value.to_owned());
    facts.insert("aws:PrincipalArn".to_owned(), text(&caller.arn));
    facts.insert("aws:PrincipalAccount".to_owned(), text(&caller.account));
    facts.insert("aws:SecureTransport".to_owned(), text("true"));
    for (key, value) in &question.facts {
        facts.insert((*key).to_owned(), value.clone());
    }
    let resource = Arn::parse(&question.resource)
        .or_else(|_| Arn::parse("arn:aws:none:::any"))
        .unwrap_or_else(|_| unreachable!("a fixed ARN"));
    let principal = Principal::Aws(PrincipalId::String(caller.arn.clone()));
    let request = IAMRequest::new_with_context(principal, question.action.as_str(), resource, facts);
    match iam_rs::evaluate_policy(policy, &request) {
        Ok(decision) => decision,
        Err(error) => {
            tracing::error!(question.action, %error, "a policy could not be evaluated");
            Decision::Deny
        }
    }
}

/// What several policies say together: a deny of one outweighs every allow.
pub fn together<'a>(
    policies: impl IntoIterator<Item = &'a IAMPolicy>,
    caller: &Caller,
    question: &Question,
) -> Decision {
    let mut all = Decision::NotApplicable;
    for policy in policies {
        match evaluate(policy, caller, question) {
            Decision::Deny => return Decision::Deny,
            Decision::Allow => all = Decision::Allow,
            Decision::NotApplicable => {}
        }
    }
    all
}
