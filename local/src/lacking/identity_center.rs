//! IAM Identity Center: what moto lacks, and the access portal.
//!
//! AWS makes a role in an account for each permission set that is assigned there; moto does not, so the gateway does.

use crate::access::caller::Session;
use crate::access::sessions::Sessions;
use crate::answer::{Refusal, json_answer};
use crate::slow::asynchrony::Asynchrony;
use crate::upstream::{Question, Upstream};
use crate::{MANAGEMENT, REGION};
use axum::body::Body;
use axum::http::Response;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;

/// Requests of assignments that were made here, by id, and who has signed in to the portal.
#[derive(Debug, Default)]
pub struct IdentityCenter {
    requests: Mutex<HashMap<String, Value>>,
    provisioned: Mutex<BTreeMap<String, BTreeSet<String>>>,
    tokens: Mutex<HashMap<String, String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

fn status(now: &Asynchrony, request: &Value) -> &'static str {
    match request["RequestId"].as_str().is_some_and(|id| now.is_being_assigned(id)) {
        true => "IN_PROGRESS",
        false => "SUCCEEDED",
    }
}

async fn admin(upstream: &Upstream, operation: &str, body: &Value) -> Result<Value, String> {
    let target = format!("SWBExternalService.{operation}");
    upstream.ask_json(MANAGEMENT, REGION, "sso", &target, body).await
}

async fn store(upstream: &Upstream, operation: &str, body: &Value) -> Result<Value, String> {
    let target = format!("AWSIdentityStore.{operation}");
    upstream.ask_json(MANAGEMENT, REGION, "identitystore", &target, body).await
}

/// Instance ARN and identity store id.
pub async fn instance(upstream: &Upstream) -> Result<(String, String), String> {
    let answer = admin(upstream, "ListInstances", &json!({})).await?;
    let text = |name: &str| answer["Instances"][0][name].as_str().unwrap_or_default().to_owned();
    Ok((text("InstanceArn"), text("IdentityStoreId")))
}

impl IdentityCenter {
    /// Answers what moto cannot; `None`: moto does.
    pub fn lacking(&self, now: &Asynchrony, operation: &str, body: &Value) -> Option<Response<Body>> {
        match operation {
            "ListAccountAssignmentCreationStatus" | "ListAccountAssignmentDeletionStatus" => {
                let wanted = body["Filter"]["Status"].as_str();
                let (list, single) = match operation {
                    "ListAccountAssignmentCreationStatus" => ("AccountAssignmentsCreationStatus", "create"),
                    _ => ("AccountAssignmentsDeletionStatus", "delete"),
                };
                let requests: Vec<Value> = lock(&self.requests)
                    .values()
                    .filter(|r| r["kind"] == single)
                    .map(|r| json!({"Status": status(now, r), "RequestId": r["RequestId"], "CreatedDate": r["CreatedDate"]}))
                    .filter(|r| wanted.is_none_or(|w| r["Status"] == w))
                    .collect();
                Some(json_answer(&json!({list: requests})))
            }
            // moto names the management account, whatever was assigned.
            "ListAccountsForProvisionedPermissionSet" => {
                let set = body["PermissionSetArn"].as_str().unwrap_or_default();
                let mut accounts = lock(&self.provisioned).get(set).cloned().unwrap_or_default();
                for request in lock(&self.requests).values().filter(|r| status(now, r) == "IN_PROGRESS") {
                    accounts.remove(request["TargetId"].as_str().unwrap_or_default());
                }
                Some(json_answer(&json!({"AccountIds": accounts})))
            }
            "DescribePermissionSetProvisioningStatus" => {
                let request = &body["ProvisionPermissionSetRequestId"];
                let under_way = request.as_str().is_some_and(|id| now.is_being_provisioned(id));
                let status = if under_way { "IN_PROGRESS" } else { "SUCCEEDED" };
                Some(json_answer(&json!({"PermissionSetProvisioningStatus": {"Status": status, "RequestId": request}})))
            }
            _ => None,
        }
    }

    /// The accounts that a `ProvisionPermissionSet` is about.
    pub fn accounts_to_provision(&self, asked: &Value) -> Vec<String> {
        if asked["TargetType"] == "AWS_ACCOUNT" {
            return asked["TargetId"].as_str().map(str::to_owned).into_iter().collect();
        }
        let set = asked["PermissionSetArn"].as_str().unwrap_or_default();
        lock(&self.provisioned).get(set).into_iter().flatten().cloned().collect()
    }

    /// What AWS does besides, after moto has said yes.
    pub async fn after(
        &self,
        upstream: &Upstream,
        operation: &str,
        asked: &Value,
        answered: &Value,
    ) -> Result<(), String> {
        let kind = match operation {
            "CreateAccountAssignment" => "create",
            "DeleteAccountAssignment" => "delete",
            _ => return Ok(()),
        };
        let status = &answered[match kind {
            "create" => "AccountAssignmentCreationStatus",
            _ => "AccountAssignmentDeletionStatus",
        }];
        let mut request = status.clone();
        request["kind"] = json!(kind);
        if let Some(id) = status["RequestId"].as_str() {
            lock(&self.requests).insert(id.to_owned(), request);
        }
        let account = asked["TargetId"].as_str().unwrap_or_default();
        let set = &asked["PermissionSetArn"];
        let arn = set.as_str().unwrap_or_default().to_owned();
        if kind == "create" {
            lock(&self.provisioned).entry(arn).or_default().insert(account.to_owned());
            return write_role(upstream, account, &asked["InstanceArn"], set).await;
        }
        let body = json!({"InstanceArn": asked["InstanceArn"], "AccountId": account, "PermissionSetArn": set});
        let left = admin(upstream, "ListAccountAssignments", &body).await?;
        if left["AccountAssignments"].as_array().is_none_or(Vec::is_empty) {
            lock(&self.provisioned).entry(arn).or_default().remove(account);
            let name = role_name(upstream, &asked["InstanceArn"], set).await?;
            remove_role(upstream, account, &name).await;
        }
        Ok(())
    }

    /// Signs a user in to the portal: a token, or `None` if there is no such user.
    pub async fn sign_in(&self, upstream: &Upstream, user: &str) -> Option<String> {
        let (_, identity_store) = instance(upstream).await.ok()?;
        let body = json!({"IdentityStoreId": identity_store, "Filters": [{"AttributePath": "UserName", "AttributeValue": user}]});
        let users = store(upstream, "ListUsers", &body).await.ok()?;
        let id = users["Users"].as_array()?.iter().find(|u| u["UserName"] == user)?["UserId"].as_str()?.to_owned();
        let token = format!("portal-{id}");
        lock(&self.tokens).insert(token.clone(), id);
        Some(token)
    }

    /// The portal's three operations.
    pub async fn portal(
        &self,
        upstream: &Upstream,
        sessions: &Sessions,
        path: &str,
        query: &HashMap<String, String>,
        token: &str,
    ) -> Result<Response<Body>, Refusal> {
        let user = lock(&self.tokens).get(token).cloned().ok_or_else(|| Refusal {
            status: 401,
            ..Refusal::new("UnauthorizedException", "Session token not found or invalid")
        })?;
        let broken = |e: String| Refusal { status: 500, ..Refusal::new("InternalServerException", e) };
        let reached = reach(upstream, &user).await.map_err(broken)?;
        let wanted = query.get("account_id").map(String::as_str);
        match path {
            "/assignment/accounts" => {
                let mut ids: Vec<&String> = reached.iter().map(|(account, _)| account).collect();
                ids.sort();
                ids.dedup();
                let list: Vec<Value> = ids.iter().map(|id| json!({"accountId": id, "accountName": id})).collect();
                Ok(json_answer(&json!({"accountList": list})))
            }
            "/assignment/roles" => {
                let list: Vec<Value> = reached
                    .iter()
                    .filter(|(account, _)| Some(account.as_str()) == wanted)
                    .map(|(account, set)| json!({"accountId": account, "roleName": set.name}))
                    .collect();
                Ok(json_answer(&json!({"roleList": list})))
            }
            "/federation/credentials" => {
                let role = query.get("role_name").map(String::as_str);
                let (account, set) = reached
                    .iter()
                    .find(|(account, set)| Some(account.as_str()) == wanted && Some(set.name.as_str()) == role)
                    .ok_or_else(|| Refusal { status: 403, ..Refusal::new("ForbiddenException", "No access") })?;
                let arn = role_arn(account, &set.role);
                let session = Session { role_id: None, policy: None };
                let (key, _) =
                    sessions.give(&arn, &user, session).ok_or_else(|| broken(format!("{arn} is no role")))?;
                let expires = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(8)).as_millisecond();
                Ok(json_answer(&json!({"roleCredentials": {
                    "accessKeyId": key, "secretAccessKey": "local", "sessionToken": format!("local-{key}"), "expiration": expires
                }})))
            }
            other => Err(Refusal { status: 404, ..Refusal::new("ResourceNotFoundException", other) }),
        }
    }
}

struct Set {
    name: String,
    role: String,
}

/// What a user reaches now: accounts and permission sets through the user's groups and own assignments.
async fn reach(upstream: &Upstream, user: &str) -> Result<Vec<(String, Set)>, String> {
    let (instance_arn, identity_store) = instance(upstream).await?;
    let body = json!({"IdentityStoreId": identity_store, "MemberId": {"UserId": user}});
    let groups = store(upstream, "ListGroupMembershipsForMember", &body).await?;
    let mut principals = vec![("USER".to_owned(), user.to_owned())];
    for membership in groups["GroupMemberships"].as_array().into_iter().flatten() {
        if let Some(group) = membership["GroupId"].as_str() {
            principals.push(("GROUP".to_owned(), group.to_owned()));
        }
    }
    let mut reached = Vec::new();
    for (kind, id) in principals {
        let body = json!({"InstanceArn": instance_arn, "PrincipalId": id, "PrincipalType": kind});
        let answer = admin(upstream, "ListAccountAssignmentsForPrincipal", &body).await?;
        for assignment in answer["AccountAssignments"].as_array().into_iter().flatten() {
            let account = assignment["AccountId"].as_str().unwrap_or_default().to_owned();
            let set = &assignment["PermissionSetArn"];
            let name = set_name(upstream, &json!(instance_arn), set).await?;
            let role = role_name(upstream, &json!(instance_arn), set).await?;
            reached.push((account, Set { name, role }));
        }
    }
    Ok(reached)
}

async fn set_name(upstream: &Upstream, instance_arn: &Value, set: &Value) -> Result<String, String> {
    let body = json!({"InstanceArn": instance_arn, "PermissionSetArn": set});
    let answer = admin(upstream, "DescribePermissionSet", &body).await?;
    Ok(answer["PermissionSet"]["Name"].as_str().unwrap_or_default().to_owned())
}

async fn role_name(upstream: &Upstream, instance_arn: &Value, set: &Value) -> Result<String, String> {
    let mut hasher = DefaultHasher::new();
    set.to_string().hash(&mut hasher);
    let name = set_name(upstream, instance_arn, set).await?;
    Ok(format!("AWSReservedSSO_{name}_{:016x}", hasher.finish()))
}

fn role_path() -> String {
    format!("/aws-reserved/sso.amazonaws.com/{REGION}/")
}

fn role_arn(account: &str, name: &str) -> String {
    format!("arn:aws:iam::{account}:role{}{name}", role_path())
}

async fn iam(upstream: &Upstream, account: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut form = vec![("Version", "2010-05-08")];
    form.extend_from_slice(fields);
    upstream.ask(account, "us-east-1", "iam", Question::Form(&form)).await
}

/// Makes or rewrites the role of a permission set in an account: its policies as the set names them now.
pub async fn write_role(upstream: &Upstream, account: &str, instance_arn: &Value, set: &Value) -> Result<(), String> {
    let name = role_name(upstream, instance_arn, set).await?;
    remove_policies(upstream, account, &name).await;
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["sts:AssumeRoleWithSAML", "sts:TagSession"],
        "Principal": {"Federated": format!("arn:aws:iam::{account}:saml-provider/AWSSSO_koza_DO_NOT_DELETE")},
        "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}]})
    .to_string();
    let path = role_path();
    let make = [
        ("Action", "CreateRole"),
        ("RoleName", name.as_str()),
        ("Path", path.as_str()),
        ("AssumeRolePolicyDocument", trust.as_str()),
    ];
    let (status, text) = iam(upstream, account, &make).await;
    if status != 200 && !text.contains("EntityAlreadyExists") {
        return Err(text);
    }
    let body = json!({"InstanceArn": instance_arn, "PermissionSetArn": set});
    let references = admin(upstream, "ListCustomerManagedPolicyReferencesInPermissionSet", &body).await?;
    let managed = admin(upstream, "ListManagedPoliciesInPermissionSet", &body).await?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let own = references["CustomerManagedPolicyReferences"].as_array().into_iter().flatten().map(|reference| {
        format!(
            "arn:aws:iam::{account}:policy{}{}",
            reference["Path"].as_str().unwrap_or("/"),
            text(&reference["Name"])
        )
    });
    let of_aws = managed["AttachedManagedPolicies"].as_array().into_iter().flatten().map(|policy| text(&policy["Arn"]));
    for arn in own.chain(of_aws) {
        let attach = [("Action", "AttachRolePolicy"), ("RoleName", name.as_str()), ("PolicyArn", arn.as_str())];
        let (status, text) = iam(upstream, account, &attach).await;
        if status != 200 {
            remove_role(upstream, account, &name).await;
            return Err(format!("policy {arn} is not in the account: {text}"));
        }
    }
    let inline = admin(upstream, "GetInlinePolicyForPermissionSet", &body).await?;
    if let Some(document) = inline["InlinePolicy"].as_str().filter(|document| !document.is_empty()) {
        let put = [
            ("Action", "PutRolePolicy"),
            ("RoleName", name.as_str()),
            ("PolicyName", "AwsSSOInlinePolicy"),
            ("PolicyDocument", document),
        ];
        let (status, text) = iam(upstream, account, &put).await;
        if status != 200 {
            return Err(text);
        }
    }
    Ok(())
}

/// The role that AWS makes in a new account: full rights, and the management account's trust.
pub async fn make_access_role(upstream: &Upstream, account: &str) {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
        "Principal": {"AWS": format!("arn:aws:iam::{MANAGEMENT}:root")}}]})
    .to_string();
    let name = ("RoleName", "OrganizationAccountAccessRole");
    // The process of the organization has made it already, without rights; the account's own may be another.
    iam(upstream, account, &[("Action", "CreateRole"), name, ("AssumeRolePolicyDocument", &trust)]).await;
    let all = ("PolicyArn", "arn:aws:iam::aws:policy/AdministratorAccess");
    let (status, text) = iam(upstream, account, &[("Action", "AttachRolePolicy"), name, all]).await;
    if status != 200 {
        tracing::error!(account, text, "the access role could not be made");
    }
}

async fn remove_policies(upstream: &Upstream, account: &str, name: &str) {
    let (_, text) = iam(upstream, account, &[("Action", "ListAttachedRolePolicies"), ("RoleName", name)]).await;
    for part in text.split("<PolicyArn>").skip(1) {
        let arn = part.split('<').next().unwrap_or_default();
        iam(upstream, account, &[("Action", "DetachRolePolicy"), ("RoleName", name), ("PolicyArn", arn)]).await;
    }
    let inline = [("Action", "DeleteRolePolicy"), ("RoleName", name), ("PolicyName", "AwsSSOInlinePolicy")];
    iam(upstream, account, &inline).await;
}

async fn remove_role(upstream: &Upstream, account: &str, name: &str) {
    remove_policies(upstream, account, name).await;
    iam(upstream, account, &[("Action", "DeleteRole"), ("RoleName", name)]).await;
}
