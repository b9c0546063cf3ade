//! The independent count of what is left: `tests/leftovers.py` reads with boto3, not with our own listing code.

use crate::workspace::Workspace;
use anyhow::{Context, bail};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// Something that is still in an account.
#[derive(Clone, Debug, Deserialize, serde::Serialize)]
pub struct Leftover {
    /// What it is, in CloudFormation's words.
    pub r#type: String,
    /// Its id.
    pub id: String,
    /// Where.
    pub region: String,
}

/// What is in each of these accounts.
pub fn count(
    workspace: &Workspace,
    endpoint: &str,
    accounts: &[String],
) -> anyhow::Result<BTreeMap<String, Vec<Leftover>>> {
    let tools = koza_local::tools(&workspace.tools(), |_| ())?;
    let list = workspace.demo().join("accounts.json");
    std::fs::create_dir_all(workspace.demo())?;
    std::fs::write(&list, serde_json::to_vec(accounts)?)?;
    let output = Command::new(&tools.python)
        .arg(workspace.root().join("tests/leftovers.py"))
        .args(["--endpoint", endpoint, "--accounts"])
        .arg(&list)
        .stdin(Stdio::null())
        .output()
        .context("tests/leftovers.py could not be started")?;
    if !output.status.success() {
        bail!("tests/leftovers.py failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("tests/leftovers.py did not print JSON")
}
