//! What the demo says while it runs, and what it proved.

use crate::report::{Chapter, Proof};
use std::time::Instant;

/// Prints the story to standard error as it happens, and keeps it.
#[derive(Debug)]
pub struct Tale {
    chapters: Vec<Chapter>,
    began: Instant,
}

impl Tale {
    /// A story that begins now.
    pub fn begin() -> Self {
        Self { chapters: Vec::new(), began: Instant::now() }
    }

    /// Begins a chapter.
    pub fn chapter(&mut self, heading: &str) {
        eprintln!("\n{heading}");
        self.chapters.push(Chapter { heading: heading.to_owned(), ..Chapter::default() });
    }

    /// Says a line.
    pub fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        eprintln!("  {:>5.1}s  {line}", self.began.elapsed().as_secs_f64());
        if let Some(chapter) = self.chapters.last_mut() {
            chapter.lines.push(line);
        }
    }

    /// Says what was proved, or not.
    pub fn prove(&mut self, claim: &str, holds: bool, seen: impl Into<String>) {
        let seen = seen.into();
        let mark = if holds { "proved" } else { "NOT SO" };
        eprintln!("  {:>5.1}s  {mark}: {claim} ({seen})", self.began.elapsed().as_secs_f64());
        if let Some(chapter) = self.chapters.last_mut() {
            chapter.proofs.push(Proof { claim: claim.to_owned(), holds, seen });
        }
    }

    /// The story so far.
    pub fn chapters(&self) -> &[Chapter] {
        &self.chapters
    }

    /// Everything that was claimed.
    pub fn proofs(&self) -> impl Iterator<Item = &Proof> {
        self.chapters.iter().flat_map(|c| &c.proofs)
    }
}
