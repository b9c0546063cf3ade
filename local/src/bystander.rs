//! An account of the organization that is no seat, with things that nobody of ours may touch.

use crate::http::{self, Signer};
use crate::{MANAGEMENT_KEY, REGION};

const BUCKET: &str = "production-ledger-of-the-bystander";
const ROLE: &str = "production-application";

async fn signer(endpoint: &str, account: &str) -> anyhow::Result<Signer> {
    let role = format!("arn:aws:iam::{account}:role/OrganizationAccountAccessRole");
    Ok(Signer::key(&http::assume(endpoint, MANAGEMENT_KEY, &role).await?))
}

/// Puts a bucket with an object and a role into the account.
pub async fn furnish(endpoint: &str, account: &str) -> anyhow::Result<()> {
    let signer = signer(endpoint, account).await?;
    let here = format!(
        "<CreateBucketConfiguration><LocationConstraint>{REGION}</LocationConstraint></CreateBucketConfiguration>"
    );
    http::put(endpoint, &signer, "s3", &format!("/{BUCKET}"), &here).await?;
    http::put(endpoint, &signer, "s3", &format!("/{BUCKET}/2026/ledger.csv"), "day,usd\n").await?;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#;
    let form =
        [("Action", "CreateRole"), ("Version", "2010-05-08"), ("RoleName", ROLE), ("AssumeRolePolicyDocument", trust)];
    http::form(endpoint, &signer, "iam", &form).await?;
    Ok(())
}

/// Whether all of it is still there.
pub async fn is_intact(endpoint: &str, account: &str) -> anyhow::Result<bool> {
    let signer = signer(endpoint, account).await?;
    let object = http::get_signed(endpoint, &signer, "s3", &format!("/{BUCKET}/2026/ledger.csv")).await;
    let form = [("Action", "GetRole"), ("Version", "2010-05-08"), ("RoleName", ROLE)];
    let role = http::form(endpoint, &signer, "iam", &form).await;
    Ok(object.is_ok_and(|text| text.starts_with("day,usd")) && role.is_ok())
}
