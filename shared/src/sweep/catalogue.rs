//! Every kind, a row each. IAM policies of our roles, the SCP `active`, the services a course may allow and
//! `docs/kinds.md` are made from these rows.

/// Where a kind is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In each Region.
    Regional,
    /// Once, through us-east-1.
    Global,
}

/// What is known of a kind without asking AWS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// `service.thing`.
    pub id: &'static str,
    /// The sweep function that has it: `storage` is `sweep-storage`.
    pub family: &'static str,
    /// The service's word in a course file ([`crate::services`]).
    pub service: &'static str,
    /// Where it is listed.
    pub scope: Scope,
    /// Its CloudFormation type.
    pub cloudformation: &'static str,
    /// IAM actions for listing; the reader has these and nothing else.
    pub reads: &'static [&'static str],
    /// IAM actions for disarming and deleting; the sweeper has these too.
    pub writes: &'static [&'static str],
    /// Kinds of the same family that go first.
    pub after: &'static [&'static str],
    /// What people should know: how it goes, and what stays.
    pub note: &'static str,
}

const fn kind(
    id: &'static str,
    family: &'static str,
    service: &'static str,
    scope: Scope,
    cloudformation: &'static str,
) -> Facts {
    Facts { id, family, service, scope, cloudformation, reads: &[], writes: &[], after: &[], note: "" }
}

use Scope::{Global, Regional};

/// The rows.
pub const KINDS: &[Facts] = &[
    Facts {
        reads: &["cloudformation:ListStacks", "cloudformation:DescribeStacks"],
        writes: &["cloudformation:UpdateTerminationProtection", "cloudformation:DeleteStack"],
        note: "Root stacks only, always with our keeper role, so a stack goes even when its own execution role is gone; after DELETE_FAILED by FORCE_DELETE_STACK.",
        ..kind("cloudformation.stack", "stacks", "cloudformation", Regional, "AWS::CloudFormation::Stack")
    },
    Facts {
        reads: &["lambda:ListFunctions"],
        writes: &["lambda:DeleteFunction"],
        ..kind("lambda.function", "serverless", "lambda", Regional, "AWS::Lambda::Function")
    },
    Facts {
        reads: &["apigateway:GET"],
        writes: &["apigateway:DELETE"],
        note: "AWS takes one deletion of a REST API in 30 seconds an account.",
        ..kind("apigateway.rest-api", "serverless", "apigateway", Regional, "AWS::ApiGateway::RestApi")
    },
    Facts {
        reads: &["cognito-idp:ListUserPools", "cognito-idp:DescribeUserPool"],
        writes: &["cognito-idp:UpdateUserPool", "cognito-idp:DeleteUserPoolDomain", "cognito-idp:DeleteUserPool"],
        note: "Deletion protection is switched off first, its domain goes before it.",
        ..kind("cognito.user-pool", "serverless", "cognito", Regional, "AWS::Cognito::UserPool")
    },
    Facts {
        reads: &["cloudfront:ListDistributions"],
        writes: &["cloudfront:GetDistributionConfig", "cloudfront:UpdateDistribution", "cloudfront:DeleteDistribution"],
        note: "Disabled first; AWS deletes it only when that is deployed.",
        ..kind("cloudfront.distribution", "serverless", "cloudfront", Global, "AWS::CloudFront::Distribution")
    },
    Facts {
        reads: &[
            "s3:ListAllMyBuckets",
            "s3:ListBucketVersions",
            "s3:ListBucketMultipartUploads",
            "s3:GetBucketObjectLockConfiguration",
            "s3:GetObjectRetention",
        ],
        writes: &[
            "s3:DeleteBucketPolicy",
            "s3:AbortMultipartUpload",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:BypassGovernanceRetention",
            "s3:PutObjectLegalHold",
            "s3:DeleteBucket",
        ],
        note: "Emptied of all versions, delete markers and unfinished uploads first. What a COMPLIANCE lock holds cannot go: the account is reported with the date.",
        ..kind("s3.bucket", "storage", "s3", Regional, "AWS::S3::Bucket")
    },
    Facts {
        reads: &["dynamodb:ListTables", "dynamodb:DescribeTable"],
        writes: &["dynamodb:UpdateTable", "dynamodb:DeleteTable"],
        note: "Deletion protection is switched off first.",
        ..kind("dynamodb.table", "storage", "dynamodb", Regional, "AWS::DynamoDB::Table")
    },
    Facts {
        reads: &["logs:DescribeLogGroups"],
        writes: &["logs:DeleteLogGroup"],
        note: "A function that still runs makes its log group again: a later pass takes it.",
        ..kind("logs.log-group", "storage", "logs", Regional, "AWS::Logs::LogGroup")
    },
    Facts {
        reads: &["sagemaker:ListNotebookInstances"],
        writes: &["sagemaker:StopNotebookInstance", "sagemaker:DeleteNotebookInstance"],
        note: "Stopped first.",
        ..kind("sagemaker.notebook-instance", "ml", "sagemaker", Regional, "AWS::SageMaker::NotebookInstance")
    },
    Facts {
        reads: &["sagemaker:ListNotebookInstanceLifecycleConfigs"],
        writes: &["sagemaker:DeleteNotebookInstanceLifecycleConfig"],
        after: &["sagemaker.notebook-instance"],
        ..kind(
            "sagemaker.notebook-lifecycle-config",
            "ml",
            "sagemaker",
            Regional,
            "AWS::SageMaker::NotebookInstanceLifecycleConfig",
        )
    },
    Facts {
        reads: &["ec2:DescribeVpcEndpoints"],
        writes: &["ec2:DeleteVpcEndpoints"],
        ..kind("ec2.vpc-endpoint", "network", "ec2", Regional, "AWS::EC2::VPCEndpoint")
    },
    Facts {
        reads: &["ec2:DescribeNetworkInterfaces"],
        writes: &["ec2:DetachNetworkInterface", "ec2:DeleteNetworkInterface"],
        after: &["ec2.vpc-endpoint"],
        note: "One that AWS manages goes with its owner.",
        ..kind("ec2.network-interface", "network", "ec2", Regional, "AWS::EC2::NetworkInterface")
    },
    Facts {
        reads: &["ec2:DescribeSecurityGroups"],
        writes: &["ec2:RevokeSecurityGroupIngress", "ec2:RevokeSecurityGroupEgress", "ec2:DeleteSecurityGroup"],
        after: &["ec2.network-interface"],
        note: "All rules of all groups go before any group, so that groups that refer to each other can go.",
        ..kind("ec2.security-group", "network", "ec2", Regional, "AWS::EC2::SecurityGroup")
    },
    Facts {
        reads: &["ec2:DescribeSubnets"],
        writes: &["ec2:DeleteSubnet"],
        after: &["ec2.network-interface"],
        note: "The default VPC's stay.",
        ..kind("ec2.subnet", "network", "ec2", Regional, "AWS::EC2::Subnet")
    },
    Facts {
        reads: &["ec2:DescribeRouteTables"],
        writes: &["ec2:DisassociateRouteTable", "ec2:DeleteRouteTable"],
        after: &["ec2.subnet"],
        note: "A VPC's main table goes with the VPC.",
        ..kind("ec2.route-table", "network", "ec2", Regional, "AWS::EC2::RouteTable")
    },
    Facts {
        reads: &["ec2:DescribeInternetGateways"],
        writes: &["ec2:DetachInternetGateway", "ec2:DeleteInternetGateway"],
        after: &["ec2.network-interface"],
        note: "The default VPC's stays.",
        ..kind("ec2.internet-gateway", "network", "ec2", Regional, "AWS::EC2::InternetGateway")
    },
    Facts {
        reads: &["ec2:DescribeVpcs"],
        writes: &["ec2:DeleteVpc"],
        after: &["ec2.vpc-endpoint", "ec2.security-group", "ec2.subnet", "ec2.route-table", "ec2.internet-gateway"],
        note: "The default VPC stays.",
        ..kind("ec2.vpc", "network", "ec2", Regional, "AWS::EC2::VPC")
    },
    Facts {
        reads: &["ec2:DescribeKeyPairs"],
        writes: &["ec2:DeleteKeyPair"],
        ..kind("ec2.key-pair", "network", "ec2", Regional, "AWS::EC2::KeyPair")
    },
    Facts {
        reads: &[
            "iam:ListUsers",
            "iam:ListAccessKeys",
            "iam:ListUserPolicies",
            "iam:ListAttachedUserPolicies",
            "iam:ListGroupsForUser",
        ],
        writes: &[
            "iam:DeleteAccessKey",
            "iam:DeleteLoginProfile",
            "iam:DeleteUserPolicy",
            "iam:DetachUserPolicy",
            "iam:RemoveUserFromGroup",
            "iam:DeleteUser",
        ],
        ..kind("iam.user", "identity", "iam", Global, "AWS::IAM::User")
    },
    Facts {
        reads: &["iam:ListInstanceProfiles"],
        writes: &["iam:RemoveRoleFromInstanceProfile", "iam:DeleteInstanceProfile"],
        ..kind("iam.instance-profile", "identity", "iam", Global, "AWS::IAM::InstanceProfile")
    },
    Facts {
        reads: &["iam:GetAccountAuthorizationDetails", "iam:ListRolePolicies", "iam:ListAttachedRolePolicies"],
        writes: &[
            "iam:DeleteRolePolicy",
            "iam:DetachRolePolicy",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRole",
        ],
        after: &["iam.instance-profile"],
        note: "Last of all. Ours, AWS's own and the access role are kept, and must be exactly as expected.",
        ..kind("iam.role", "identity", "iam", Global, "AWS::IAM::Role")
    },
    Facts {
        reads: &["iam:GetAccountAuthorizationDetails", "iam:ListPolicyVersions"],
        writes: &["iam:DeletePolicyVersion", "iam:DeletePolicy"],
        after: &["iam.user", "iam.role"],
        note: "Customer managed ones. The learner policies are kept, and must be exactly as expected.",
        ..kind("iam.policy", "identity", "iam", Global, "AWS::IAM::ManagedPolicy")
    },
];

/// The row of a kind. Ids are checked by a test over the whole catalogue, so an unknown one is a mistake in the code.
pub fn facts(id: &str) -> Option<&'static Facts> {
    KINDS.iter().find(|k| k.id == id)
}

/// Whether a sweep function's kinds are exactly its family's rows, each once: every function has a test that asks this.
pub fn is_whole(family: &str, ids: &[&str]) -> bool {
    let mut rows: Vec<&str> = KINDS.iter().filter(|k| k.family == family).map(|k| k.id).collect();
    let mut ids = ids.to_vec();
    rows.sort_unstable();
    ids.sort_unstable();
    rows == ids
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_unique_and_say_their_service() {
        let ids: BTreeSet<_> = KINDS.iter().map(|k| k.id).collect();
        assert_eq!(ids.len(), KINDS.len());
        for k in KINDS {
            assert_eq!(k.id.split('.').next(), Some(k.service), "{}", k.id);
            assert!(!k.reads.is_empty() && !k.writes.is_empty(), "{}", k.id);
        }
    }

    #[test]
    fn what_goes_first_exists_in_the_same_family_and_has_no_cycle() {
        for k in KINDS {
            let mut seen = BTreeSet::new();
            let mut open = vec![k];
            while let Some(next) = open.pop() {
                for before in next.after {
                    let row = facts(before).unwrap_or_else(|| panic!("{}: {before}", k.id));
                    assert_eq!(row.family, k.family, "{}", k.id);
                    assert_ne!(row.id, k.id, "cycle");
                    if seen.insert(row.id) {
                        open.push(row);
                    }
                }
            }
        }
    }

    #[test]
    fn every_service_a_course_may_allow_has_exactly_these_kinds() {
        for service in crate::services::SERVICES {
            let ours: BTreeSet<_> = KINDS.iter().filter(|k| k.service == service.name).map(|k| k.id).collect();
            let theirs: BTreeSet<_> = service.kinds.iter().copied().collect();
            assert_eq!(ours, theirs, "{}", service.name);
        }
    }
}
