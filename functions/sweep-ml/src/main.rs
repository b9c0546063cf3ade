//! Sweeps SageMaker notebooks.

use runtime::{Settings, SweepAsk};
use sweep_ml::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("ml", KINDS, Clients::new, &settings, ask, call)).await
}
