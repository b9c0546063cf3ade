//! Sweeps what is stored: buckets, tables, log groups.

use runtime::SweepAsk;
use sweep_storage::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("storage", KINDS, Clients::new, &started, ask, call)).await
}
