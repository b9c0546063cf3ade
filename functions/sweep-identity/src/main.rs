//! Sweeps IAM, but for what is ours.

use runtime::SweepAsk;
use sweep_identity::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("identity", KINDS, Clients::new, &started, ask, call)).await
}
