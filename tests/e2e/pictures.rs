//! The pictures in the documentation name what there is.

use serde_json::{Map, Value};

use crate::compose::programs;

/// The lines of a picture: from the first that has `begins` to the first after it that has `ends`.
fn picture(text: &'static str, begins: &str, ends: &str) -> &'static str {
    let begin = text.find(begins).expect("the picture begins");
    let length = text[begin..].find(ends).expect("the picture ends");
    &text[begin..begin + length]
}

#[test]
fn the_pictures_of_aws_have_every_function_and_consumer() {
    const FUNCTIONS: &str = include_str!("../../functions/functions.json");
    let topology = picture(include_str!("../../infra/README.md"), "    client ──HTTPS", "\n| module");
    let reach = picture(include_str!("../../docs/deploy.md"), "```mermaid", "\n```\n");
    let functions: Map<String, Value> = serde_json::from_str(FUNCTIONS).unwrap();
    assert!(!functions.is_empty());
    for picture in [topology, reach] {
        for function in functions.keys() {
            assert!(picture.contains(&format!("function {function}")), "no function {function} in {picture}");
        }
        for consumer in programs() {
            assert!(picture.contains(&consumer.name), "no {} in {picture}", consumer.name);
        }
    }
}

#[test]
fn the_picture_of_the_readme_has_every_consumer_and_its_topics() {
    let flow = picture(include_str!("../../README.md"), "the edge: one router, three hosts", "\n```\n");
    for consumer in programs() {
        assert!(flow.contains(&consumer.name), "no {} in {flow}", consumer.name);
        for topic in consumer.reads.iter().chain(&consumer.writes) {
            assert!(flow.contains(topic.as_str()), "no {topic}, which {} reads or writes, in {flow}", consumer.name);
        }
    }
}
