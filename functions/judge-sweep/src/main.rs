//! Judges what a pass of a sweep listed, and writes the verdict.

use judge_sweep::handle;
use runtime::Started;

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let Started { records, .. } = runtime::start().await?;
    runtime::run(|ask, _| handle(&records, ask)).await
}
