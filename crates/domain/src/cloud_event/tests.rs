//! Valid and invalid events in both modes.

use proptest::prelude::*;

use super::*;

fn structured(json: &str) -> Result<CloudEvent<'_>, ValidationErrors> {
    let document = Document::parse(json.as_bytes()).unwrap();
    CloudEvent::structured(&document)
}

fn error_pointers(json: &str) -> Vec<String> {
    structured(json).unwrap_err().as_slice().iter().map(|error| error.pointer.clone()).collect()
}

const REST: &str = r#""specversion":"1.0","id":"1","source":"/test""#;

#[test]
fn json_data_is_kept_byte_for_byte() {
    let json = format!(r#"{{{REST},"type":"t","data": {{ "n": 12345678901234567890123 , "user_id":7}} }}"#);
    let event = structured(&json).unwrap();
    assert_eq!(&*event.data, br#"{ "n": 12345678901234567890123 , "user_id":7}"#);
    assert_eq!((event.topic, event.key), ("events", PartitionKey::Entity("7".into())));
}

#[test]
fn text_data_of_another_type_is_kept_as_its_text() {
    let json = format!(r#"{{{REST},"type":"t","datacontenttype":"text/xml","data":"<a b=\"c\"/>"}}"#);
    let event = structured(&json).unwrap();
    assert_eq!((&*event.data, &*event.content_type), (&br#"<a b="c"/>"#[..], "text/xml"));
}

#[test]
fn extensions_become_attributes_unless_null() {
    let json =
        format!(r#"{{{REST},"type":"t","data":1,"tenant":"a","flag":true,"count":3,"gone":null,"subject":"s"}}"#);
    let names = [("ce_tenant", "a"), ("ce_flag", "true"), ("ce_count", "3"), ("ce_subject", "s")];
    let expected: Vec<_> = names.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    assert_eq!(structured(&json).unwrap().attributes, expected);
}

#[test]
fn all_errors_are_reported_at_once() {
    assert_eq!(error_pointers("{}"), ["/data", "/id", "/source", "/type", "/specversion"]);
    let json = r#"{"specversion":"0.3","id":"","source":"/s","type":"millrace.notification.requested","time":"noon","data":{"message":1}}"#;
    assert_eq!(error_pointers(json), ["/specversion", "/id", "/time", "/data/user_id", "/data/message"]);
    assert_eq!(error_pointers(&format!(r#"{{{REST},"type":"t","data_base64":null}}"#)), ["/data"]);
    assert_eq!(
        error_pointers(&format!(r#"{{{REST},"type":"t","data":1,"Bad-Name":"x","nested":{{}}}}"#)),
        ["/Bad-Name", "/nested"]
    );
}

#[test]
fn empty_text_data_is_refused() {
    assert_eq!(
        error_pointers(&format!(r#"{{{REST},"type":"t","datacontenttype":"text/plain","data":""}}"#)),
        ["/data"]
    );
    assert_eq!(&*structured(&format!(r#"{{{REST},"type":"t","data":""}}"#)).unwrap().data, br#""""#);
}

/// Extensions may be empty.
#[test]
fn attributes_have_no_control_characters() {
    assert_eq!(
        error_pointers(&format!(r#"{{{REST},"type":"t\r\nx","data":1,"tenant":"\u0085"}}"#)),
        ["/type", "/tenant"]
    );
    let event = format!(r#"{{{REST},"type":"t","data":1,"tenant":""}}"#);
    assert_eq!(structured(&event).unwrap().attributes, [("ce_tenant".to_owned(), String::new())]);
    let headers = [("id", "a%0D%0Ab"), ("source", "/s"), ("type", "t"), ("specversion", "1.0"), ("data", "x")];
    let errors = CloudEvent::binary(headers, Some("nonsense"), b"1").unwrap_err();
    let pointers: Vec<_> = errors.as_slice().iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["ce-id", "ce-data", "content-type"]);
}

#[test]
fn attributes_beyond_the_limit_are_one_error() {
    let with = |bytes: usize| format!(r#"{{{REST},"type":"t","data":1,"tenant":"{}"}}"#, "x".repeat(bytes));
    // The quotes of a string attribute count as well.
    let spent = ["specversion", "1.0", "id", "1", "source", "/test", "type", "t", "tenant"].concat().len() + 5 * 2;
    assert!(structured(&with(ATTRIBUTES_LIMIT - spent)).is_ok());
    assert_eq!(error_pointers(&with(ATTRIBUTES_LIMIT - spent + 1)), [""]);
    let many: Vec<_> = (0..200_000).map(|index| format!(r#""X{index}":{{}}"#)).collect();
    assert_eq!(error_pointers(&format!("{{{}}}", many.join(","))), [""]);
}

#[test]
fn an_id_has_a_length_limit() {
    let with =
        |bytes| format!(r#"{{"specversion":"1.0","id":"{}","source":"/t","type":"t","data":1}}"#, "i".repeat(bytes));
    assert!(structured(&with(ID_LIMIT)).is_ok());
    assert_eq!(error_pointers(&with(ID_LIMIT + 1)), ["/id"]);
}

/// An event with these bytes as its data.
fn encoded(kind: &str, content_type: Option<&str>, data: &[u8]) -> String {
    let content_type = content_type.map_or_else(String::new, |kind| format!(r#""datacontenttype":"{kind}","#));
    let data = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
    format!(r#"{{{REST},"type":"{kind}",{content_type}"data_base64":"{data}"}}"#)
}

#[test]
fn binary_data_is_allowed_on_events_only() {
    let json = encoded("t", Some("image/png"), &[0, 1, 2]);
    let event = structured(&json).unwrap();
    assert_eq!((&*event.data, &event.key), (&[0u8, 1, 2][..], &PartitionKey::EventId));
    assert_eq!(event.content_type, "image/png");
    assert_eq!(error_pointers(&encoded("millrace.order.placed", Some("text/plain"), b"{}")), ["/data_base64"]);
    assert_eq!(error_pointers(&format!(r#"{{{REST},"type":"t","data_base64":"e30","data":1}}"#)), ["/data_base64"]);
    assert_eq!(error_pointers(&format!(r#"{{{REST},"type":"t","data_base64":"%%"}}"#)), ["/data_base64"]);
}

#[test]
fn json_in_data_base64_is_treated_as_data() {
    for content_type in [None, Some("application/json"), Some("application/vnd.shop+json")] {
        let json = encoded("millrace.order.placed", content_type, br#"{ "order_id":"101" }"#);
        let event = structured(&json).unwrap();
        assert_eq!(&*event.data, br#"{ "order_id":"101" }"#);
        assert_eq!((event.topic, event.key), ("orders", PartitionKey::Entity("101".into())));
        assert_eq!(event.content_type, content_type.unwrap_or("application/json"));
        let of_no_shape = encoded("t", content_type, br#"{"user_id":7}"#);
        assert_eq!(structured(&of_no_shape).unwrap().key, PartitionKey::Entity("7".into()));
        for (kind, data) in [
            ("millrace.order.placed", &b"{}"[..]),
            ("millrace.order.placed", b"[]"),
            ("millrace.order.placed", br#"{"order_id":"1","order_id":"1"}"#),
            ("t", b"\x00\x01"),
            ("t", b"\xef\xbb\xbf{}"),
            ("t", b"{\"user_id\":\"\xe2\x80\x8b\"}"),
        ] {
            assert_eq!(error_pointers(&encoded(kind, content_type, data)), ["/data_base64"], "{kind} {data:?}");
        }
    }
    let error_text = |json: &str| structured(json).unwrap_err().to_string();
    let order = encoded("millrace.order.placed", None, b"{}");
    assert!(error_text(&order).starts_with("/data_base64 decoded, /order_id is required"), "{}", error_text(&order));
    assert!(error_text(&encoded("t", None, b"x")).contains("datacontenttype"));
    assert!(!error_text(&encoded("t", Some("text/json"), b"x")).contains("datacontenttype"));
}

#[test]
fn null_is_data_where_the_type_has_no_shape() {
    let null = |kind: &str| format!(r#"{{{REST},"type":"{kind}","data":null}}"#);
    assert_eq!(&*structured(&null("t")).unwrap().data, b"null");
    assert_eq!(error_pointers(&null("millrace.order.placed")), ["/data"]);
    assert_eq!(&*structured(&encoded("t", None, b"null")).unwrap().data, b"null");
    let both = format!(r#"{{{REST},"type":"t","data":null,"data_base64":"MQ=="}}"#);
    assert_eq!(&*structured(&both).unwrap().data, b"1");
}

#[test]
fn a_partitionkey_is_the_key_of_types_without_a_shape() {
    let key = |kind: &str, partition_key: &str, data: &str| {
        let json = format!(r#"{{{REST},"type":"{kind}","partitionkey":{partition_key},"data":{data}}}"#);
        let event = structured(&json).map_err(|errors| errors.to_string())?;
        assert!(event.attributes.iter().any(|(name, _)| name == "ce_partitionkey"));
        Ok::<_, String>(event.key.into_owned())
    };
    let entity = |text: &'static str| Ok(PartitionKey::Entity(text.into()));
    assert_eq!(key("t", r#""p 1""#, r#"{"user_id":"u"}"#), entity("p 1"));
    assert_eq!(key("millrace.event.registered", "7", "1"), entity("7"));
    assert_eq!(key("t", r#""""#, r#"{"user_id":"u"}"#), entity("u"));
    assert_eq!(key("millrace.order.placed", r#""p""#, r#"{"order_id":"101"}"#), entity("101"));
    assert!(key("t", "\"p\u{200b}\"", "1").unwrap_err().starts_with("/partitionkey must not hold U+200B"));
    let headers = [("id", "1"), ("source", "/s"), ("type", "t"), ("specversion", "1.0"), ("partitionkey", "a%20b")];
    let event = CloudEvent::binary(headers, Some("text/plain"), b"x").unwrap();
    assert_eq!(event.key, PartitionKey::Entity("a b".into()));
}

#[test]
fn binary_mode_reads_percent_encoded_headers() {
    let headers = [("id", "1"), ("source", "/caf%C3%A9"), ("type", "t"), ("specversion", "1.0"), ("tenant", "a%20b")];
    let event = CloudEvent::binary(headers, Some("application/json"), br#"{"id":"k"}"#).unwrap();
    assert_eq!(event.source, "/café");
    assert_eq!(event.attributes, [("ce_tenant".to_owned(), "a b".to_owned())]);
    assert_eq!(event.key, PartitionKey::Entity("k".into()));
}

#[test]
fn binary_mode_reads_the_content_type_from_its_header() {
    let read = |sent| {
        let attributes =
            [("specversion", "1.0"), ("id", "1"), ("source", "/s"), ("type", "t"), ("datacontenttype", sent)];
        CloudEvent::binary(attributes, Some("text/csv"), b"a,b").map(|event| event.content_type)
    };
    assert_eq!(read("text/csv").unwrap(), "text/csv");
    let errors = read("text/plain").unwrap_err().to_string();
    assert!(errors.contains("ce-datacontenttype"), "{errors}");
}

#[test]
fn binary_mode_names_missing_and_invalid_headers() {
    let headers = [("id", "1"), ("type", "millrace.order.placed"), ("source", "%FF"), ("specversion", "1.0")];
    let errors = CloudEvent::binary(headers, None, b"{}").unwrap_err();
    let pointers: Vec<_> = errors.as_slice().iter().map(|error| error.pointer.as_str()).collect();
    assert_eq!(pointers, ["ce-source", "/order_id"]);
}

proptest! {
    #[test]
    fn fast_paths_agree_with_the_full_checks(
        text in prop_oneof![
            Just(JSON.to_owned()),
            "[ -~]{0,12}",
            "[\\x00-\u{a0}é]{0,12}",
            "[a-zA-Z]{0,4}[/+ ]?[jJ][sS][oO][nN][ ]?(;.{0,4})?",
        ],
    ) {
        prop_assert_eq!(has_control(&text), text.contains(char::is_control));
        let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        prop_assert_eq!(is_json(&text), essence.ends_with("/json") || essence.ends_with("+json"));
    }
}
