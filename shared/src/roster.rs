//! The roster: CSV with one learner a line, as spreadsheets write it. Full-width characters in an address are read as the
//! plain ones that they stand for (NFKC); names stay as they are.

use crate::complaint::{Complaint, Complaints};
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;

/// One learner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learner {
    /// Address, lower-case: also the user name.
    pub email: String,
    /// Given name; empty where the roster has only one name.
    pub given_name: String,
    /// Family name, or the whole name.
    pub family_name: String,
    /// Line in the file, counted from 1.
    pub line: usize,
}

const EMAIL: &[&str] = &["email", "e-mail", "mail", "emailaddress", "メールアドレス", "メール"];
const GIVEN: &[&str] = &["givenname", "firstname", "given", "名"];
const FAMILY: &[&str] = &["familyname", "lastname", "surname", "family", "姓"];
const WHOLE: &[&str] = &["name", "fullname", "氏名", "名前"];

/// Reads a roster. `file` names it in complaints.
pub fn read(file: &str, bytes: &[u8]) -> Result<Vec<Learner>, Complaints> {
    let mut complaints = Vec::new();
    let mut complain = |line: Option<usize>, problem: String, remedy: &str| {
        complaints.push(Complaint { file: file.to_owned(), line, problem, remedy: remedy.to_owned() });
    };
    let text = match std::str::from_utf8(bytes) {
        // With CRLF the CSV reader counts a record's line before the LF is read.
        Ok(text) => text.trim_start_matches('\u{feff}').replace("\r\n", "\n"),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count() + 1;
            complain(Some(line), "the file is not UTF-8".to_owned(), "save it from the spreadsheet as \"CSV UTF-8\"");
            return Err(Complaints(complaints));
        }
    };
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let headers: Vec<String> = match reader.headers() {
        Ok(headers) => headers.iter().map(plain).collect(),
        Err(error) => {
            complain(
                Some(1),
                format!("the first line cannot be read: {error}"),
                "write the names of the columns there",
            );
            return Err(Complaints(complaints));
        }
    };
    let column = |names: &[&str]| headers.iter().position(|h| names.contains(&h.as_str()));
    let Some(email_column) = column(EMAIL) else {
        complain(
            Some(1),
            "there is no column with e-mail addresses".to_owned(),
            "name one of the columns in the first line \"email\"",
        );
        return Err(Complaints(complaints));
    };
    let (given, family, whole) = (column(GIVEN), column(FAMILY), column(WHOLE));
    let mut learners = Vec::new();
    let mut first: HashMap<String, usize> = HashMap::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                let line = error.position().map(|p| p.line() as usize);
                complain(line, format!("the line cannot be read: {error}"), "mend its quotes");
                continue;
            }
        };
        let line = record.position().map_or(0, |p| p.line() as usize);
        // A spreadsheet's last rows may be empty but for commas.
        if record.iter().all(str::is_empty) {
            continue;
        }
        if record.len() != headers.len() {
            complain(
                Some(line),
                format!("{} columns, but the first line has {}", record.len(), headers.len()),
                "put a value that has a comma in it into quotes, or fill the missing columns",
            );
            continue;
        }
        let email = plain(&record[email_column]);
        if email.is_empty() {
            complain(Some(line), "the e-mail address is empty".to_owned(), "fill it in, or delete the line");
            continue;
        }
        if !is_email(&email) {
            complain(
                Some(line),
                format!("\"{email}\" is not an e-mail address"),
                "write one such as hanako@example.com",
            );
            continue;
        }
        if let Some(before) = first.get(&email) {
            complain(
                Some(line),
                format!("e-mail \"{email}\" appears a second time (first in line {before})"),
                "give each learner one line",
            );
            continue;
        }
        first.insert(email.clone(), line);
        let part = |column: Option<usize>| column.map(|c| record[c].to_owned()).unwrap_or_default();
        let family_name = match (part(family), part(whole)) {
            (family, _) if !family.is_empty() => family,
            (_, whole) if !whole.is_empty() => whole,
            _ => email.split('@').next().unwrap_or_default().to_owned(),
        };
        learners.push(Learner { email, given_name: part(given), family_name, line });
    }
    if learners.is_empty() && complaints.is_empty() {
        complaints.push(Complaint {
            file: file.to_owned(),
            line: None,
            problem: "there is no learner in it".to_owned(),
            remedy: "write one learner a line below the names of the columns".to_owned(),
        });
    }
    match complaints.is_empty() {
        true => Ok(learners),
        false => Err(Complaints(complaints)),
    }
}

/// A word or an address in its plain form: full-width characters folded, lower-case, no spaces around or inside words.
fn plain(text: &str) -> String {
    let folded: String = text.nfkc().collect::<String>().to_lowercase();
    folded.trim().replace([' ', '_'], "")
}

/// Whether this can be an address: AWS takes 6 to 64 ASCII characters with one @ for what a learner signs in with.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    let fine = |part: &str, extra: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && !part.ends_with('.')
            && !part.contains("..")
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || extra.bytes().any(|e| e == b))
    };
    (6..=64).contains(&text.len()) && fine(local, "._%+-'&/=") && fine(domain, ".-") && domain.contains('.')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn complaints(text: &str) -> String {
        read("roster.csv", text.as_bytes()).expect_err("a complaint").to_string()
    }

    #[test]
    fn what_spreadsheets_write_is_fine() {
        let text = "\u{feff}E-Mail,氏名,Remark\r\nＨａｎａｋｏ＠example.com,佐藤 花子,\"left, then back\"\r\nken@example.jp,鈴木 健,\r\n,,\r\n\r\n";
        let learners = read("roster.csv", text.as_bytes()).expect("no complaint");
        let seen: Vec<_> = learners.iter().map(|l| (l.email.as_str(), l.family_name.as_str(), l.line)).collect();
        assert_eq!(seen, [("hanako@example.com", "佐藤 花子", 2), ("ken@example.jp", "鈴木 健", 3)]);
    }

    #[test]
    fn every_complaint_comes_at_once_with_its_line() {
        let text =
            "email,name\na@example.com,A\nA@Example.com,again\n,nobody\nnot-an-address,B\nc@example.com,C,extra\n";
        insta::assert_snapshot!(complaints(text), @r#"
        4 complaints, nothing was changed:
          roster.csv:3: e-mail "a@example.com" appears a second time (first in line 2): give each learner one line
          roster.csv:4: the e-mail address is empty: fill it in, or delete the line
          roster.csv:5: "not-an-address" is not an e-mail address: write one such as hanako@example.com
          roster.csv:6: 3 columns, but the first line has 2: put a value that has a comma in it into quotes, or fill the missing columns
        "#);
    }

    #[test]
    fn a_file_without_addresses_or_learners_or_utf8_is_told() {
        assert!(complaints("name\nA\n").contains("no column with e-mail addresses"));
        assert!(complaints("email,name\n").contains("no learner"));
        assert!(complaints("").contains("no column"));
        let shift_jis = [b"email,name\na@example.com,".as_slice(), &[0x8d, 0xb2, 0x93, 0xa1]].concat();
        let told = read("roster.csv", &shift_jis).expect_err("a complaint").to_string();
        assert!(told.contains("roster.csv:2: the file is not UTF-8"), "{told}");
    }

    #[test]
    fn ten_thousand_lines_are_read() {
        let mut text = String::from("email,name\n");
        for n in 0..10_000 {
            text.push_str(&format!("l{n}@example.com,L{n}\n"));
        }
        assert_eq!(read("roster.csv", text.as_bytes()).expect("no complaint").len(), 10_000);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_complained_about(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Err(complaints) = read("roster.csv", &bytes) {
                prop_assert!(!complaints.0.is_empty());
            }
        }

        #[test]
        fn names_come_through_as_they_are(names in proptest::collection::vec("[\\p{L} ,\"']{1,20}", 1..20)) {
            let mut writer = csv::Writer::from_writer(Vec::new());
            writer.write_record(["email", "familyName"]).unwrap();
            for (n, name) in names.iter().enumerate() {
                writer.write_record([format!("l{n}@example.com").as_str(), name]).unwrap();
            }
            let learners = read("roster.csv", &writer.into_inner().unwrap()).unwrap();
            prop_assert_eq!(learners.len(), names.len());
            for (learner, name) in learners.iter().zip(&names) {
                let kept = name.trim();
                prop_assert!(kept.is_empty() || learner.family_name == kept);
            }
        }
    }
}
