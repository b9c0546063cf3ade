//! Whether a whole course fits: accounts with ten resources each, and the memory of all processes.
//!
//! `cargo bench -p koza-local --bench size [-- ACCOUNTS]`; the emulators are installed on the first run, as by `koza local up`.

use anyhow::Context;
use futures::StreamExt;
use koza_local::http::{self, Signer};
use koza_local::{MANAGEMENT_KEY, Options, REGION, Running};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// As many as the course that Koza grew out of.
const ACCOUNTS: usize = 1_425;
const MOST_GIGABYTES: f64 = 8.0;
/// Everything that takes AWS's time is over at once: memory is measured, not time.
const SPEED: f64 = 1_000_000.0;

fn root() -> PathBuf {
    PathBuf::from("..").canonicalize().expect("the checkout")
}

/// Memory that is in use now, of a process and all that it has started: bytes.
fn resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

async fn make_account(endpoint: &str, n: usize) -> anyhow::Result<String> {
    let ask = async |operation: &str, body: serde_json::Value| {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        http::signed_json(endpoint, MANAGEMENT_KEY, "organizations", &target, &body).await
    };
    let made =
        ask("CreateAccount", json!({"AccountName": format!("a{n}"), "Email": format!("a{n}@example.com")})).await?;
    let request = made["CreateAccountStatus"]["Id"].clone();
    loop {
        let status = ask("DescribeCreateAccountStatus", json!({"CreateAccountRequestId": request})).await?;
        if let Some(id) = status["CreateAccountStatus"]["AccountId"].as_str() {
            return Ok(id.to_owned());
        }
    }
}

/// Two buckets, a role, a policy, a topic, a table, a log group, a user pool, a security group, a queue.
async fn furnish(endpoint: &str, account: &str) -> anyhow::Result<()> {
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    let key = http::assume(endpoint, MANAGEMENT_KEY, &role).await?;
    let signer = Signer::key(&key);
    let here = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    for n in 0..2 {
        http::put(endpoint, &signer, "s3", &format!("/course-{account}-{n}"), &here).await?;
    }
    let document = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    for (service, form) in [
        ("iam", vec![("Action", "CreateRole"), ("RoleName", "mine"), ("AssumeRolePolicyDocument", trust)]),
        ("iam", vec![("Action", "CreatePolicy"), ("PolicyName", "mine"), ("PolicyDocument", document)]),
        ("sns", vec![("Action", "CreateTopic"), ("Name", "mine")]),
        ("ec2", vec![("Action", "CreateSecurityGroup"), ("GroupName", "mine"), ("GroupDescription", "mine")]),
    ] {
        http::form(endpoint, &signer, service, &form).await.with_context(|| form[0].1)?;
    }
    let table = json!({"TableName": "mine", "BillingMode": "PAY_PER_REQUEST",
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]});
    for (service, target, body) in [
        ("dynamodb", "DynamoDB_20120810.CreateTable", table),
        ("logs", "Logs_20140328.CreateLogGroup", json!({"logGroupName": "/aws/lambda/mine"})),
        ("cognito-idp", "AWSCognitoIdentityProviderService.CreateUserPool", json!({"PoolName": "mine"})),
        ("sqs", "AmazonSQS.CreateQueue", json!({"QueueName": "mine"})),
    ] {
        http::signed_json(endpoint, &key, service, target, &body).await.with_context(|| target)?;
    }
    Ok(())
}

async fn measure(running: &Running, accounts: usize) -> anyhow::Result<()> {
    let endpoint = running.endpoint.as_str();
    let memory = || running.processes.iter().map(|p| resident(p.pid)).sum::<u64>() as f64 / 1e9;
    println!("empty: {:.2} GB in {} processes", memory(), running.processes.len());
    let began = Instant::now();
    let mut ids = Vec::new();
    for n in 0..accounts {
        ids.push(make_account(endpoint, n).await?);
    }
    println!("{accounts} accounts: {:.2} GB, {:.0} s", memory(), began.elapsed().as_secs_f64());
    let began = Instant::now();
    let mut furnished = futures::stream::iter(&ids).map(|id| furnish(endpoint, id)).buffer_unordered(8);
    while let Some(done) = furnished.next().await {
        done?;
    }
    let (seconds, used) = (began.elapsed().as_secs_f64(), memory());
    println!("ten resources in each: {used:.2} GB, {seconds:.0} s, {:.0} calls/s", accounts as f64 * 11.0 / seconds);
    println!("{:.2} of the {MOST_GIGABYTES} GB that it may take", used / MOST_GIGABYTES);
    Ok(())
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    // Started again as the gateway's own process.
    if let [serve, dir] = arguments.as_slice()
        && serve == "serve"
    {
        return koza_local::serve(Path::new(dir)).await;
    }
    let accounts = arguments.first().map_or(Ok(ACCOUNTS), |n| n.parse()).context("how many accounts, as a number")?;
    let tools = std::env::var_os("KOZA_TOOLS").map_or_else(|| root().join("target/koza/tools"), PathBuf::from);
    let dir = root().join("target/koza/bench");
    let options = Options { dir: dir.clone(), tools, port: 0, speed: SPEED, seed: 1 };
    let mut serve = Command::new(std::env::current_exe()?);
    serve.arg("serve").arg(&dir);
    koza_local::down(&dir).await?;
    let running = koza_local::up(&options, serve, |line| println!("{line}")).await?;
    let measured = measure(&running, accounts).await;
    koza_local::down(&dir).await?;
    measured
}
