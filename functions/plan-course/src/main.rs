//! Plans a course before anything is changed, and its closing.

use organization::OrganizationsReader;
use plan_course::handle;
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let reader = OrganizationsReader::new(&aws.management(ManagementRole::OrganizationReader).await);
    runtime::run(|ask, _| handle(&reader, &records, &settings.names, ask)).await
}
