//! Rules of AWS that the emulators let pass.

use crate::accounts::role;
use crate::answer::{Refusal, element};
use crate::operation::{Operation, field};
use crate::upstream::{Question, Upstream};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Mutex;

/// What has to be remembered between calls: the role of each stack.
#[derive(Debug, Default)]
pub struct Rules {
    stack_roles: Mutex<HashMap<(String, String, String), String>>,
}

/// Where a call works.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Account.
    pub account: &'a str,
    /// Region.
    pub region: &'a str,
}

impl Rules {
    /// Why AWS would refuse the call.
    pub async fn objection(
        &self,
        upstream: &Upstream,
        place: Place<'_>,
        operation: &Operation,
        body: &[u8],
    ) -> Option<Refusal> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("cloudformation", "CreateStack" | "UpdateStack" | "DeleteStack") => {
                self.stack(upstream, place, operation, body).await
            }
            ("cognito-idp", "DeleteUserPool") => protected_pool(upstream, place, body).await,
            ("cloudfront", "DeleteDistribution") => {
                enabled_distribution(upstream, place, operation.labels.get("Id")?).await
            }
            ("organizations", "MoveAccount") => wrong_source(upstream, place, body).await,
            ("ec2", "DeleteSecurityGroup") => referenced_group(upstream, place, body).await,
            _ => None,
        }
    }

    /// A stack keeps the role that it was last given, and nothing happens to it when that role is gone.
    async fn stack(
        &self,
        upstream: &Upstream,
        place: Place<'_>,
        operation: &Operation,
        body: &[u8],
    ) -> Option<Refusal> {
        let stack = field(body, "StackName")?;
        let name = stack.split("stack/").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or(&stack).to_owned();
        let key = (place.account.to_owned(), place.region.to_owned(), name.clone());
        let given = field(body, "RoleARN");
        let remembered = self.lock().get(&key).cloned();
        if operation.name == "DeleteStack" && is_protected(upstream, place, &name).await {
            return Some(Refusal::new(
                "ValidationError",
                format!("Stack [{name}] cannot be deleted while TerminationProtection is enabled"),
            ));
        }
        let arn = given.or(remembered)?;
        let exists = role(upstream, place.account, arn.rsplit('/').next().unwrap_or_default())
            .await
            .is_some_and(|role| role.arn == arn);
        if !exists {
            return Some(Refusal::new("ValidationError", format!("Role {arn} is invalid or cannot be assumed")));
        }
        self.lock().insert(key, arn);
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, String), String>> {
        self.stack_roles.lock().unwrap_or_else(|e| e.into_inner())
    }
}

async fn is_protected(upstream: &Upstream, place: Place<'_>, stack: &str) -> bool {
    let form = [("Action", "DescribeStacks"), ("Version", "2010-05-15"), ("StackName", stack)];
    let (_, text) = upstream.ask(place.account, place.region, "cloudformation", Question::Form(&form)).await;
    element(&text, "EnableTerminationProtection").is_some_and(|v| v.eq_ignore_ascii_case("true"))
}

async fn protected_pool(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let asked: Value = serde_json::from_slice(body).ok()?;
    let target = "AWSCognitoIdentityProviderService.DescribeUserPool";
    let pool = upstream.ask_json(place.account, place.region, "cognito-idp", target, &asked).await.ok()?;
    (pool["UserPool"]["DeletionProtection"] == "ACTIVE").then(|| {
        Refusal::new(
            "InvalidParameterException",
            "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.",
        )
    })
}

async fn enabled_distribution(upstream: &Upstream, place: Place<'_>, id: &str) -> Option<Refusal> {
    let path = format!("/2020-05-31/distribution/{id}");
    let question = Question::Rest(axum::http::Method::GET, &path);
    let (_, text) = upstream.ask(place.account, place.region, "cloudfront", question).await;
    // The distribution's own flag is the last one: origins and behaviours have theirs before it.
    let enabled = text.rfind("<Enabled>").and_then(|at| element(&text[at..], "Enabled"));
    enabled.is_some_and(|v| v.eq_ignore_ascii_case("true")).then(|| Refusal {
        status: 409,
        ..Refusal::new("DistributionNotDisabled", "The distribution you are trying to delete has not been disabled.")
    })
}

async fn wrong_source(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let asked: Value = serde_json::from_slice(body).ok()?;
    let target = "AWSOrganizationsV20161128.ListParents";
    let answer = upstream
        .ask_json(place.account, "us-east-1", "organizations", target, &json!({"ChildId": asked["AccountId"]}))
        .await
        .ok()?;
    (answer["Parents"][0]["Id"] != asked["SourceParentId"]).then(|| {
        Refusal::new(
            "SourceParentNotFoundException",
            "We can't find a source root or OU with the SourceParentId that you specified.",
        )
    })
}

async fn referenced_group(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let group = field(body, "GroupId")?;
    for filter in ["ip-permission.group-id", "egress.ip-permission.group-id"] {
        let form = [
            ("Action", "DescribeSecurityGroups"),
            ("Version", "2016-11-15"),
            ("Filter.1.Name", filter),
            ("Filter.1.Value.1", group.as_str()),
        ];
        let (status, text) = upstream.ask(place.account, place.region, "ec2", Question::Form(&form)).await;
        let other = text
            .split("<groupId>")
            .skip(1)
            .any(|part| status == 200 && !part.starts_with(&group) && text.contains("<ownerId>"));
        if other {
            return Some(Refusal::new("DependencyViolation", format!("resource {group} has a dependent object")));
        }
    }
    None
}
