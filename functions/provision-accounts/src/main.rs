//! Creates the accounts that the pool lacks, at AWS's pace, and never one too many.

use organization::{OrganizationsReader, OrganizationsWriter};
use provision_accounts::handle;
use runtime::{Aws, S3Records, Settings};
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    let writer = OrganizationsWriter::new(&aws.management(ManagementRole::PoolWriter).await);
    runtime::run(|ask, _| handle(&reader, &writer, &records, &settings.names, ask)).await
}
