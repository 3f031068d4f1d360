//! Any bytes as a CloudEvent in both modes: an accepted event is a record that its consumers can read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use millrace_domain::cloud_event::CloudEvent;
use millrace_json::{Array, Document};
use millrace_domain::{EventId, ValidationErrors};

fuzz_target!(|input: (Vec<(String, String)>, Option<String>, Vec<u8>)| {
    let (attributes, content_type, body) = input;
    if let Ok(document) = Document::parse(&body) {
        inspect(CloudEvent::structured(&document));
    }
    if let Ok(Some(array)) = Array::open(&body) {
        array.map_while(Result::ok).for_each(|event| inspect(CloudEvent::structured(&event)));
    }
    let sent = || attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    inspect(CloudEvent::binary(sent(), content_type.as_deref(), &body));
    // Hardly any input has the required attributes.
    let required = [("id", "1"), ("source", "/fuzz"), ("specversion", "1.0")];
    for event_type in ["t", "millrace.order.placed", "millrace.login.seen", "millrace.notification.requested"] {
        let more = sent().filter(|(name, _)| !matches!(*name, "id" | "source" | "type" | "specversion"));
        let all = required.into_iter().chain([("type", event_type)]).chain(more);
        inspect(CloudEvent::binary(all, content_type.as_deref(), &body));
    }
});

fn inspect(event: Result<CloudEvent<'_>, ValidationErrors>) {
    let event = match event {
        Ok(event) => event,
        Err(errors) => return assert!(!errors.as_slice().is_empty() && !errors.to_string().is_empty()),
    };
    assert!(!event.data.is_empty(), "empty value");
    let own: [&str; 4] = [&event.id, &event.source, &event.event_type, &event.content_type];
    assert!(own.iter().all(|text| !text.is_empty()));
    assert!(!event.key.clone().text(&EventId::new(event.id.clone())).is_empty());
    let headers =
        own.into_iter().chain(event.attributes.iter().flat_map(|(name, value)| [name.as_str(), value.as_str()]));
    headers.for_each(|text| assert!(!text.contains(char::is_control), "{text:?}"));
    for (name, _) in &event.attributes {
        let name = name.strip_prefix("ce_").expect("attributes have their prefix");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()), "{name}");
        assert!(!["id", "source", "type", "time", "specversion"].contains(&name), "duplicate attribute {name}");
    }
    if event.topic != "events" {
        Document::parse(&event.data).expect("the data of a type with a shape is JSON");
    }
}
