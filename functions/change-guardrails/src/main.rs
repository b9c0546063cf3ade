//! Writes organizational units and service control policies: the pool's, a course's, a frozen seat's.

use change_guardrails::handle;
use organization::{OrganizationsReader, OrganizationsWriter};
use runtime::{Aws, S3Records, Settings};
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    let management = aws.management(ManagementRole::GuardrailWriter).await;
    let (reader, writer) = (OrganizationsReader::new(&management), OrganizationsWriter::new(&management));
    runtime::run(|ask, _| handle(&reader, &writer, &records, &settings.names, ask)).await
}
