//! Creates the accounts that the pool lacks, at AWS's pace, and never one too many.

use organization::{OrganizationsReader, OrganizationsWriter};
use provision_accounts::handle;
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    let writer = OrganizationsWriter::new(&aws.management(ManagementRole::PoolWriter).await);
    runtime::run(|ask, _| handle(&reader, &writer, &records, &settings.names, ask)).await
}
