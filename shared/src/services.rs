//! The services that a course may allow: exactly those whose things the sweep can delete.

/// A service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its word in a course file.
    pub name: &'static str,
    /// IAM's prefixes of its actions.
    pub prefixes: &'static [&'static str],
    /// The kinds that sweep it.
    pub kinds: &'static [&'static str],
}

/// The table. A test holds it against the catalogue of kinds.
pub const SERVICES: &[Service] = &[
    Service { name: "apigateway", prefixes: &["apigateway"], kinds: &["apigateway.rest-api"] },
    Service { name: "cloudformation", prefixes: &["cloudformation"], kinds: &["cloudformation.stack"] },
    Service { name: "cloudfront", prefixes: &["cloudfront"], kinds: &["cloudfront.distribution"] },
    Service { name: "cognito", prefixes: &["cognito-idp"], kinds: &["cognito.user-pool"] },
    Service { name: "dynamodb", prefixes: &["dynamodb"], kinds: &["dynamodb.table"] },
    Service {
        name: "ec2",
        prefixes: &["ec2"],
        kinds: &[
            "ec2.vpc-endpoint",
            "ec2.network-interface",
            "ec2.security-group",
            "ec2.subnet",
            "ec2.route-table",
            "ec2.internet-gateway",
            "ec2.vpc",
            "ec2.key-pair",
        ],
    },
    Service { name: "iam", prefixes: &["iam"], kinds: &["iam.user", "iam.instance-profile", "iam.role", "iam.policy"] },
    Service { name: "lambda", prefixes: &["lambda"], kinds: &["lambda.function"] },
    Service { name: "logs", prefixes: &["logs"], kinds: &["logs.log-group"] },
    Service { name: "s3", prefixes: &["s3"], kinds: &["s3.bucket"] },
    Service {
        name: "sagemaker",
        prefixes: &["sagemaker"],
        kinds: &["sagemaker.notebook-instance", "sagemaker.notebook-lifecycle-config"],
    },
];

/// Services that courses ask for and no kind covers yet: refused with that reason.
pub const NOT_SWEPT: &[&str] = &[
    "athena",
    "backup",
    "batch",
    "bedrock",
    "cloud9",
    "codebuild",
    "codepipeline",
    "ecr",
    "ecs",
    "efs",
    "eks",
    "elasticache",
    "elasticloadbalancing",
    "events",
    "fsx",
    "glue",
    "kinesis",
    "kms",
    "lightsail",
    "opensearch",
    "rds",
    "redshift",
    "route53",
    "secretsmanager",
    "sns",
    "sqs",
    "ssm",
    "states",
    "stepfunctions",
];
