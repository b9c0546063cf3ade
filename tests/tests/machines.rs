//! Template, state machines and functions agree with one another, and the machines keep the rules that make them safe.
//!
//! Nothing runs here: the files are read as they are deployed.

use serde_json::Value as Json;
use serde_norway::Value as Yaml;
use shared::Fault;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

const INVOKE: &str = "arn:aws:states:::lambda:invoke";
const START: &str = "arn:aws:states:::states:startExecution.sync:2";

fn root() -> PathBuf {
    PathBuf::from("..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn names_in(folder: &str) -> BTreeSet<String> {
    fs::read_dir(root().join(folder))
        .unwrap_or_else(|e| panic!("{folder}: {e}"))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

/// The value below a short-form tag such as `!Sub`, or the value itself.
fn untagged(value: &Yaml) -> &Yaml {
    match value {
        Yaml::Tagged(tagged) => &tagged.value,
        other => other,
    }
}

fn text(value: &Yaml) -> &str {
    untagged(value).as_str().unwrap_or_else(|| panic!("not a text: {value:?}"))
}

struct Template(Yaml);

impl Template {
    fn load() -> Self {
        Template(serde_norway::from_str(&read("template.yaml")).expect("template.yaml is YAML"))
    }

    fn resources(&self, kind: &str) -> Vec<(&str, &Yaml)> {
        self.0["Resources"]
            .as_mapping()
            .expect("resources")
            .iter()
            .filter(|(_, resource)| resource["Type"].as_str() == Some(kind))
            .map(|(name, resource)| (name.as_str().expect("a logical id"), resource))
            .collect()
    }

    /// Logical id of each function and the folder of its crate.
    fn functions(&self) -> BTreeMap<String, String> {
        self.resources("AWS::Serverless::Function")
            .into_iter()
            .map(|(id, function)| {
                let name = text(&function["Properties"]["FunctionName"]);
                (id.to_owned(), name.trim_start_matches("${Installation}-").to_owned())
            })
            .collect()
    }

    fn machines(&self) -> Vec<Machine<'_>> {
        self.resources("AWS::Serverless::StateMachine")
            .into_iter()
            .map(|(id, resource)| {
                let properties = &resource["Properties"];
                let path = text(&properties["DefinitionUri"]).to_owned();
                let source = read(&path);
                let definition = serde_json::from_str(&source).unwrap_or_else(|e| panic!("{path}: {e}"));
                Machine { id, path, properties, source, definition }
            })
            .collect()
    }

    fn function_timeout(&self) -> u64 {
        for (id, function) in self.resources("AWS::Serverless::Function") {
            assert!(
                function["Properties"]["Timeout"].is_null(),
                "{id}: one timeout for all, so that every task's is above it"
            );
        }
        self.0["Globals"]["Function"]["Timeout"].as_u64().expect("the functions' timeout")
    }
}

struct Machine<'a> {
    id: &'a str,
    path: String,
    properties: &'a Yaml,
    source: String,
    definition: Json,
}

/// The states of one level: of the machine, or of what a map runs.
type States = serde_json::Map<String, Json>;

impl Machine<'_> {
    fn substitutions(&self) -> BTreeMap<String, String> {
        self.properties["DefinitionSubstitutions"]
            .as_mapping()
            .expect("substitutions")
            .iter()
            .map(|(name, value)| (text(name).to_owned(), text(value).to_owned()))
            .collect()
    }

    fn used_substitutions(&self) -> BTreeSet<String> {
        self.source.split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect()
    }

    fn levels(&self) -> Vec<&States> {
        let mut found = vec![];
        let mut todo = vec![&self.definition];
        while let Some(level) = todo.pop() {
            let states = level["States"].as_object().expect("states");
            found.push(states);
            for state in states.values() {
                if state["Type"] == "Map" {
                    todo.push(&state["ItemProcessor"]);
                }
                if let Some(branches) = state["Branches"].as_array() {
                    todo.extend(branches);
                }
            }
        }
        found
    }

    fn states(&self) -> Vec<(&str, &Json)> {
        self.levels().into_iter().flatten().map(|(name, state)| (name.as_str(), state)).collect()
    }

    fn tasks(&self) -> Vec<(String, &Json)> {
        self.states()
            .into_iter()
            .filter(|(_, state)| state["Type"] == "Task")
            .map(|(name, state)| (format!("{}, \"{name}\"", self.path), state))
            .collect()
    }

    fn has_distributed_map(&self) -> bool {
        self.states().iter().any(|(_, state)| is_distributed(state))
    }
}

fn is_distributed(state: &Json) -> bool {
    state["ItemProcessor"]["ProcessorConfig"]["Mode"] == "DISTRIBUTED"
}

fn items<'a>(state: &'a Json, field: &str) -> &'a [Json] {
    state[field].as_array().map(Vec::as_slice).unwrap_or(&[])
}

fn errors(rule: &Json) -> Vec<&str> {
    items(rule, "ErrorEquals").iter().map(|name| name.as_str().expect("an error name")).collect()
}

/// Where a state may go on to.
fn successors(state: &Json) -> Vec<&str> {
    let routes = items(state, "Choices").iter().chain(items(state, "Catch"));
    routes.map(|route| &route["Next"]).chain([&state["Next"], &state["Default"]]).filter_map(Json::as_str).collect()
}

#[test]
fn every_definition_is_in_the_template_and_every_definition_uri_exists() {
    let template = Template::load();
    let named: BTreeSet<String> = template
        .machines()
        .iter()
        .map(|machine| machine.path.trim_start_matches("statemachines/").to_owned())
        .collect();
    let mut there = names_in("statemachines");
    there.retain(|name| name.ends_with(".asl.json"));
    assert_eq!(named, there);
}

#[test]
fn every_substitution_that_is_used_is_given_and_the_other_way_round() {
    for machine in Template::load().machines() {
        let given: BTreeSet<String> = machine.substitutions().into_keys().collect();
        assert_eq!(given, machine.used_substitutions(), "{}", machine.path);
    }
}

#[test]
fn a_machine_may_invoke_exactly_the_functions_that_it_names() {
    for machine in Template::load().machines() {
        let named: BTreeSet<String> = machine
            .substitutions()
            .into_values()
            .filter_map(|value| value.strip_suffix(".Arn").map(str::to_owned))
            .collect();
        let policies = machine.properties["Policies"].as_sequence().unwrap();
        let allowed: BTreeSet<String> = policies
            .iter()
            .filter(|policy| !policy["LambdaInvokePolicy"].is_null())
            .map(|policy| text(&policy["LambdaInvokePolicy"]["FunctionName"]).to_owned())
            .collect();
        assert_eq!(named, allowed, "{}", machine.path);
    }
}

#[test]
fn every_function_folder_is_in_the_template_and_in_a_machine() {
    let template = Template::load();
    let functions = template.functions();
    assert_eq!(functions.values().cloned().collect::<BTreeSet<_>>(), names_in("functions"));

    let machines = template.machines();
    for (id, folder) in &functions {
        let resource = &template.0["Resources"][id.as_str()]["Properties"];
        assert_eq!(text(&resource["CodeUri"]), format!("target/lambda/{folder}/"), "{id}");
        let logs = text(&resource["LoggingConfig"]["LogGroup"]);
        let group = &template.0["Resources"][logs]["Properties"];
        assert_eq!(text(&group["LogGroupName"]), format!("/aws/lambda/${{Installation}}-{folder}"));
        assert!(!group["RetentionInDays"].is_null(), "{logs} has a retention");
        assert!(
            machines.iter().any(|m| m.substitutions().values().any(|v| *v == format!("{id}.Arn"))),
            "no machine calls {id}"
        );
    }
}

#[test]
fn every_machine_has_a_comment_a_deadline_and_an_alarm_for_each_bad_end() {
    let template = Template::load();
    let alarms: BTreeSet<(String, String)> = template
        .resources("AWS::CloudWatch::Alarm")
        .into_iter()
        .filter(|(_, alarm)| alarm["Properties"]["TreatMissingData"] == "notBreaching")
        .map(|(_, alarm)| {
            let properties = &alarm["Properties"];
            (text(&properties["Dimensions"][0]["Value"]).to_owned(), text(&properties["MetricName"]).to_owned())
        })
        .collect();
    for machine in template.machines() {
        assert!(machine.definition["Comment"].is_string(), "{}", machine.path);
        assert!(machine.definition["TimeoutSeconds"].is_u64(), "{}", machine.path);
        for metric in ["ExecutionsFailed", "ExecutionsTimedOut", "ExecutionsAborted"] {
            let alarm = (machine.id.to_owned(), metric.to_owned());
            assert!(alarms.contains(&alarm), "no alarm for {alarm:?}");
        }
    }
}

#[test]
fn every_task_has_a_timeout_above_its_functions_and_a_retry_and_a_catch_that_ends_with_all() {
    let template = Template::load();
    let function = template.function_timeout();
    for machine in template.machines() {
        for (at, task) in machine.tasks() {
            let timeout = task["TimeoutSeconds"].as_u64().unwrap_or_default();
            assert!(timeout > function, "{at}: timeout {timeout}");
            assert!(!items(task, "Retry").is_empty(), "{at}: no Retry");
            let (last, named) = items(task, "Catch").split_last().expect("a Catch");
            assert_eq!(errors(last), ["States.ALL"], "{at}");
            assert!(!named.is_empty(), "{at}: no named route");
        }
    }
}

#[test]
fn retries_and_catches_name_errors_that_somebody_raises() {
    let faults = [
        Fault::because(Fault::Transient, "", "").name(),
        Fault::conflict("").name(),
        Fault::refused("").name(),
        Fault::invalid("").name(),
        Fault::broken("").name(),
    ];
    let lambda = [
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
    ];
    let step_functions = [
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.ExecutionAlreadyExistsException",
        "StepFunctions.SdkClientException",
    ];
    for machine in Template::load().machines() {
        for (at, task) in machine.tasks() {
            for retry in items(task, "Retry") {
                for name in errors(retry) {
                    let known = if task["Resource"] == INVOKE {
                        name == "Transient" || lambda.contains(&name)
                    } else {
                        step_functions.contains(&name)
                    };
                    assert!(known, "{at}: retries {name}");
                }
                assert_eq!(retry["JitterStrategy"], "FULL", "{at}");
                assert!(retry["MaxDelaySeconds"].is_u64(), "{at}");
                assert!(retry["MaxAttempts"].is_u64(), "{at}");
            }
            for name in items(task, "Catch").iter().flat_map(errors) {
                let known = name == "States.ALL" || faults.contains(&name) || step_functions.contains(&name);
                assert!(known, "{at}: catches {name}");
            }
        }
    }
}

#[test]
fn every_state_but_the_distributed_map_is_jsonata() {
    for machine in Template::load().machines() {
        let top = &machine.definition["QueryLanguage"];
        let distributed = machine.has_distributed_map();
        if distributed {
            assert!(top.is_null(), "{}: no language for the whole", machine.path);
        } else {
            assert_eq!(top, "JSONata", "{}", machine.path);
        }
        for (name, state) in machine.states() {
            let at = format!("{}, \"{name}\"", machine.path);
            let own = &state["QueryLanguage"];
            if is_distributed(state) || !distributed {
                assert!(own.is_null(), "{at}");
            } else {
                assert_eq!(own, "JSONata", "{at}");
            }
        }
    }
}

#[test]
fn machines_use_only_what_both_aws_and_the_local_aws_do() {
    for machine in Template::load().machines() {
        for (name, state) in machine.states() {
            let at = format!("{}, \"{name}\"", machine.path);
            assert_ne!(state["Type"], "Succeed", "{at}: end with a Pass");
            // The local AWS ignores these two where the machine as a whole is not JSONata.
            if machine.has_distributed_map() {
                for route in items(state, "Choices").iter().chain(items(state, "Catch")) {
                    assert!(route["Assign"].is_null(), "{at}: Assign on a route");
                }
            }
            if state["Type"] == "Choice" {
                assert!(state["Output"].is_null(), "{at}: Output of a Default");
            }
            if state["Type"] == "Parallel" {
                assert!(state["Output"].is_null() && state["Assign"].is_null(), "{at}");
            }
            if state["Type"] == "Task" {
                let resource = state["Resource"].as_str().unwrap_or_default();
                assert!([INVOKE, START].contains(&resource), "{at}: {resource}");
            }
        }
        let arns = machine.source.matches("arn:").count();
        let known = machine.source.matches("arn:aws:states:::").count();
        assert_eq!(arns, known, "{}: ARNs only by substitution", machine.path);
    }
}

#[test]
fn every_map_writes_how_many_run_at_once_and_a_distributed_one_survives_its_items() {
    for machine in Template::load().machines() {
        for (name, state) in machine.states() {
            if state["Type"] != "Map" {
                continue;
            }
            let at = format!("{}, \"{name}\"", machine.path);
            assert!(state["MaxConcurrency"].is_u64(), "{at}");
            if is_distributed(state) {
                assert_eq!(state["ToleratedFailurePercentage"], 100, "{at}");
                assert!(state["Label"].is_string(), "{at}");
                assert_eq!(state.get("ResultPath"), Some(&Json::Null), "{at}");
                for (inner, item) in state["ItemProcessor"]["States"].as_object().unwrap() {
                    assert_eq!(item["Output"], serde_json::json!({}), "{at}, {inner}");
                }
            }
        }
    }
}

#[test]
fn every_way_around_a_loop_passes_a_choice_that_counts() {
    for machine in Template::load().machines() {
        for level in machine.levels() {
            let unbounded: BTreeMap<&str, Vec<&str>> = level
                .iter()
                .filter(|(_, state)| !counts(state, &machine.source))
                .map(|(name, state)| (name.as_str(), successors(state)))
                .collect();
            if let Some(around) = a_cycle(&unbounded) {
                panic!("{}: nothing counts in {around:?}", machine.path);
            }
        }
    }
}

/// Whether this is a choice that compares a number with a bound, and something in the machine adds one to that number.
fn counts(state: &Json, source: &str) -> bool {
    items(state, "Choices").iter().any(|choice| {
        let condition = choice["Condition"].as_str().unwrap_or_default();
        let words: Vec<&str> = condition.split_whitespace().collect();
        words.windows(3).any(|w| {
            let bound = w[2].starts_with(|c: char| c.is_ascii_digit());
            bound && ["<", ">="].contains(&w[1]) && source.contains(&format!("{} + 1", w[0]))
        })
    })
}

/// States that lead back to where they began, if there are any.
fn a_cycle<'a>(graph: &BTreeMap<&'a str, Vec<&'a str>>) -> Option<Vec<&'a str>> {
    // What leads nowhere is on no cycle: take it away until nothing changes.
    let mut left: BTreeSet<&str> = graph.keys().copied().collect();
    loop {
        let before = left.len();
        let on: BTreeSet<&str> =
            left.iter().copied().filter(|name| graph[name].iter().any(|next| left.contains(next))).collect();
        left = on;
        if left.len() == before {
            return (!left.is_empty()).then(|| left.into_iter().collect());
        }
    }
}

#[test]
fn a_loop_without_a_count_is_found() {
    let graph = BTreeMap::from([("a", vec!["b"]), ("b", vec!["c", "a"]), ("c", vec![])]);
    assert_eq!(a_cycle(&graph), Some(vec!["a", "b"]));
    let graph = BTreeMap::from([("a", vec!["b"]), ("b", vec!["c"]), ("c", vec![])]);
    assert_eq!(a_cycle(&graph), None);
}

#[test]
fn records_stay_and_schedules_are_off_until_somebody_says_so() {
    let template = Template::load().0;
    let bucket = &template["Resources"]["RecordsBucket"];
    assert_eq!(bucket["DeletionPolicy"], "Retain");
    assert_eq!(bucket["UpdateReplacePolicy"], "Retain");
    assert_eq!(bucket["Properties"]["VersioningConfiguration"]["Status"], "Enabled");
    assert_eq!(template["Parameters"]["SchedulesState"]["Default"], "DISABLED");
    for machine in ["PoolFillMachine", "CostWatchMachine"] {
        let clock = &template["Resources"][machine]["Properties"]["Events"]["Clock"];
        assert_eq!(clock["Type"], "ScheduleV2");
        assert_eq!(text(&clock["Properties"]["State"]), "SchedulesState");
        assert!(!clock["Properties"]["RetryPolicy"].is_null());
        assert!(!clock["Properties"]["DeadLetterConfig"].is_null());
    }
}

#[test]
fn functions_enter_members_only_under_the_pools_path_and_delete_no_record() {
    let template = Template::load();
    for (id, function) in template.resources("AWS::Serverless::Function") {
        let Some(policies) = function["Properties"]["Policies"].as_sequence() else {
            continue;
        };
        for statement in policies.iter().flat_map(|policy| policy["Statement"].as_sequence().expect("statements")) {
            let actions = format!("{:?}", statement["Action"]);
            assert!(!actions.contains('*'), "{id}: {actions}");
            assert!(!actions.contains("Delete") || actions.contains("identitystore:"), "{id}: {actions}");
            assert_ne!(text_or_empty(&statement["Resource"]), "*", "{id}");
            let resources = format!("{:?}", statement["Resource"]);
            if actions.contains("sts:AssumeRole") && resources.contains("::*:role/") {
                let path = &statement["Condition"]["ForAnyValue:StringLike"]["aws:ResourceOrgPaths"];
                assert_eq!(text(path), "PoolOrganizationPath", "{id}");
            }
        }
    }
}

fn text_or_empty(value: &Yaml) -> &str {
    untagged(value).as_str().unwrap_or_default()
}
