//! Judges what a pass of a sweep listed, and writes the verdict.

use judge_sweep::handle;
use runtime::{Aws, S3Records, Settings};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    let aws = Aws::load(&settings).await;
    let records = S3Records::new(&aws.own, &settings.records);
    runtime::run(|ask, _| handle(&records, ask)).await
}
