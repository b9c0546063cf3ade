//! The local AWS: one gateway on 127.0.0.1 before two emulators, moto and ministack.
//!
//! Member and management accounts are moto's, the operations account is ministack's. The gateway knows every session,
//! refuses what AWS would refuse and the emulators let pass, answers what they lack, and writes every call down.
//! It keeps everything in memory: `down` forgets it.

mod access;
mod answer;
mod bystander;
mod clients;
mod emulators;
mod faults;
mod gateway;
pub mod http;
mod lacking;
mod ledger;
mod operation;
mod slow;
mod strict;
mod tools;
mod upstream;

pub use clients::{Message, Subscriber, config_for, config_for_key};
pub use emulators::{Options, Process, Running, down, status, up};
pub use faults::{Fault, Trouble};
pub use ledger::Call;
pub use tools::{Tools, tools};

use anyhow::Context;
use serde_json::{Value, json};
use std::path::Path;

/// The organization's management account.
pub const MANAGEMENT: &str = "111122223333";
/// The account that Koza is deployed into.
pub const OPERATIONS: &str = "444455556666";
/// Where Koza and Identity Center are.
pub const REGION: &str = "ap-northeast-1";
/// Access key of the management account's administrator; any secret goes with it.
pub const MANAGEMENT_KEY: &str = "AKIAKOZAMANAGEMENT00";
/// Access key of the operations account's administrator; any secret goes with it.
pub const OPERATIONS_KEY: &str = "AKIAKOZAOPERATIONS00";

/// The access key of a function with this role: what is signed with it has that role's rights.
pub fn function_key(role_arn: &str) -> String {
    access::sessions::function_key(role_arn)
}

/// What the gateway's process does: serves until it is ended.
pub async fn serve(dir: &Path) -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    let running = std::fs::read(dir.join("running.json")).context("the emulators are started first")?;
    let running: Running = serde_json::from_slice(&running)?;
    let address = running.endpoint.trim_start_matches("http://");
    let listener = tokio::net::TcpListener::bind(address).await.with_context(|| format!("{address} is taken"))?;
    let upstream = upstream::Upstream::new(running.motos, running.ministack, &running.secret)?;
    let gateway = gateway::Gateway::new(upstream, running.speed, running.seed)?;
    axum::serve(listener, gateway.router()).await?;
    Ok(())
}

/// Signs a user in to the access portal: the token that AWS's portal operations take.
pub async fn sign_in(endpoint: &str, user: &str) -> anyhow::Result<String> {
    let answer = http::post(endpoint, "/_koza/sign-in", &json!({"userName": user})).await?;
    let answer: Value = serde_json::from_str(&answer)?;
    let token = answer["accessToken"].as_str();
    Ok(token.context("no token in the answer")?.to_owned())
}

/// The path of a unit below the root, as `aws:ResourceOrgPaths` has it for everything below that unit. Made, if it is not there.
pub async fn unit_path(endpoint: &str, name: &str) -> anyhow::Result<String> {
    let ask = async |operation: &str, body: Value| {
        let target = format!("AWSOrganizationsV20161128.{operation}");
        http::signed_json(endpoint, MANAGEMENT_KEY, "organizations", &target, &body).await
    };
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an answer without an id");
    let organization = text(&ask("DescribeOrganization", json!({})).await?["Organization"]["Id"])?;
    let root = text(&ask("ListRoots", json!({})).await?["Roots"][0]["Id"])?;
    let units = ask("ListOrganizationalUnitsForParent", json!({"ParentId": root})).await?;
    let found = units["OrganizationalUnits"].as_array().into_iter().flatten().find(|unit| unit["Name"] == name);
    let unit = match found {
        Some(unit) => text(&unit["Id"])?,
        None => {
            let made = ask("CreateOrganizationalUnit", json!({"ParentId": root, "Name": name})).await?;
            text(&made["OrganizationalUnit"]["Id"])?
        }
    };
    Ok(format!("{organization}/{root}/{unit}/*"))
}

/// Sets what Cost Explorer knows: account to day to USD.
pub async fn set_costs(endpoint: &str, costs: &Value) -> anyhow::Result<()> {
    http::post(endpoint, "/_koza/costs", costs).await.map(drop)
}

/// Makes trouble from now on; an empty list ends it.
pub async fn set_faults(endpoint: &str, faults: &[Fault]) -> anyhow::Result<()> {
    http::post(endpoint, "/_koza/faults", &serde_json::to_value(faults)?).await.map(drop)
}

/// Every call so far, oldest first.
pub async fn calls(endpoint: &str) -> anyhow::Result<Vec<Call>> {
    let text = http::get(endpoint, "/_koza/calls").await?;
    text.lines().map(|line| serde_json::from_str(line).context("the ledger cannot be read")).collect()
}

/// Calls by service and operation: how many there were, and how many of them were refused or failed.
pub fn count(calls: &[Call]) -> std::collections::BTreeMap<(String, String), (usize, usize)> {
    let mut counts = std::collections::BTreeMap::new();
    for call in calls {
        let entry: &mut (usize, usize) = counts.entry((call.service.clone(), call.operation.clone())).or_default();
        entry.0 += 1;
        entry.1 += usize::from(call.error.is_some());
    }
    counts
}

/// All that is in the organization and its accounts, by names and never by ids or times, so that two worlds can be compared.
/// Read from the emulators themselves, not by calls. Accounts are named as the organization names them.
pub async fn world(endpoint: &str) -> anyhow::Result<std::collections::BTreeMap<String, Value>> {
    Ok(serde_json::from_str(&http::get(endpoint, "/_koza/world").await?)?)
}

/// Whether the account beside the pool still has what it had.
pub async fn bystander_is_intact(running: &Running) -> anyhow::Result<bool> {
    bystander::is_intact(&running.endpoint, &running.bystander).await
}
