//! Rules of AWS that the emulators let pass.

use crate::access::resources::passed_role;
use crate::access::roles::Roles;
use crate::answer::{Refusal, element};
use crate::operation::{Operation, field};
use crate::upstream::{Question, Upstream};
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

/// What has to be remembered between calls: the role of each stack.
#[derive(Debug, Default)]
pub struct Rules {
    stack_roles: Mutex<HashMap<(String, String, String), String>>,
    /// Accounts that were closed here, which is never as long as the thirty days that AWS counts.
    closed: Mutex<HashSet<String>>,
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
        roles: &Roles,
        place: Place<'_>,
        operation: &Operation,
        body: &[u8],
    ) -> Option<Refusal> {
        match (operation.service.as_str(), operation.name.as_str()) {
            ("cloudformation", "CreateStack" | "UpdateStack" | "DeleteStack") => {
                self.stack(upstream, roles, place, operation, body).await
            }
            ("lambda", "CreateFunction") | ("sagemaker", "CreateNotebookInstance") => {
                let (role, service) = passed_role(operation, body)?;
                unusable_role(upstream, roles, place, &role, service).await
            }
            ("cognito-idp", "DeleteUserPool") => protected_pool(upstream, place, body).await,
            ("cloudfront", "DeleteDistribution") => {
                enabled_distribution(upstream, place, operation.labels.get("Id")?).await
            }
            ("organizations", "MoveAccount") => wrong_source(upstream, place, body).await,
            ("ec2", "DeleteSecurityGroup") => referenced_group(upstream, place, body).await,
            ("ec2", "DeleteSubnet") => subnet_in_use(upstream, place, body).await,
            ("elasticloadbalancing", "DeleteLoadBalancer") => protected_balancer(upstream, place, body).await,
            ("iam", "DeletePolicy") => attached_policy(upstream, place, body).await,
            ("sagemaker", "DeleteNotebookInstance" | "StopNotebookInstance") => {
                wrong_notebook_status(upstream, place, operation, body).await
            }
            ("organizations", "CloseAccount") => self.closing(upstream, body).await,
            _ => None,
        }
    }

    /// A stack keeps the role that it was last given, and nothing happens to it when that role is gone.
    async fn stack(
        &self,
        upstream: &Upstream,
        roles: &Roles,
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
        if let Some(refusal) = unusable_role(upstream, roles, place, &arn, "cloudformation.amazonaws.com").await {
            return Some(refusal);
        }
        self.lock().insert(key, arn);
        None
    }

    /// In thirty days no more than the greater of 250 and a fifth of the members, and never more than 1,000 ("Quotas for AWS
    /// Organizations").
    async fn closing(&self, upstream: &Upstream, body: &[u8]) -> Option<Refusal> {
        let asked: Value = serde_json::from_slice(body).ok()?;
        let members = upstream.accounts().await.ok()?.len();
        let mut closed = self.closed.lock().unwrap_or_else(|e| e.into_inner());
        if closed.len() >= most_closings(members) {
            let words = "You have exceeded the number of accounts that you can close in thirty days.";
            return Some(Refusal::new(
                "ConstraintViolationException",
                format!("CLOSE_ACCOUNT_QUOTA_EXCEEDED: {words}"),
            ));
        }
        closed.insert(asked["AccountId"].as_str()?.to_owned());
        None
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String, String), String>> {
        self.stack_roles.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// A role that is not there, or that does not trust the service that it is handed to.
async fn unusable_role(
    upstream: &Upstream,
    roles: &Roles,
    place: Place<'_>,
    role: &str,
    service: &str,
) -> Option<Refusal> {
    if roles.by_arn(upstream, role).await.is_some_and(|role| role.trusts_service(service, place.account)) {
        return None;
    }
    let code = match service {
        "lambda.amazonaws.com" => "InvalidParameterValueException",
        "sagemaker.amazonaws.com" => "ValidationException",
        _ => "ValidationError",
    };
    Some(Refusal::new(code, format!("Role {role} is invalid or cannot be assumed")))
}

fn most_closings(members: usize) -> usize {
    (members / 5).clamp(250, 1_000)
}

/// A subnet goes when no network interface is in it: an instance's, a load balancer's, a function's.
async fn subnet_in_use(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let subnet = field(body, "SubnetId")?;
    let form = [
        ("Action", "DescribeNetworkInterfaces"),
        ("Version", "2016-11-15"),
        ("Filter.1.Name", "subnet-id"),
        ("Filter.1.Value.1", subnet.as_str()),
    ];
    let (_, text) = upstream.ask(place.account, place.region, "ec2", Question::Form(&form)).await;
    text.contains("<networkInterfaceId>").then(|| {
        Refusal::new("DependencyViolation", format!("The subnet '{subnet}' has dependencies and cannot be deleted."))
    })
}

async fn protected_balancer(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let arn = field(body, "LoadBalancerArn")?;
    let form =
        [("Action", "DescribeLoadBalancerAttributes"), ("Version", "2015-12-01"), ("LoadBalancerArn", arn.as_str())];
    let (_, text) = upstream.ask(place.account, place.region, "elasticloadbalancing", Question::Form(&form)).await;
    let protected = text.split("<member>").any(|attribute| {
        attribute.contains("deletion_protection.enabled") && attribute.contains("<Value>true</Value>")
    });
    protected.then(|| {
        Refusal::new(
            "OperationNotPermitted",
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        )
    })
}

async fn attached_policy(upstream: &Upstream, place: Place<'_>, body: &[u8]) -> Option<Refusal> {
    let arn = field(body, "PolicyArn")?;
    let form = [("Action", "ListEntitiesForPolicy"), ("Version", "2010-05-08"), ("PolicyArn", arn.as_str())];
    let (_, text) = upstream.ask(place.account, place.region, "iam", Question::Form(&form)).await;
    let attached = ["<RoleName>", "<UserName>", "<GroupName>"].iter().any(|name| text.contains(name));
    attached.then(|| Refusal {
        status: 409,
        ..Refusal::new("DeleteConflict", "Cannot delete a policy attached to entities.")
    })
}

async fn wrong_notebook_status(
    upstream: &Upstream,
    place: Place<'_>,
    operation: &Operation,
    body: &[u8],
) -> Option<Refusal> {
    let asked: Value = serde_json::from_slice(body).ok()?;
    let target = "SageMaker.DescribeNotebookInstance";
    // moto knows it by another host name than the service's own.
    let notebook = upstream.ask_json(place.account, place.region, "api.sagemaker", target, &asked).await.ok()?;
    let status = notebook["NotebookInstanceStatus"].as_str()?;
    let wanted: &[&str] = match operation.name.as_str() {
        "StopNotebookInstance" => &["InService"],
        _ => &["Stopped", "Failed"],
    };
    (!wanted.contains(&status))
        .then(|| Refusal::new("ValidationException", format!("Status ({status}) not in ({})", wanted.join(", "))))
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

#[cfg(test)]
mod tests {
    use super::most_closings;

    #[test]
    fn a_fifth_of_the_members_may_be_closed_but_at_least_250_and_never_more_than_1000() {
        assert_eq!([10, 1_425, 2_000, 50_000].map(most_closings), [250, 285, 400, 1_000]);
    }
}
