//! What AWS refuses, or takes once, the second time, and moto would make again.

use crate::MANAGEMENT;
use crate::answer::{Refusal, json_answer};
use crate::operation::Operation;
use crate::upstream::Upstream;
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};

/// AWS's answer to a second making, or `None`: it is the first.
pub async fn answer(
    upstream: &Upstream,
    operation: &Operation,
    asked: &Value,
) -> Option<Result<Response<Body>, Refusal>> {
    match (operation.service.as_str(), operation.name.as_str()) {
        ("organizations", "CreateAccount") => email(upstream, asked).await,
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

/// An address is used once in all of AWS. The request is taken, and fails.
async fn email(upstream: &Upstream, asked: &Value) -> Option<Result<Response<Body>, Refusal>> {
    let target = "AWSOrganizationsV20161128.ListAccounts";
    let mut body = json!({});
    loop {
        let page = upstream.ask_json(MANAGEMENT, "us-east-1", "organizations", target, &body).await.ok()?;
        let taken = |account: &Value| {
            let (is, wanted) = (account["Email"].as_str(), asked["Email"].as_str());
            is.zip(wanted).is_some_and(|(is, wanted)| is.eq_ignore_ascii_case(wanted))
        };
        if page["Accounts"].as_array()?.iter().any(taken) {
            return Some(Ok(json_answer(&json!({"CreateAccountStatus": {
                "Id": "car-00000000000000000000000000000000", "AccountName": asked["AccountName"],
                "State": "FAILED", "FailureReason": "EMAIL_ALREADY_EXISTS"
            }}))));
        }
        match page["NextToken"].as_str() {
            Some(token) => body = json!({"NextToken": token}),
            None => return None,
        }
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
