//! Moves seats from one organizational unit to another: the state of a seat is where it is.

use move_seats::handle;
use organization::{OrganizationsReader, OrganizationsWriter};
use runtime::Started;
use shared::names::ManagementRole;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { settings, aws, records } = runtime::start().await?;
    let management = aws.management(ManagementRole::PoolWriter).await;
    let (reader, writer) = (OrganizationsReader::new(&management), OrganizationsWriter::new(&management));
    runtime::run(|ask, call| handle(&reader, &writer, &records, &settings.names, settings.clock, ask, call)).await
}
