//! Gives a seat its roles and policies.

use prepare_seat::{Ask, AwsIam, handle};
use runtime::{Aws, Started};
use shared::Fault;
use shared::names::MemberRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let (aws, records, settings) = (&aws, &records, &settings);
    runtime::run(|ask: Ask, call| async move {
        let account = ask.seat().account;
        // A new account has no other way in than the role that AWS made in it.
        let config = match &ask {
            Ask::Pool { .. } => aws.access_role(&account, "koza-prepare-seat").await,
            _ => aws.member(&account, MemberRole::Operator, "koza-prepare-seat").await,
        };
        let identity = match (Aws::identity(&config).await, &ask) {
            // In the first minutes of an account its access role cannot be assumed everywhere.
            (Err(fault @ Fault::Refused(_)), Ask::Pool { seat, .. }) => {
                return Err(Fault::because(Fault::Transient, format!("entering {seat}"), fault));
            }
            (identity, _) => identity?,
        };
        handle(&AwsIam::new(&config), records, settings, &identity, ask, call.now).await
    })
    .await
}
