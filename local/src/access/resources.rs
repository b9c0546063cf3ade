//! What a call asks of policies: which actions, on which resources. Exact for the services that policies of ours name
//! resources of (IAM, S3, Organizations, Identity Center, SNS, STS); for others the account's own `any`, which only `*` allows.

use crate::access::caller::Caller;
use crate::access::policies::Question;
use crate::access::roles::Roles;
use crate::answer::element;
use crate::operation::{Operation, field, header, iam_actions};
use crate::upstream::Upstream;
use crate::{MANAGEMENT, OPERATIONS};
use axum::http::request::Parts;
use serde_json::Value;

/// Services whose calls have no Region of their own.
const GLOBAL: [&str; 6] = ["iam", "cloudfront", "organizations", "route53", "sts", "ce"];

/// A call as policies see it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Who.
    pub caller: &'a Caller,
    /// Where.
    pub region: &'a str,
    /// What.
    pub operation: &'a Operation,
    /// With which headers.
    pub parts: &'a Parts,
    /// And body.
    pub body: &'a [u8],
}

/// All that policies must allow. The last is `iam:PassRole`, if the call hands a role to a service.
pub async fn questions(asked: Asked<'_>, upstream: &Upstream, roles: &Roles, organization: &str) -> Vec<Question> {
    let Asked { caller, region, operation, parts, body } = asked;
    let service = operation.service.as_str();
    let requested = if GLOBAL.contains(&service) { "us-east-1" } else { region };
    let text = String::from_utf8_lossy(body);
    let lock_mode = header(parts, "x-amz-object-lock-mode")
        .or_else(|| element(&text, "Mode").filter(|_| operation.name == "PutObjectRetention"));
    let resources = match service {
        "iam" => vec![iam(asked, upstream, roles).await],
        "s3" => vec![s3(asked)],
        "organizations" => organizations(body, organization),
        "sso" => sso(body),
        "identitystore" => identity_store(body),
        "sns" => vec![field(body, "TopicArn").unwrap_or_else(|| any(asked))],
        _ => vec![any(asked)],
    };
    let mut questions = Vec::new();
    for action in iam_actions(operation, parts.method.as_str()) {
        questions.extend(resources.iter().map(|resource| {
            let question = Question::new(action.as_str(), resource.as_str())
                .with("aws:RequestedRegion", requested)
                .with("aws:ResourceAccount", caller.account.as_str());
            match lock_mode {
                Some(mode) => question.with("s3:object-lock-mode", mode),
                None => question,
            }
        }));
    }
    if let Some((role, service)) = passed_role(operation, body) {
        questions.push(
            Question::new("iam:PassRole", role)
                .with("aws:RequestedRegion", requested)
                .with("iam:PassedToService", service),
        );
    }
    questions
}

fn any(asked: Asked<'_>) -> String {
    format!("arn:aws:{}:{}:{}:any", asked.operation.service, asked.region, asked.caller.account)
}

async fn iam(asked: Asked<'_>, upstream: &Upstream, roles: &Roles) -> String {
    let Asked { caller, operation, body, .. } = asked;
    let account = &caller.account;
    let path = || field(body, "Path").unwrap_or_else(|| "/".to_owned());
    let of_a_policy = operation.name.contains("Policy") && !operation.name.contains("RolePolicy");
    if let Some(arn) = field(body, "PolicyArn").filter(|_| of_a_policy) {
        return arn;
    }
    match (field(body, "RoleName"), field(body, "PolicyName")) {
        (Some(name), _) => match roles.get(upstream, account, &name).await {
            Some(role) => role.arn.clone(),
            None => format!("arn:aws:iam::{account}:role{}{name}", path()),
        },
        (None, Some(name)) => format!("arn:aws:iam::{account}:policy{}{name}", path()),
        (None, None) => format!("arn:aws:iam::{account}:any"),
    }
}

fn s3(asked: Asked<'_>) -> String {
    let part = |name: &str| asked.operation.labels.get(name).cloned().unwrap_or_default();
    match (part("Bucket"), part("Key+")) {
        // ListBuckets names no bucket, and an ARN without one is none.
        (bucket, _) if bucket.is_empty() => any(asked),
        (bucket, key) if key.is_empty() => format!("arn:aws:s3:::{bucket}"),
        (bucket, key) => format!("arn:aws:s3:::{bucket}/{key}"),
    }
}

/// The values of these fields of a JSON body that are there and are texts.
fn texts(body: &[u8], fields: &[&str]) -> Vec<String> {
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    fields.iter().filter_map(|name| asked[*name].as_str().map(str::to_owned)).collect()
}

fn or_any(mut resources: Vec<String>, service: &str) -> Vec<String> {
    if resources.is_empty() {
        resources.push(format!("arn:aws:{service}:::any"));
    }
    resources
}

/// `organization`: its id, a part of every ARN.
fn organizations(body: &[u8], organization: &str) -> Vec<String> {
    let ids = texts(
        body,
        &[
            "AccountId",
            "SourceParentId",
            "DestinationParentId",
            "ResourceId",
            "ParentId",
            "PolicyId",
            "TargetId",
            "RootId",
            "OrganizationalUnitId",
            "ChildId",
        ],
    );
    let arns = ids.into_iter().map(|id| {
        let kind = match id.split('-').next() {
            Some("r") => "root",
            Some("ou") => "ou",
            Some("p") => {
                return format!(
                    "arn:aws:organizations::{MANAGEMENT}:policy/{organization}/service_control_policy/{id}"
                );
            }
            _ => "account",
        };
        format!("arn:aws:organizations::{MANAGEMENT}:{kind}/{organization}/{id}")
    });
    or_any(arns.collect(), "organizations")
}

fn sso(body: &[u8]) -> Vec<String> {
    // moto writes `instance` in the ARN of a permission set too.
    let as_on_aws =
        |arn: String| if arn.contains("/ps-") { arn.replace(":::instance/", ":::permissionSet/") } else { arn };
    let arns = texts(body, &["InstanceArn", "PermissionSetArn"]).into_iter().map(as_on_aws);
    let accounts = texts(body, &["TargetId", "AccountId"]).into_iter().map(|id| format!("arn:aws:sso:::account/{id}"));
    or_any(arns.chain(accounts).collect(), "sso")
}

fn identity_store(body: &[u8]) -> Vec<String> {
    let store = texts(body, &["IdentityStoreId"])
        .into_iter()
        .map(|id| format!("arn:aws:identitystore::{MANAGEMENT}:identitystore/{id}"));
    let users = texts(body, &["UserId"]).into_iter().map(|id| format!("arn:aws:identitystore:::user/{id}"));
    let groups = texts(body, &["GroupId"]).into_iter().map(|id| format!("arn:aws:identitystore:::group/{id}"));
    let memberships =
        texts(body, &["MembershipId"]).into_iter().map(|id| format!("arn:aws:identitystore:::membership/{id}"));
    or_any(store.chain(users).chain(groups).chain(memberships).collect(), "identitystore")
}

/// The role that a request hands to a service, and the service.
pub fn passed_role(operation: &Operation, body: &[u8]) -> Option<(String, &'static str)> {
    let json = |name: &str| {
        let asked: Value = serde_json::from_slice(body).ok()?;
        asked[name].as_str().map(str::to_owned)
    };
    match (operation.service.as_str(), operation.name.as_str()) {
        ("cloudformation", "CreateStack" | "UpdateStack" | "DeleteStack") => {
            Some((field(body, "RoleARN")?, "cloudformation.amazonaws.com"))
        }
        ("lambda", "CreateFunction") => Some((json("Role")?, "lambda.amazonaws.com")),
        ("sagemaker", "CreateNotebookInstance") => Some((json("RoleArn")?, "sagemaker.amazonaws.com")),
        _ => None,
    }
}

/// Whether service control policies bind this account: never the management account, and ours has none.
pub fn is_member(account: &str) -> bool {
    account != MANAGEMENT && account != OPERATIONS
}
