//! Sweeps SageMaker notebooks.

use runtime::SweepAsk;
use sweep_ml::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    let started = runtime::start().await?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("ml", KINDS, Clients::new, &started, ask, call)).await
}
