//! `koza report`.

use crate::output::{Context, Need};
use crate::report::Data;
use serde_json::json;
use shared::CourseId;
use std::path::PathBuf;

/// Write a course's report: one HTML page that needs nothing else
#[derive(Debug, clap::Args)]
pub struct Report {
    /// The course's id
    course: String,
    /// Where to write it; COURSE.html without this
    #[arg(long, short)]
    output: Option<PathBuf>,
}

impl Report {
    /// Runs it.
    pub async fn run(self, context: &Context) -> anyhow::Result<Need> {
        let koza = context.koza().await?;
        let data = Data::read(&koza, &CourseId(self.course.clone())).await?;
        let path = self.output.unwrap_or_else(|| PathBuf::from(format!("{}.html", self.course)));
        std::fs::write(&path, data.html()?)?;
        context.print(&json!({"report": path}), path.display());
        Ok(Need::Nothing)
    }
}
