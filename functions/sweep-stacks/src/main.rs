//! Sweeps CloudFormation stacks.

use runtime::SweepAsk;
use sweep_stacks::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("stacks", KINDS, Clients::new, &started, ask, call)).await
}
