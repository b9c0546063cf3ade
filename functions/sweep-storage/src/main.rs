//! Sweeps what is stored: buckets, tables, log groups.

use runtime::{Settings, SweepAsk};
use sweep_storage::{Clients, KINDS};

#[tokio::main]
async fn main() -> Result<(), runtime::Error> {
    runtime::logs();
    let settings = Settings::read()?;
    runtime::run(|ask: SweepAsk, call| runtime::sweep("storage", KINDS, Clients::new, &settings, ask, call)).await
}
