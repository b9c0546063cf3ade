//! Every policy document that Koza writes, as pure functions: SCPs, trusts, roles' and learners' permissions.
//!
//! In SCPs our roles are exempt by exact ARN (any account, path and name written out), never by a name pattern, so that
//! the probe is never exempt by accident.

use crate::AccountId;
use crate::Fault;
use crate::names::{ACCESS_ROLE, FixedPolicy, IDENTITY_CENTER_PATH, MemberRole, Names, PATH};
use crate::plan::CoursePlan;
use crate::services::{SERVICES, Service};
use crate::sweep::catalogue::KINDS;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Largest SCP in characters, white space included ("Quotas for AWS Organizations"; newer copies say 10,240).
pub const MOST_SCP_CHARACTERS: usize = 5_120;
/// Largest customer managed policy in characters, white space not counted (IAM quotas).
pub const MOST_MANAGED_CHARACTERS: usize = 6_144;

/// Services whose calls have no Region of their own: a Region deny would cut them off.
const GLOBAL: [&str; 7] = ["iam", "sts", "cloudfront", "route53", "support", "health", "organizations"];

fn scp(statements: Vec<Value>) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The roles that our denies do not bind, with any account in the ARN: an SCP binds only principals of the pool.
fn exempt(names: &Names, roles: &[MemberRole], access_role: bool) -> Vec<String> {
    let any = AccountId::from("*");
    let mut arns: Vec<String> = roles.iter().map(|r| names.member_role_arn(&any, *r)).collect();
    if access_role {
        arns.push(crate::names::access_role_arn(&any));
    }
    arns
}

const OURS: [MemberRole; 4] = [MemberRole::Operator, MemberRole::Reader, MemberRole::Sweeper, MemberRole::Keeper];

/// One of the fixed SCPs.
pub fn fixed(names: &Names, policy: FixedPolicy) -> Value {
    let ours = exempt(names, &OURS, true);
    let others = json!({"ArnNotLike": {"aws:PrincipalArn": ours}});
    match policy {
        FixedPolicy::Floor => floor(names, &others),
        FixedPolicy::Resting | FixedPolicy::Frozen => scp(vec![json!({
            "Sid": "OnlyUs", "Effect": "Deny", "Action": "*", "Resource": "*", "Condition": others
        })]),
        FixedPolicy::Active => scp(vec![json!({
            "Sid": "OurSweeperOnlyReads", "Effect": "Deny", "NotAction": reading_actions(), "Resource": "*",
            "Condition": {"ArnLike": {"aws:PrincipalArn":
                exempt(names, &[MemberRole::Sweeper, MemberRole::Keeper], false)}}
        })]),
        FixedPolicy::Closing => scp(vec![
            json!({
                "Sid": "NoPeople", "Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {"ArnLike": {"aws:PrincipalArn": [
                    format!("arn:aws:iam::*:role{IDENTITY_CENTER_PATH}*"),
                    "arn:aws:iam::*:user/*".to_owned(),
                    names.member_role_arn(&"*".into(), MemberRole::Probe),
                ]}}
            }),
            // Deletion by AWS's services and by learners' own roles goes through: a seal that denies everything
            // blocks its own cure.
            json!({
                "Sid": "NothingNew", "Effect": "Deny", "Action": creating_actions(), "Resource": "*",
                "Condition": others
            }),
        ]),
    }
}

fn floor(names: &Names, others: &Value) -> Value {
    let not_access_role = json!({"ArnNotLike": {"aws:PrincipalArn": exempt(names, &OURS, true)}});
    scp(vec![
        json!({
            "Sid": "OursIsOurs", "Effect": "Deny",
            "Action": [
                "iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:PassRole", "iam:Put*",
                "iam:Remove*", "iam:Set*", "iam:Tag*", "iam:Untag*", "iam:Update*", "sts:AssumeRole"
            ],
            "Resource": [
                format!("arn:aws:iam::*:role{PATH}*"),
                format!("arn:aws:iam::*:policy{PATH}*"),
                format!("arn:aws:iam::*:role/{ACCESS_ROLE}"),
            ],
            "Condition": not_access_role
        }),
        json!({
            "Sid": "NotTheOrganization", "Effect": "Deny",
            "Action": [
                "organizations:*", "sso:*", "sso-directory:*", "identitystore:*", "account:EnableRegion",
                "account:DisableRegion", "account:CloseAccount", "iam:CreateSAMLProvider", "iam:CreateOpenIDConnectProvider",
                "iam:CreateUser", "iam:CreateAccessKey", "iam:CreateLoginProfile", "iam:CreateServiceSpecificCredential",
                "iam:CreateAccountAlias", "iam:DeleteAccountAlias", "rolesanywhere:*"
            ],
            "Resource": "*", "Condition": others
        }),
        json!({
            "Sid": "NothingForEver", "Effect": "Deny",
            "Action": [
                "aws-marketplace:Subscribe", "backup:PutBackupVaultLockConfiguration", "dynamodb:PurchaseReservedCapacityOfferings",
                "ec2:CreateCapacityReservation", "ec2:PurchaseHostReservation", "ec2:PurchaseReservedInstancesOffering",
                "ec2:LockSnapshot", "glacier:CompleteVaultLock", "rds:PurchaseReservedDBInstancesOffering",
                "route53domains:RegisterDomain", "route53domains:TransferDomain", "s3:PutBucketObjectLockConfiguration",
                "savingsplans:CreateSavingsPlan"
            ],
            "Resource": "*", "Condition": others
        }),
        json!({
            "Sid": "NoLockForEver", "Effect": "Deny",
            "Action": ["s3:PutObject", "s3:PutObjectRetention"], "Resource": "*",
            "Condition": {
                "StringEquals": {"s3:object-lock-mode": "COMPLIANCE"},
                "ArnNotLike": {"aws:PrincipalArn": exempt(names, &OURS, true)}
            }
        }),
    ])
}

/// IAM's prefix of an action.
fn prefix(action: &str) -> &str {
    action.split(':').next().unwrap_or(action)
}

/// `s3:Get*`, `s3:List*`, `s3:Describe*` for every service that a kind reads; plus what has another verb.
fn reading_actions() -> Vec<String> {
    let mut actions = BTreeSet::from(["account:ListRegions".to_owned(), "sts:*".to_owned()]);
    for action in KINDS.iter().flat_map(|k| k.reads) {
        let verb = action.split_once(':').map(|(_, v)| v).unwrap_or_default();
        let family = ["Get", "List", "Describe"].iter().find(|family| verb.starts_with(**family));
        actions.insert(match family {
            Some(family) => format!("{}:{family}*", prefix(action)),
            None => (*action).to_owned(),
        });
    }
    actions.into_iter().collect()
}

/// What makes something new, for every service that a course can allow.
fn creating_actions() -> Vec<String> {
    let mut actions = Vec::new();
    for service in SERVICES {
        for prefix in service.prefixes {
            if *prefix == "apigateway" {
                actions.extend(["apigateway:POST", "apigateway:PUT"].map(str::to_owned));
            } else {
                actions.push(format!("{prefix}:Create*"));
            }
        }
    }
    actions.extend(
        [
            "ec2:RunInstances",
            "ec2:RequestSpot*",
            "iam:Attach*",
            "iam:Put*",
            "lambda:AddPermission",
            "lambda:UpdateFunction*",
            "s3:PutBucket*",
            "s3:PutObject",
            "sagemaker:Start*",
        ]
        .map(str::to_owned),
    );
    actions.sort();
    actions.dedup();
    actions
}

/// The SCPs of a course: only its services, only its Regions. One document while it fits, more when it does not.
pub fn course(names: &Names, plan: &CoursePlan) -> Vec<Value> {
    let others = json!({"aws:PrincipalArn": exempt(names, &OURS, true)});
    let mut allowed: Vec<String> =
        allowed_services(plan).flat_map(|s| s.prefixes.iter().map(|p| format!("{p}:*"))).collect();
    allowed.extend(["sts:*", "support:*", "health:*"].map(str::to_owned));
    allowed.sort();
    let mut without_region: Vec<String> = GLOBAL.iter().map(|g| format!("{g}:*")).collect();
    without_region.push("s3:ListAllMyBuckets".to_owned());
    vec![scp(vec![
        json!({
            "Sid": "OnlyItsServices", "Effect": "Deny", "NotAction": allowed, "Resource": "*",
            "Condition": {"ArnNotLike": others}
        }),
        json!({
            "Sid": "OnlyItsRegions", "Effect": "Deny", "NotAction": without_region, "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": plan.regions}, "ArnNotLike": others}
        }),
    ])]
}

fn allowed_services(plan: &CoursePlan) -> impl Iterator<Item = &'static Service> + '_ {
    SERVICES.iter().filter(|s| plan.services.iter().any(|wanted| wanted == s.name))
}

/// What the learner policies say between courses: nothing that matters.
pub fn learner_base() -> Vec<Value> {
    let nothing = || {
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "Nothing", "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*"
        }]})
    };
    vec![nothing(), nothing()]
}

/// What the learner policies say in a course: its services in the first, roles and whom they may be passed to in the
/// second.
pub fn learner(plan: &CoursePlan) -> Vec<Value> {
    let services: Vec<String> = allowed_services(plan)
        .flat_map(|s| s.prefixes.iter())
        .filter(|p| **p != "iam")
        .map(|p| format!("{p}:*"))
        .chain(["sts:GetCallerIdentity".to_owned()])
        .collect();
    let passed_to: Vec<&str> = allowed_services(plan)
        .filter_map(|s| match s.name {
            "cloudformation" => Some("cloudformation.amazonaws.com"),
            "lambda" => Some("lambda.amazonaws.com"),
            "apigateway" => Some("apigateway.amazonaws.com"),
            "sagemaker" => Some("sagemaker.amazonaws.com"),
            "ec2" => Some("ec2.amazonaws.com"),
            _ => None,
        })
        .collect();
    let mut second = vec![json!({
        "Sid": "LookAtRoles", "Effect": "Allow", "Action": ["iam:Get*", "iam:List*"], "Resource": "*"
    })];
    if plan.services.iter().any(|s| s == "iam") {
        second.push(json!({
            "Sid": "MakeRoles", "Effect": "Allow",
            "Action": [
                "iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:CreatePolicy*",
                "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeletePolicy*", "iam:DeleteRole*", "iam:DetachRolePolicy",
                "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:SetDefaultPolicyVersion", "iam:Tag*",
                "iam:Untag*", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole*"
            ],
            "Resource": "*"
        }));
        if !passed_to.is_empty() {
            second.push(json!({
                "Sid": "PassRoles", "Effect": "Allow", "Action": "iam:PassRole", "Resource": "*",
                "Condition": {"StringEquals": {"iam:PassedToService": passed_to}}
            }));
        }
    }
    vec![
        json!({"Version": "2012-10-17", "Statement": [{
            "Sid": "ItsServices", "Effect": "Allow", "Action": services, "Resource": "*"
        }]}),
        json!({"Version": "2012-10-17", "Statement": second}),
    ]
}

/// Whom a member role of ours trusts: the operations account, and there only what lies under our path. Never a role's
/// ARN: a role that is made again would break every trust.
pub fn member_trust(operations: &AccountId, account: &AccountId, role: MemberRole) -> Value {
    let statement = match role {
        MemberRole::Keeper => json!({
            "Effect": "Allow", "Principal": {"Service": "cloudformation.amazonaws.com"}, "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"aws:SourceAccount": account}}
        }),
        _ => json!({
            "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{operations}:root")},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:PrincipalArn": format!("arn:aws:iam::{operations}:role{PATH}*")}}
        }),
    };
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

/// The inline policy of a member role of ours; its name is the role's word.
pub fn member_policy(names: &Names, account: &AccountId, role: MemberRole) -> Option<Value> {
    let statements = match role {
        MemberRole::Probe | MemberRole::Keeper => return None,
        MemberRole::Reader => vec![json!({
            "Sid": "List", "Effect": "Allow", "Action": reads(), "Resource": "*"
        })],
        MemberRole::Sweeper => {
            let writes: BTreeSet<&str> = KINDS.iter().flat_map(|k| k.writes).copied().collect();
            vec![
                json!({"Sid": "List", "Effect": "Allow", "Action": reads(), "Resource": "*"}),
                json!({"Sid": "Delete", "Effect": "Allow", "Action": writes, "Resource": "*"}),
                json!({
                    "Sid": "HandTheKeeperToCloudFormation", "Effect": "Allow", "Action": "iam:PassRole",
                    "Resource": names.member_role_arn(account, MemberRole::Keeper),
                    "Condition": {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
                }),
            ]
        }
        MemberRole::Operator => vec![
            json!({
                "Sid": "OurRolesAndPolicies", "Effect": "Allow",
                "Action": [
                    "iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:CreateRole",
                    "iam:DeletePolicyVersion", "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:DetachRolePolicy",
                    "iam:GetPolicy", "iam:GetPolicyVersion", "iam:GetRole", "iam:GetRolePolicy",
                    "iam:ListAttachedRolePolicies", "iam:ListPolicyVersions", "iam:ListRolePolicies",
                    "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"
                ],
                "Resource": [
                    format!("arn:aws:iam::{account}:role{PATH}*"), format!("arn:aws:iam::{account}:policy{PATH}*")
                ]
            }),
            // A role is asked for and deleted by its name alone: of one that is not there AWS does not know the path, and a deletion
            // whose answer got lost is asked again.
            json!({
                "Sid": "TheKeeperWhenItIsNotThere", "Effect": "Allow", "Action": ["iam:DeleteRole", "iam:GetRole"],
                "Resource": format!("arn:aws:iam::{account}:role/{}", names.member_role(MemberRole::Keeper))
            }),
            json!({
                "Sid": "Alias", "Effect": "Allow", "Action": ["iam:CreateAccountAlias", "iam:ListAccountAliases"],
                "Resource": "*"
            }),
        ],
    };
    Some(json!({"Version": "2012-10-17", "Statement": statements}))
}

fn reads() -> BTreeSet<&'static str> {
    KINDS.iter().flat_map(|k| k.reads).copied().chain(["account:ListRegions"]).collect()
}

/// ARNs of the managed policies that are attached to a member role of ours.
pub fn member_attached(names: &Names, account: &AccountId, role: MemberRole) -> BTreeSet<String> {
    match role {
        // Whatever a stack holds, CloudFormation must be able to delete it; the floor bounds it, and it exists only
        // while the account is closing.
        MemberRole::Keeper => ["arn:aws:iam::aws:policy/AdministratorAccess".to_owned()].into(),
        MemberRole::Probe => {
            (1..=crate::names::LEARNER_POLICIES).map(|n| names.learner_policy_arn(account, n)).collect()
        }
        _ => BTreeSet::new(),
    }
}

/// The document as AWS is given it: minified, and refused when it is larger than AWS takes.
pub fn minified(name: &str, document: &Value, most: usize) -> Result<String, Fault> {
    let text = document.to_string();
    match text.chars().count() {
        n if n <= most => Ok(text),
        n => Err(Fault::invalid(format!(
            "policy {name} would have {n} characters, and AWS takes {most}: allow fewer services or Regions"
        ))),
    }
}

/// All SCPs of an installation and a course by name, as AWS is given them.
pub fn scps(names: &Names, plan: Option<&CoursePlan>) -> Result<BTreeMap<String, String>, Fault> {
    let mut all = BTreeMap::new();
    for policy in FixedPolicy::ALL {
        let name = names.policy(policy);
        let text = minified(&name, &fixed(names, policy), MOST_SCP_CHARACTERS)?;
        all.insert(name, text);
    }
    if let Some(plan) = plan {
        for (n, document) in course(names, plan).iter().enumerate() {
            let name = names.course_policy(&plan.course, n + 1);
            let text = minified(&name, document, MOST_SCP_CHARACTERS)?;
            all.insert(name, text);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names::new("koza", "aws+{seat}@example.com")
    }

    #[test]
    fn every_fixed_policy_fits_and_none_exempts_the_probe() {
        for (name, text) in scps(&names(), None).expect("all fit") {
            assert!(text.len() <= MOST_SCP_CHARACTERS, "{name}: {}", text.len());
            let document: Value = serde_json::from_str(&text).expect("JSON");
            for statement in document["Statement"].as_array().expect("list") {
                let exempt = &statement["Condition"]["ArnNotLike"]["aws:PrincipalArn"];
                assert!(!exempt.to_string().contains("probe"), "{name}");
                assert!(!exempt.to_string().contains("koza/*"), "{name}: by exact name");
            }
        }
    }

    #[test]
    fn the_sweeper_can_only_read_where_active_is_attached() {
        let active = fixed(&names(), FixedPolicy::Active);
        let readable: Vec<String> = serde_json::from_value(active["Statement"][0]["NotAction"].clone()).expect("list");
        let covered = |action: &str| {
            readable.iter().any(|r| match r.strip_suffix('*') {
                Some(start) => action.starts_with(start),
                None => action == r,
            })
        };
        for kind in KINDS {
            assert!(kind.reads.iter().all(|a| covered(a)), "{}", kind.id);
            let deletes = kind.writes.iter().filter(|a| a.contains(":Delete"));
            assert!(deletes.into_iter().all(|a| !covered(a)), "{}", kind.id);
        }
    }

    #[test]
    fn roles_policies_fit_where_iam_puts_them() {
        let account = AccountId::from("111111111111");
        for role in MemberRole::ALL {
            if let Some(p) = member_policy(&names(), &account, role) {
                // Inline policies of a role: 10,240 characters together (IAM quotas).
                assert!(p.to_string().len() < 10_240, "{role:?}");
            }
        }
        for p in learner_base() {
            assert!(p.to_string().len() < MOST_MANAGED_CHARACTERS);
        }
    }
}
