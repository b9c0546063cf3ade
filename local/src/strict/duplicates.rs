//! What AWS refuses, or takes once, the second time, and moto would make again.

use crate::MANAGEMENT;
use crate::answer::{Refusal, json_answer};
use crate::operation::Operation;
use crate::upstream::Upstream;
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Mutex;

/// AWS's answer to a second making, or `None`: it is the first.
pub async fn answer(
    upstream: &Upstream,
    emails: &Emails,
    operation: &Operation,
    asked: &Value,
) -> Option<Result<Response<Body>, Refusal>> {
    match (operation.service.as_str(), operation.name.as_str()) {
        ("organizations", "CreateAccount") => emails.answer(asked),
        ("identitystore", "CreateGroupMembership") => membership(upstream, asked).await,
        ("sso", "CreatePermissionSet") => permission_set(upstream, asked).await,
        ("sso", "CreateAccountAssignment") => assignment(upstream, asked).await,
        _ => None,
    }
}

async fn admin(upstream: &Upstream, operation: &str, body: &Value) -> Option<Value> {
    let target = format!("SWBExternalService.{operation}");
    upstream.ask_json(MANAGEMENT, crate::REGION, "sso", &target, body).await.ok()
}

/// The root e-mails of accounts, each used once in all of AWS.
#[derive(Debug, Default)]
pub struct Emails(Mutex<HashSet<String>>);

impl Emails {
    fn lock(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// An account was made with this one.
    pub fn take(&self, asked: &Value) {
        self.lock().insert(asked["Email"].as_str().unwrap_or_default().to_lowercase());
    }

    /// A request with an e-mail that is taken is accepted, and fails.
    fn answer(&self, asked: &Value) -> Option<Result<Response<Body>, Refusal>> {
        let taken = self.lock().contains(&asked["Email"].as_str()?.to_lowercase());
        taken.then(|| {
            Ok(json_answer(&json!({"CreateAccountStatus": {
                "Id": "car-00000000000000000000000000000000", "AccountName": asked["AccountName"],
                "State": "FAILED", "FailureReason": "EMAIL_ALREADY_EXISTS"
            }})))
        })
    }
}

async fn membership(upstream: &Upstream, asked: &Value) -> Option<Result<Response<Body>, Refusal>> {
    let target = "AWSIdentityStore.IsMemberInGroups";
    let body = json!({"IdentityStoreId": asked["IdentityStoreId"], "MemberId": asked["MemberId"], "GroupIds": [asked["GroupId"]]});
    let answer = upstream.ask_json(MANAGEMENT, crate::REGION, "identitystore", target, &body).await.ok()?;
    (answer["Results"][0]["MembershipExists"] == true)
        .then(|| Err(Refusal::new("ConflictException", "Member and Group relationship already exists.")))
}

async fn permission_set(upstream: &Upstream, asked: &Value) -> Option<Result<Response<Body>, Refusal>> {
    let instance = &asked["InstanceArn"];
    let sets = admin(upstream, "ListPermissionSets", &json!({"InstanceArn": instance})).await?;
    for set in sets["PermissionSets"].as_array()? {
        let body = json!({"InstanceArn": instance, "PermissionSetArn": set});
        let described = admin(upstream, "DescribePermissionSet", &body).await?;
        if described["PermissionSet"]["Name"] == asked["Name"] {
            return Some(Err(Refusal::new("ConflictException", "PermissionSet with name already exists")));
        }
    }
    None
}

async fn assignment(upstream: &Upstream, asked: &Value) -> Option<Result<Response<Body>, Refusal>> {
    let body = json!({"InstanceArn": asked["InstanceArn"], "AccountId": asked["TargetId"], "PermissionSetArn": asked["PermissionSetArn"]});
    let there = admin(upstream, "ListAccountAssignments", &body).await?;
    let same = |a: &Value| a["PrincipalId"] == asked["PrincipalId"] && a["PrincipalType"] == asked["PrincipalType"];
    there["AccountAssignments"]
        .as_array()?
        .iter()
        .any(same)
        .then(|| Err(Refusal::new("ConflictException", "The assignment exists already.")))
}
