//! What learners build, by AWS's own API and with nothing but their seat's credentials.

use anyhow::{Context, anyhow, bail};
use aws_config::SdkConfig;
use aws_sdk_s3::primitives::ByteStream;
use aws_smithy_types::DateTime;
use koza_local::REGION;
use serde_json::json;
use std::fmt::Debug;
use std::time::Duration;

/// What a learner makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Project {
    /// The stack, a user pool, a distribution, roles and policies.
    Chatbot,
    /// The same, and then the stack's execution role is deleted.
    ChatbotWithoutItsRole,
    /// The same, and a network without internet with a notebook in service.
    ClosedNetwork,
}

/// How many of what were made.
#[derive(Clone, Debug, Default)]
pub struct Built {
    /// Counts by what it is.
    pub counts: Vec<(&'static str, usize)>,
}

/// The template of the course.
const CHATBOT: &str = include_str!("../../../examples/courses/serverless-chatbot/chatbot.yaml");
/// AWS's policy for whoever may do everything in the account, up to the course's limits.
const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// An SDK error in plain words.
fn told<E, R>(doing: &str) -> impl Fn(aws_smithy_runtime_api::client::result::SdkError<E, R>) -> anyhow::Error
where
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
    R: Debug,
{
    let doing = doing.to_owned();
    move |error| anyhow!("{doing}: {}", runtime::text(&error))
}

/// Builds a project in a seat.
pub async fn build(config: &SdkConfig, account: &str, seat: &str, project: Project) -> anyhow::Result<Built> {
    let stack = format!("chatbot-{seat}");
    let mut built = Built::default();
    let mut made = |what, count| built.counts.push((what, count));

    roles(config, account).await?;
    made("IAM roles", 2);
    made("IAM policies", 1);
    let bucket = deploy(config, account, &stack).await?;
    made("stacks", 1);
    made("objects in versioned buckets", objects(config, &bucket).await?);
    user_pool(config, &stack).await?;
    made("protected user pools", 1);
    distribution(config, &bucket).await?;
    made("CloudFront distributions", 1);
    match project {
        Project::Chatbot => {}
        Project::ChatbotWithoutItsRole => delete_the_deployer(config).await?,
        Project::ClosedNetwork => {
            closed_network(config, account).await?;
            made("closed networks", 1);
            made("notebooks", 1);
        }
    }
    Ok(built)
}

fn trust(service: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"
    }]})
    .to_string()
}

/// The stack's execution role, and the function's role with a policy of the learner's own.
async fn roles(config: &SdkConfig, account: &str) -> anyhow::Result<()> {
    let iam = aws_sdk_iam::Client::new(config);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": ["dynamodb:*Item", "dynamodb:Query", "logs:*"], "Resource": "*"
    }]});
    iam.create_policy()
        .policy_name("chatbot-table-access")
        .policy_document(policy.to_string())
        .send()
        .await
        .map_err(told("making a policy"))?;
    for (role, service, policy) in [
        ("chatbot-deployer", "cloudformation.amazonaws.com", ADMINISTRATOR.to_owned()),
        ("chatbot-function", "lambda.amazonaws.com", format!("arn:aws:iam::{account}:policy/chatbot-table-access")),
    ] {
        iam.create_role()
            .role_name(role)
            .assume_role_policy_document(trust(service))
            .send()
            .await
            .map_err(told("making a role"))?;
        iam.attach_role_policy().role_name(role).policy_arn(policy).send().await.map_err(told("attaching a policy"))?;
    }
    Ok(())
}

/// Deploys the course's template with the execution role; the bucket's name.
async fn deploy(config: &SdkConfig, account: &str, stack: &str) -> anyhow::Result<String> {
    let client = aws_sdk_cloudformation::Client::new(config);
    let role = aws_sdk_cloudformation::types::Parameter::builder()
        .parameter_key("FunctionRole")
        .parameter_value(format!("arn:aws:iam::{account}:role/chatbot-function"))
        .build();
    client
        .create_stack()
        .stack_name(stack)
        .template_body(CHATBOT)
        .parameters(role)
        .role_arn(format!("arn:aws:iam::{account}:role/chatbot-deployer"))
        .send()
        .await
        .map_err(told("making the stack"))?;
    for _ in 0..600 {
        let answer = client.describe_stacks().stack_name(stack).send().await.map_err(told("reading the stack"))?;
        let found = answer.stacks().first().context("the stack is gone")?;
        match found.stack_status().map(|s| s.as_str()) {
            Some("CREATE_COMPLETE") => {
                let bucket = found.outputs().iter().find(|o| o.output_key() == Some("Bucket"));
                let bucket = bucket.and_then(|o| o.output_value()).context("the stack has no output Bucket")?;
                return Ok(bucket.to_owned());
            }
            Some("CREATE_IN_PROGRESS") => tokio::time::sleep(Duration::from_millis(100)).await,
            other => bail!("the stack ended as {other:?}: {:?}", found.stack_status_reason()),
        }
    }
    bail!("the stack was not made in time")
}

/// Versions, and a delete marker on top of one.
async fn objects(config: &SdkConfig, bucket: &str) -> anyhow::Result<usize> {
    let s3 = aws_sdk_s3::Client::new(config);
    let texts = ["first draft", "second draft", "質問と回答"];
    for text in texts {
        s3.put_object()
            .bucket(bucket)
            .key("conversations/今日.txt")
            .body(ByteStream::from_static(text.as_bytes()))
            .send()
            .await
            .map_err(told("writing an object"))?;
    }
    s3.delete_object().bucket(bucket).key("conversations/今日.txt").send().await.map_err(told("deleting an object"))?;
    Ok(texts.len())
}

async fn user_pool(config: &SdkConfig, name: &str) -> anyhow::Result<()> {
    aws_sdk_cognitoidentityprovider::Client::new(config)
        .create_user_pool()
        .pool_name(name)
        .deletion_protection(aws_sdk_cognitoidentityprovider::types::DeletionProtectionType::Active)
        .send()
        .await
        .map_err(told("making a user pool"))?;
    Ok(())
}

async fn distribution(config: &SdkConfig, bucket: &str) -> anyhow::Result<()> {
    use aws_sdk_cloudfront::types::{
        DefaultCacheBehavior, DistributionConfig, Origin, Origins, S3OriginConfig, ViewerProtocolPolicy,
    };
    let origin = Origin::builder()
        .id("bucket")
        .domain_name(format!("{bucket}.s3.amazonaws.com"))
        .s3_origin_config(S3OriginConfig::builder().origin_access_identity("").build())
        .build()?;
    let behaviour = DefaultCacheBehavior::builder()
        .target_origin_id("bucket")
        .viewer_protocol_policy(ViewerProtocolPolicy::RedirectToHttps)
        .cache_policy_id("658327ea-f89d-4fab-a63d-7e88639e58f6")
        .build()?;
    let wanted = DistributionConfig::builder()
        .caller_reference(bucket)
        .comment("chatbot")
        .enabled(true)
        .origins(Origins::builder().quantity(1).items(origin).build()?)
        .default_cache_behavior(behaviour)
        .build()?;
    aws_sdk_cloudfront::Client::new(config)
        .create_distribution()
        .distribution_config(wanted)
        .send()
        .await
        .map_err(told("making a distribution"))?;
    Ok(())
}

/// Then the stack cannot be deleted by its owner any more.
async fn delete_the_deployer(config: &SdkConfig) -> anyhow::Result<()> {
    let iam = aws_sdk_iam::Client::new(config);
    iam.detach_role_policy()
        .role_name("chatbot-deployer")
        .policy_arn(ADMINISTRATOR)
        .send()
        .await
        .map_err(told("detaching a policy"))?;
    iam.delete_role().role_name("chatbot-deployer").send().await.map_err(told("deleting a role"))?;
    Ok(())
}

/// A VPC without internet, endpoints in it, two security groups that refer to each other, and a notebook in service.
async fn closed_network(config: &SdkConfig, account: &str) -> anyhow::Result<()> {
    use aws_sdk_ec2::types::{IpPermission, UserIdGroupPair, VpcEndpointType};
    let ec2 = aws_sdk_ec2::Client::new(config);
    let vpc = ec2.create_vpc().cidr_block("10.20.0.0/16").send().await.map_err(told("making a VPC"))?;
    let vpc = vpc.vpc.and_then(|v| v.vpc_id).context("a VPC without an id")?;
    let call = ec2.create_subnet().vpc_id(&vpc).cidr_block("10.20.1.0/24");
    let subnet = call.send().await.map_err(told("making a subnet"))?.subnet.and_then(|s| s.subnet_id);
    let subnet = subnet.context("a subnet without an id")?;
    let table = ec2.create_route_table().vpc_id(&vpc).send().await.map_err(told("making a route table"))?;
    let table = table.route_table.and_then(|t| t.route_table_id).context("a route table without an id")?;
    ec2.associate_route_table()
        .route_table_id(&table)
        .subnet_id(&subnet)
        .send()
        .await
        .map_err(told("associating a route table"))?;
    let mut groups = Vec::new();
    for name in ["notebook", "endpoint"] {
        let call = ec2.create_security_group().group_name(name).description(name).vpc_id(&vpc);
        groups.push(call.send().await.map_err(told("making a security group"))?.group_id.context("no id")?);
    }
    for (from, to) in [(0, 1), (1, 0)] {
        let rule = IpPermission::builder()
            .ip_protocol("tcp")
            .from_port(443)
            .to_port(443)
            .user_id_group_pairs(UserIdGroupPair::builder().group_id(&groups[to]).build())
            .build();
        let call = ec2.authorize_security_group_ingress().group_id(&groups[from]).ip_permissions(rule);
        call.send().await.map_err(told("writing a rule"))?;
    }
    ec2.create_vpc_endpoint()
        .vpc_id(&vpc)
        .vpc_endpoint_type(VpcEndpointType::Gateway)
        .service_name(format!("com.amazonaws.{REGION}.s3"))
        .route_table_ids(&table)
        .send()
        .await
        .map_err(told("making a gateway endpoint"))?;
    ec2.create_vpc_endpoint()
        .vpc_id(&vpc)
        .vpc_endpoint_type(VpcEndpointType::Interface)
        .service_name(format!("com.amazonaws.{REGION}.sagemaker.api"))
        .subnet_ids(&subnet)
        .security_group_ids(&groups[1])
        .send()
        .await
        .map_err(told("making an interface endpoint"))?;
    ec2.create_key_pair().key_name("notebook").send().await.map_err(told("making a key pair"))?;
    notebook(config, account, &subnet, &groups[0]).await
}

async fn notebook(config: &SdkConfig, account: &str, subnet: &str, group: &str) -> anyhow::Result<()> {
    let iam = aws_sdk_iam::Client::new(config);
    iam.create_role()
        .role_name("chatbot-notebook")
        .assume_role_policy_document(trust("sagemaker.amazonaws.com"))
        .send()
        .await
        .map_err(told("making a role"))?;
    let sagemaker = aws_sdk_sagemaker::Client::new(config);
    sagemaker
        .create_notebook_instance_lifecycle_config()
        .notebook_instance_lifecycle_config_name("chatbot-start")
        .send()
        .await
        .map_err(told("making a lifecycle configuration"))?;
    sagemaker
        .create_notebook_instance()
        .notebook_instance_name("chatbot-notebook")
        .instance_type(aws_sdk_sagemaker::types::InstanceType::MlT3Medium)
        .role_arn(format!("arn:aws:iam::{account}:role/chatbot-notebook"))
        .lifecycle_config_name("chatbot-start")
        .subnet_id(subnet)
        .security_group_ids(group)
        .send()
        .await
        .map_err(told("making a notebook"))?;
    Ok(())
}

/// Puts an object that nobody can delete for years into a bucket; the bucket's name.
pub async fn lock_an_object_for_ever(config: &SdkConfig, name: &str) -> anyhow::Result<String> {
    use aws_sdk_s3::types::ObjectLockMode;
    let s3 = aws_sdk_s3::Client::new(config);
    let bucket = format!("koza-demo-locked-{name}");
    let call = s3.create_bucket().bucket(&bucket).object_lock_enabled_for_bucket(true);
    call.create_bucket_configuration(here()).send().await.map_err(told("making a bucket"))?;
    let until = jiff::Timestamp::now().as_second() + 5 * 365 * 24 * 3_600;
    s3.put_object()
        .bucket(&bucket)
        .key("kept.txt")
        .body(ByteStream::from_static(b"kept"))
        .object_lock_mode(ObjectLockMode::Compliance)
        .object_lock_retain_until_date(DateTime::from_secs(until))
        .send()
        .await
        .map_err(told("locking an object"))?;
    Ok(bucket)
}

/// Lets a stranger assume a role of ours.
pub async fn edit_the_trust_of_a_kept_role(config: &SdkConfig, role: &str) -> anyhow::Result<()> {
    let iam = aws_sdk_iam::Client::new(config);
    let answer = iam.get_role().role_name(role).send().await.map_err(told("reading a role"))?;
    let trust = answer.role.and_then(|r| r.assume_role_policy_document).unwrap_or_default();
    let mut trust = iam::document(&trust);
    let stranger =
        json!({"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::666677778888:root"}, "Action": "sts:AssumeRole"});
    trust["Statement"].as_array_mut().context("a trust policy without statements")?.push(stranger);
    let call = iam.update_assume_role_policy().role_name(role).policy_document(trust.to_string());
    call.send().await.map_err(told("editing a trust policy"))?;
    Ok(())
}

fn here() -> aws_sdk_s3::types::CreateBucketConfiguration {
    aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into()).build()
}

/// A harmless thing that a learner may do.
pub async fn try_to_create_a_bucket(config: &SdkConfig, name: &str) -> anyhow::Result<()> {
    let call = aws_sdk_s3::Client::new(config).create_bucket().bucket(name).create_bucket_configuration(here());
    call.send().await.map_err(told("making a bucket"))?;
    Ok(())
}

/// What our sweeper must not be able to do in an active seat.
pub async fn try_to_delete_a_bucket(config: &SdkConfig, name: &str) -> anyhow::Result<()> {
    let call = aws_sdk_s3::Client::new(config).delete_bucket().bucket(name);
    call.send().await.map_err(told("deleting a bucket"))?;
    Ok(())
}
