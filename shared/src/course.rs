//! The course file: one YAML document from which everything about a course follows. Read whole, with every complaint at
//! once and the line of each.

use crate::complaint::{Complaint, Complaints};
use crate::money::Usd;
use crate::services::{NOT_SWEPT, SERVICES};
use crate::{CourseId, regions};
use jiff::civil::Date;
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What happens at a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Act {
    /// Somebody is told.
    Alert,
    /// The seat is frozen, and somebody is told.
    Freeze,
}

/// A part of the seat's budget, and what happens there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Threshold {
    /// Percent of the seat's budget, 1-1000.
    pub percent: u32,
    /// What happens.
    #[serde(rename = "do")]
    pub act: Act,
}

/// A course as its file says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Course {
    /// Its id.
    pub course: CourseId,
    /// For people.
    pub title: String,
    /// First day.
    pub starts: Date,
    /// Last day.
    pub ends: Date,
    /// Regions that learners may use.
    pub regions: Vec<String>,
    /// Services that learners may use: words of [`SERVICES`].
    pub services: Vec<String>,
    /// Permission profile.
    pub profile: String,
    /// What one seat may cost, more than zero.
    pub seat_budget_usd: Usd,
    /// Rising, each percentage once.
    pub thresholds: Vec<Threshold>,
    /// Whom to ask; e-mail addresses.
    pub contacts: Vec<String>,
}

/// The profiles that there are.
pub const PROFILES: &[&str] = &["serverless-chatbot"];

const FIELDS: [&str; 11] = [
    "course",
    "title",
    "starts",
    "ends",
    "regions",
    "services",
    "profile",
    "boundary",
    "seatBudgetUsd",
    "thresholds",
    "contacts",
];

impl Course {
    /// Reads a course file. `file` names it in complaints.
    pub fn read(file: &str, text: &str) -> Result<Self, Complaints> {
        let mut reader = Reader { file, complaints: Vec::new() };
        match reader.course(text) {
            Some(course) if reader.complaints.is_empty() => Ok(course),
            _ => Err(Complaints(reader.complaints)),
        }
    }
}

struct Reader<'a> {
    file: &'a str,
    complaints: Vec<Complaint>,
}

/// A field's value and the line of the value.
type Fields<'a, 'y> = BTreeMap<String, &'a MarkedYaml<'y>>;

impl Reader<'_> {
    fn complain(&mut self, line: Option<usize>, problem: impl Into<String>, remedy: impl Into<String>) {
        self.complaints.push(Complaint {
            file: self.file.to_owned(),
            line,
            problem: problem.into(),
            remedy: remedy.into(),
        });
    }

    fn course(&mut self, text: &str) -> Option<Course> {
        self.doubled_fields(text);
        let documents = match MarkedYaml::load_from_str(text.trim_start_matches('\u{feff}')) {
            Ok(documents) => documents,
            Err(error) => {
                self.complain(
                    Some(error.marker().line()),
                    format!("this is not YAML: {}", error.info()),
                    "mend the line; a value with a colon or a # in it goes into quotes",
                );
                return None;
            }
        };
        let Some(YamlData::Mapping(_)) = documents.first().map(|d| &d.data) else {
            self.complain(
                None,
                "there are no fields in it",
                "write one field a line, such as `course: serverless-chatbot-2026`",
            );
            return None;
        };
        let fields = self.fields(&documents[0], &FIELDS, "a course file");
        let id = self.text(&fields, "course").and_then(|(id, line)| self.course_id(id, line));
        let title = self.text(&fields, "title").map(|(title, _)| title);
        let starts = self.date(&fields, "starts");
        let ends = self.date(&fields, "ends");
        if let (Some((starts, _)), Some((ends, line))) = (starts, ends)
            && ends < starts
        {
            self.complain(
                Some(line),
                format!("the course ends on {ends}, before it starts on {starts}"),
                "give an end on or after the start",
            );
        }
        let regions = self.list(&fields, "regions");
        for (region, line) in &regions {
            if !regions::is_known(region) {
                self.unknown("Region", region, *line, regions::all());
            }
        }
        let services = self.list(&fields, "services");
        for (service, line) in &services {
            if SERVICES.iter().any(|s| s.name == service) {
                continue;
            }
            if NOT_SWEPT.contains(&service.as_str()) {
                self.complain(
                    Some(*line),
                    format!("Koza cannot sweep {service} yet, so a course may not allow it"),
                    "leave it out, or add kinds that sweep it (docs/adding-a-kind.md)",
                );
            } else {
                self.unknown("service", service, *line, SERVICES.iter().map(|s| s.name));
            }
        }
        let profile = self.text(&fields, "profile");
        if let Some((profile, line)) = &profile
            && !PROFILES.contains(&profile.as_str())
        {
            self.unknown("profile", profile, *line, PROFILES.iter().copied());
        }
        if let Some(node) = fields.get("boundary") {
            let line = line_of(node);
            match scalar(node).as_deref() {
                // YAML 1.1 readers take `off` for false, so both spellings are met.
                Some("off" | "false") => {}
                Some("required") => self.complain(
                    Some(line),
                    "boundary: required is not in this version",
                    "write `boundary: off`: the SCPs of the course are the ceiling for roles that learners make",
                ),
                _ => self.complain(Some(line), "boundary is neither off nor required", "write `boundary: off`"),
            }
        }
        let budget = self.text(&fields, "seatBudgetUsd").and_then(|(text, line)| self.budget(&text, line));
        let thresholds = self.thresholds(&fields);
        let contacts = self.list(&fields, "contacts");
        for (contact, line) in &contacts {
            if !crate::roster::is_email(contact) {
                self.complain(
                    Some(*line),
                    format!("\"{contact}\" is not an e-mail address"),
                    "write one such as ops@example.com",
                );
            }
        }
        let words = |list: Vec<(String, usize)>| list.into_iter().map(|(word, _)| word).collect();
        Some(Course {
            course: id?,
            title: title?,
            starts: starts?.0,
            ends: ends?.0,
            regions: words(regions),
            services: words(services),
            profile: profile?.0,
            seat_budget_usd: budget?,
            thresholds: thresholds?,
            contacts: words(contacts),
        })
    }

    /// A YAML reader keeps one of two equal keys and says nothing.
    fn doubled_fields(&mut self, text: &str) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        for (n, line) in text.lines().enumerate() {
            let Some((key, _)) = line.split_once(':') else { continue };
            if !FIELDS.contains(&key) {
                continue;
            }
            if let Some(before) = first.insert(key, n + 1) {
                self.complain(
                    Some(n + 1),
                    format!("{key} is there a second time (first in line {before})"),
                    "keep one of them",
                );
            }
        }
    }

    fn fields<'a, 'y>(&mut self, node: &'a MarkedYaml<'y>, known: &[&str], of: &str) -> Fields<'a, 'y> {
        let mut fields = Fields::new();
        let YamlData::Mapping(map) = &node.data else {
            return fields;
        };
        for (key, value) in map {
            let name = scalar(key).unwrap_or_default();
            if known.contains(&name.as_str()) {
                fields.insert(name, value);
            } else {
                let problem = format!("{of} has no field \"{name}\"");
                let remedy = nearest(&name, known.iter().copied()).map_or_else(
                    || format!("its fields are {}", known.join(", ")),
                    |near| format!("did you mean {near}?"),
                );
                self.complain(Some(line_of(key)), problem, remedy);
            }
        }
        fields
    }

    fn unknown(&mut self, what: &str, word: &str, line: usize, known: impl Iterator<Item = &'static str>) {
        let known: Vec<&str> = known.collect();
        let remedy = nearest(word, known.iter().copied())
            .map_or_else(|| format!("use one of {}", known.join(", ")), |near| format!("did you mean {near}?"));
        self.complain(Some(line), format!("there is no {what} \"{word}\""), remedy);
    }

    fn missing(&mut self, name: &str) {
        let example = match name {
            "course" => "course: serverless-chatbot-2026",
            "title" => "title: Serverless chatbots",
            "starts" => "starts: 2026-11-16",
            "ends" => "ends: 2027-01-29",
            "regions" => "regions: [ap-northeast-1]",
            "services" => "services: [s3, lambda]",
            "profile" => "profile: serverless-chatbot",
            "seatBudgetUsd" => "seatBudgetUsd: 20",
            "thresholds" => "thresholds: [{percent: 50, do: alert}, {percent: 100, do: freeze}]",
            _ => "contacts: [ops@example.com]",
        };
        self.complain(None, format!("{name} is missing"), format!("add a line such as `{example}`"));
    }

    fn text(&mut self, fields: &Fields, name: &str) -> Option<(String, usize)> {
        let Some(node) = fields.get(name) else {
            self.missing(name);
            return None;
        };
        match scalar(node).filter(|text| !text.trim().is_empty()) {
            Some(text) => Some((text, line_of(node))),
            None => {
                self.complain(
                    Some(line_of(node)),
                    format!("{name} has no plain value"),
                    "write one value behind the colon",
                );
                None
            }
        }
    }

    fn course_id(&mut self, id: String, line: usize) -> Option<CourseId> {
        let letters = id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        let ends = id.starts_with('-') || id.ends_with('-');
        if letters && !ends && (3..=40).contains(&id.len()) {
            return Some(CourseId(id));
        }
        self.complain(
            Some(line),
            format!("\"{id}\" cannot be a course's id"),
            "use 3 to 40 lower-case letters, digits and hyphens, such as serverless-chatbot-2026",
        );
        None
    }

    fn date(&mut self, fields: &Fields, name: &str) -> Option<(Date, usize)> {
        let (text, line) = self.text(fields, name)?;
        match text.parse::<Date>() {
            Ok(date) => Some((date, line)),
            Err(_) => {
                self.complain(
                    Some(line),
                    format!("{name} is \"{text}\", which is no date"),
                    "write it as year-month-day, such as 2026-11-16",
                );
                None
            }
        }
    }

    fn list(&mut self, fields: &Fields, name: &str) -> Vec<(String, usize)> {
        let Some(node) = fields.get(name) else {
            self.missing(name);
            return Vec::new();
        };
        let line = line_of(node);
        let YamlData::Sequence(items) = &node.data else {
            self.complain(Some(line), format!("{name} is not a list"), format!("write it as `{name}: [one, another]`"));
            return Vec::new();
        };
        if items.is_empty() {
            self.complain(Some(line), format!("{name} is an empty list"), "name at least one");
        }
        let mut words = Vec::new();
        let mut seen = BTreeSet::new();
        for item in items {
            match scalar(item) {
                Some(word) if !seen.insert(word.clone()) => {
                    self.complain(Some(line_of(item)), format!("{name} has \"{word}\" twice"), "keep one of them")
                }
                Some(word) => words.push((word, line_of(item))),
                None => self.complain(
                    Some(line_of(item)),
                    format!("{name} has something that is no word"),
                    "write words only",
                ),
            }
        }
        words
    }

    fn budget(&mut self, text: &str, line: usize) -> Option<Usd> {
        let remedy = "write what one seat may cost in US dollars, such as 20 or 12.50";
        match text.parse::<Usd>() {
            Ok(usd) if usd > Usd::cents(0) => Some(usd),
            Ok(usd) => {
                self.complain(Some(line), format!("a budget of {usd} USD would freeze every seat at once"), remedy);
                None
            }
            Err(error) => {
                self.complain(Some(line), error.to_string(), remedy);
                None
            }
        }
    }

    fn thresholds(&mut self, fields: &Fields) -> Option<Vec<Threshold>> {
        let Some(node) = fields.get("thresholds") else {
            self.missing("thresholds");
            return None;
        };
        let example = "write them as `thresholds: [{percent: 50, do: alert}, {percent: 100, do: freeze}]`";
        let YamlData::Sequence(items) = &node.data else {
            self.complain(Some(line_of(node)), "thresholds is not a list", example);
            return None;
        };
        if items.is_empty() {
            self.complain(Some(line_of(node)), "thresholds is an empty list: nobody would notice a cost", example);
        }
        let mut thresholds: Vec<Threshold> = Vec::new();
        for item in items {
            let line = line_of(item);
            let parts = self.fields(item, &["percent", "do"], "a threshold");
            let percent = parts.get("percent").and_then(|n| scalar(n)).and_then(|t| t.parse::<u32>().ok());
            let act = match parts.get("do").and_then(|n| scalar(n)).as_deref() {
                Some("alert") => Some(Act::Alert),
                Some("freeze") => Some(Act::Freeze),
                _ => None,
            };
            match (percent, act) {
                (Some(percent), _) if !(1..=1_000).contains(&percent) => {
                    self.complain(Some(line), format!("{percent} is no percentage of a budget"), "use 1 to 1000");
                }
                (Some(percent), Some(_)) if thresholds.iter().any(|t| t.percent == percent) => {
                    self.complain(
                        Some(line),
                        format!("there are two thresholds at {percent} percent"),
                        "keep one of them",
                    );
                }
                (Some(percent), Some(act)) => thresholds.push(Threshold { percent, act }),
                _ => self.complain(
                    Some(line),
                    "a threshold needs a whole percentage and what to do",
                    "write it as `{percent: 50, do: alert}`; do is alert or freeze",
                ),
            }
        }
        thresholds.sort_by_key(|t| t.percent);
        Some(thresholds)
    }
}

fn line_of(node: &MarkedYaml) -> usize {
    node.span.start.line()
}

/// A scalar as it stands in the file.
fn scalar(node: &MarkedYaml) -> Option<String> {
    match &node.data {
        YamlData::Representation(text, ..) => Some(text.to_string()),
        YamlData::Value(Scalar::String(text)) => Some(text.to_string()),
        YamlData::Value(Scalar::Integer(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::FloatingPoint(number)) => Some(number.to_string()),
        YamlData::Value(Scalar::Boolean(value)) => Some(value.to_string()),
        _ => None,
    }
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|k| (strsim::damerau_levenshtein(&word.to_lowercase(), &k.to_lowercase()), k))
        .filter(|(distance, _)| *distance <= 3)
        .min()
        .map(|(_, k)| k)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "\
course: serverless-chatbot-2026
title: Serverless chatbots
starts: 2026-11-16
ends: 2027-01-29
regions: [ap-northeast-1, us-east-1]
services: [s3, lambda]
profile: serverless-chatbot
boundary: off
seatBudgetUsd: 20.50
thresholds:
  - {percent: 100, do: freeze}
  - {percent: 50, do: alert}
contacts: [ops@example.com]
";

    fn complaints(text: &str) -> String {
        Course::read("course.yaml", text).expect_err("a complaint").to_string()
    }

    #[test]
    fn a_good_file_is_read_whole() {
        let course = Course::read("course.yaml", GOOD).expect("no complaint");
        assert_eq!(course.course.as_str(), "serverless-chatbot-2026");
        assert_eq!(course.seat_budget_usd, Usd::cents(2_050));
        let percents: Vec<u32> = course.thresholds.iter().map(|t| t.percent).collect();
        assert_eq!(percents, [50, 100]);
    }

    #[test]
    fn every_complaint_comes_at_once_with_its_line_and_what_to_do() {
        let bad = GOOD
            .replace("ends: 2027-01-29", "ends: 2026-01-29")
            .replace("us-east-1", "us-eest-1")
            .replace("lambda]", "lambada, rds]")
            .replace("title:", "titel:")
            .replace("20.50", "0")
            .replace("percent: 50", "percent: 100");
        insta::assert_snapshot!(complaints(&bad), @r#"
        8 complaints, nothing was changed:
          course.yaml:2: a course file has no field "titel": did you mean title?
          course.yaml: title is missing: add a line such as `title: Serverless chatbots`
          course.yaml:4: the course ends on 2026-01-29, before it starts on 2026-11-16: give an end on or after the start
          course.yaml:5: there is no Region "us-eest-1": did you mean us-east-1?
          course.yaml:6: there is no service "lambada": did you mean lambda?
          course.yaml:6: Koza cannot sweep rds yet, so a course may not allow it: leave it out, or add kinds that sweep it (docs/adding-a-kind.md)
          course.yaml:9: a budget of 0.00 USD would freeze every seat at once: write what one seat may cost in US dollars, such as 20 or 12.50
          course.yaml:12: there are two thresholds at 100 percent: keep one of them
        "#);
    }

    #[test]
    fn what_is_no_course_file_at_all_is_told() {
        assert!(complaints("").contains("there are no fields in it"));
        assert!(complaints("a: [").contains("this is not YAML"));
        assert!(complaints(&format!("{GOOD}course: other\n")).contains("second time (first in line 1)"));
    }
}
