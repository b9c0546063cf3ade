//! Whole stories on the local AWS, through the `koza` command as a person would. They start what they need and end it.

use serde_json::{Value, json};
use tests::{Ledger, ONE, Story, course, make_a_bucket, roster, start_by_hand, writes};

#[test]
fn the_demo_is_true() {
    let _one = ONE.blocking_lock();
    let story = Story::begin("demo");
    let said = story.koza(&["demo", "--learners", "8"]);
    assert_eq!(said.code, 0, "{}", said.told);
    for (number, wanted) in [
        ("learners", 8),
        ("accessProved", 8),
        ("frozen", 1),
        ("clean", 6),
        ("quarantined", 2),
        ("leftovers", 0),
        ("outsideDeletes", 0),
    ] {
        assert_eq!(said.json[number], json!(wanted), "{number}: {}", said.told);
    }
    let written = std::fs::read(story.state.join("demo/result.json")).expect("result.json");
    assert_eq!(serde_json::from_slice::<Value>(&written).expect("JSON"), said.json);
    let page = std::fs::read_to_string(story.state.join("demo/report.html")).expect("report.html");
    assert!(page.contains("COMPLIANCE") && page.contains("koza-0005"), "the report names who is in quarantine and why");
    for outside in ["http://", "https://", "<script", "<link", "@import", "url("] {
        assert!(!page.contains(outside), "the report is one file and asks for nothing: {outside}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_seats_serve_one_course_after_another() {
    let _one = ONE.lock().await;
    let story = Story::begin("courses");
    let endpoint = story.up(&[]);
    let mut ledger = Ledger::of(&endpoint);

    let filled = story.local(&["pool", "fill", "--seats", "4"]);
    assert_eq!(filled.code, 0, "{}", filled.told);
    let pool = story.local(&["pool", "status"]);
    assert_eq!(pool.json["states"], json!({"Available": 4}), "{}", pool.told);
    let seats = pool.json["seats"].as_array().expect("seats").clone();
    let account = |n: usize| seats[n]["account"].as_str().expect("an account");
    let everything = writes(&ledger.news().await);
    assert!(everything.iter().any(|w| w.contains("CreateAccount in")), "the ledger does see writes");
    assert_eq!(story.local(&["pool", "fill", "--seats", "4"]).code, 0);
    ledger.nothing_was_written("a full pool is left alone").await;

    wrong_files(&story);
    story.file("first/course.yaml", &course("first-2026"));
    story.file("first/roster.csv", &roster(5));
    let many = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!(many.code, 2, "{}", many.told);
    assert!(many.told.contains("5 learners, but 4 seats are Available"), "{}", many.told);
    wrong_inputs(&endpoint).await;
    ledger.nothing_was_written("wrong input changes nothing").await;

    story.file("first/roster.csv", &roster(3));
    let plan = story.local(&["course", "plan", &story.folder("first")]);
    assert_eq!((plan.code, plan.json["seats"].as_array().map(Vec::len)), (0, Some(3)), "{}", plan.told);
    ledger.nothing_was_written("a plan changes nothing").await;
    let opened = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!((opened.code, &opened.json["proved"]), (0, &json!(3)), "{}", opened.told);
    ledger.news().await;
    let again = story.local(&["course", "open", &story.folder("first")]);
    assert_eq!((again.code, &again.json["changed"]), (0, &json!(false)), "{}", again.told);
    ledger.nothing_was_written("an open course is left alone").await;

    let frozen = story.local(&["freeze", "koza-0002", "--reason", "asked by the teacher"]);
    assert_eq!(frozen.code, 0, "{}", frozen.told);
    assert_eq!(story.local(&["thaw", "koza-0002", "--reason", "it is fine"]).code, 0);
    assert_eq!(story.local(&["freeze", "koza-0004", "--reason", "nobody is there"]).code, 2);
    assert_eq!(story.local(&["freeze", "koza-0099", "--reason", "no such seat"]).code, 2);

    make_a_bucket(&endpoint, account(0), "left-by-the-first-course").await;
    make_a_bucket(&endpoint, account(3), "left-in-an-available-seat").await;
    ledger.news().await;
    let planned = story.local(&["sweep", "koza-0001"]);
    assert_eq!(planned.code, 0, "{}", planned.told);
    assert!(planned.json["found"].to_string().contains("left-by-the-first-course"), "{}", planned.json);
    let active = story.local(&["sweep", account(0), "--delete"]);
    assert_eq!((active.code, &active.json["error"]), (1, &json!("Refused")), "{}", active.told);
    ledger.nothing_was_written("a plan deletes nothing, and a seat in a course is not swept").await;
    assert_eq!(story.leftovers(&endpoint, &[account(0)]).len(), 1, "the other reader sees the bucket");
    let by_hand = story.local(&["sweep", "koza-0004", "--delete"]);
    assert_eq!((by_hand.code, &by_hand.json["judgement"]["verdict"]), (0, &json!("clean")), "{}", by_hand.told);
    assert_eq!(story.leftovers(&endpoint, &[account(3)]), Vec::<Value>::new());

    let costs = story.local(&["costs", "--poll"]);
    assert_eq!((costs.code, &costs.json["watched"]["unknown"]), (0, &json!(3)), "missing is unknown: {}", costs.told);
    let status = story.local(&["course", "status", "first-2026"]);
    assert_eq!((status.code, &status.json["proved"]), (0, &json!(3)), "{}", status.told);
    let report = story.folder("first.html");
    assert_eq!(story.local(&["report", "first-2026", "--output", &report]).code, 0);
    assert!(std::fs::read_to_string(report).expect("a report").contains("小さな講座"));

    let closed = story.local(&["course", "close", "first-2026"]);
    assert_eq!((closed.code, &closed.json["clean"]), (0, &json!(3)), "{}", closed.told);
    assert_eq!(story.leftovers(&endpoint, &[account(0), account(1), account(2)]), Vec::<Value>::new());
    ledger.news().await;
    let again = story.local(&["course", "close", "first-2026"]);
    assert_eq!(again.code, 2, "{}", again.told);
    ledger.nothing_was_written("a closed course is left alone").await;

    story.file("second/course.yaml", &course("second-2026"));
    story.file("second/roster.csv", &roster(4));
    let second = story.local(&["course", "open", &story.folder("second")]);
    assert_eq!((second.code, &second.json["proved"]), (0, &json!(4)), "{}", second.told);
    let calls = ledger.news().await;
    let count = |operation: &str| calls.iter().filter(|c| c.operation == operation).count();
    assert_eq!((count("CreateAccount"), count("CreateAccountAssignment"), count("CreateGroup")), (0, 0, 0));
    assert_eq!(count("CreateGroupMembership"), 4, "enrolment only");
}

/// All complaints at once, each with file, line and what to do, and exit code 2.
fn wrong_files(story: &Story) {
    story.file("wrong/course.yaml", "course: x\ntitle: X\nstarts: 2026-02-01\nends: 2026-01-01\nregions: [tokyo-1]\nservices: [s4]\nprofile: serverless-chatbot\nseatBudgetUsd: 0\nbudgett: 3\nthresholds:\n  - {percent: 100, do: freeze}\ncontacts: [a@example.com]\n");
    story.file(
        "wrong/roster.csv",
        "email,name\na@example.com,A\nA@example.com,B\n,C\nno-address,D\nd@example.com,D,too many\n",
    );
    let said = story.koza(&["course", "check", &story.folder("wrong")]);
    assert_eq!(said.code, 2);
    let complaints = said.json["complaints"].as_array().expect("complaints");
    for (line, word) in [(4, "before it starts"), (5, "tokyo-1"), (6, "s4"), (8, "0"), (9, "budgett")] {
        let told = complaints.iter().any(|c| {
            c["file"].as_str().is_some_and(|f| f.ends_with("course.yaml"))
                && c["line"] == line
                && c["problem"].as_str().is_some_and(|p| p.contains(word))
                && c["remedy"].as_str().is_some_and(|r| !r.is_empty())
        });
        assert!(told, "course.yaml:{line} {word}: {}", said.told);
    }
    for line in [3, 4, 5, 6] {
        let told = complaints
            .iter()
            .any(|c| c["file"].as_str().is_some_and(|f| f.ends_with("roster.csv")) && c["line"] == line);
        assert!(told, "roster.csv:{line}: {}", said.told);
    }
    story.file("wrong/roster.csv", "name\nA\n");
    let said = story.koza(&["course", "check", &story.folder("wrong")]);
    assert!(said.told.contains("no column with e-mail addresses"), "{}", said.told);
    assert_eq!(story.koza(&["course", "check", &story.folder("nowhere")]).code, 2);
}

/// An execution that was started from the console with a missing or misspelt field.
async fn wrong_inputs(endpoint: &str) {
    for (machine, input) in [
        ("pool-fill", json!({"seat": 4})),
        ("course-open", json!({"curse": "first-2026"})),
        ("course-open", json!({})),
        ("course-close", json!({"course": "no-such-course"})),
        ("account-sweep", json!({"account": "12"})),
        ("account-sweep", json!({"delete": true})),
        ("cost-watch", json!({"course": "first-2026"})),
        ("seat-freeze", json!({"seat": "koza-0001"})),
        ("seat-thaw", json!({"seats": "koza-0001", "reason": "r"})),
    ] {
        let ended = start_by_hand(endpoint, machine, input.clone()).await;
        let (error, cause) = ended.unwrap_or_else(|| panic!("{machine} took {input}"));
        assert_eq!(error, "Invalid", "{machine} {input}: {cause}");
        assert!(cause.starts_with("Nothing was changed."), "{machine} {input}: {cause}");
    }
}
