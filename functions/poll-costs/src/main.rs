//! Reads what every seat costs and says what is to be told and who is to be frozen.

use organization::OrganizationsReader;
use poll_costs::{AwsCosts, handle};
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    let costs = AwsCosts::new(&aws.management(ManagementRole::CostReader).await);
    runtime::run(|ask, call| handle(&reader, &costs, &records, &settings.names, ask, call.now)).await
}
