//! CloudEvents 1.0 in structured mode (JSON format 1.0.2) and binary mode (HTTP protocol binding 1.0.2).

mod header;

use std::borrow::Cow;

use crate::envelope::{ATTRIBUTE_PREFIX, SPEC_VERSION};
use crate::event::{EventType, PartitionKey};
use crate::field::{FieldError, ValidationErrors, pointer_to};
use crate::key::check_key;
use crate::utc::UtcDateTime;
use millrace_json::{Document, Kind, Value};

/// The prefix of an attribute among HTTP headers.
pub const HTTP_HEADER_PREFIX: &str = "ce-";

/// The media type of data without a `datacontenttype`.
const JSON: &str = "application/json";

/// Largest size of an event's attributes together, names and values, in bytes. They become record headers, which are not
/// meant for more: CloudEvents 1.0.2, section "Size Limits", asks for 64 KiB for a whole event.
const ATTRIBUTES_LIMIT: usize = 64 * 1024;

/// Largest size of an id, in bytes: it is a key in every store.
const ID_LIMIT: usize = 1_024;

/// The extension that keys the record (Kafka protocol binding 1.0.2, section 3.1).
const PARTITION_KEY: &str = "partitionkey";

/// The required attributes.
const REQUIRED: [&str; 4] = ["id", "source", "type", "specversion"];

/// A validated CloudEvent: its attributes and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloudEvent<'a> {
    /// `id`.
    pub id: Cow<'a, str>,
    /// `source`.
    pub source: Cow<'a, str>,
    /// `type`.
    pub event_type: Cow<'a, str>,
    /// `time` as sent, if any.
    pub time: Option<Cow<'a, str>>,
    /// `datacontenttype`; by default `application/json` (JSON format, section 3.1).
    pub content_type: Cow<'a, str>,
    /// `subject`, `dataschema` and extensions, under their Kafka header names.
    pub attributes: Vec<(String, String)>,
    /// The data: the record's value.
    pub data: Cow<'a, [u8]>,
    /// The topic of the type.
    pub topic: &'static str,
    /// The partition key.
    pub key: PartitionKey<'a>,
}

impl<'a> CloudEvent<'a> {
    /// Reads an event in structured mode from a JSON object.
    ///
    /// # Errors
    /// All errors of the event, with pointers into it.
    pub fn structured(event: &Document<'a>) -> Result<Self, ValidationErrors> {
        if event.kind() != Kind::Object {
            return Err(ValidationErrors::one("", "must be a JSON object"));
        }
        let mut draft = Draft::default();
        let (mut data, mut base64) = (None, None);
        for (name, value) in event.members() {
            match &**name {
                "data" => data = Some(*value),
                "data_base64" => base64 = Some(*value).filter(|value| value.kind() != Kind::Null),
                _ if draft.add_size(name, value.raw()) => draft.set_json(name, value),
                _ => {}
            }
        }
        let content_type = draft.content_type.clone().unwrap_or(Cow::Borrowed(JSON));
        let data = match (data, base64) {
            (Some(data), Some(_)) if data.kind() != Kind::Null => {
                Err(("/data_base64", "cannot be sent together with data"))
            }
            (_, Some(base64)) => Data::of_base64(&base64),
            (None, None) => Err(("/data", "is required")),
            (Some(data), None) => Data::of_member(data, &content_type),
        };
        let data = data.map_err(|(pointer, detail)| draft.errors.push(pointer, detail)).ok();
        draft.finish(data, content_type)
    }

    /// Reads an event in binary mode: attributes from `ce-` headers (names without the prefix, values as sent), data
    /// from the body.
    ///
    /// # Errors
    /// All errors of the event; attributes are named as headers, errors of the data point into it.
    pub fn binary(
        attributes: impl IntoIterator<Item = (&'a str, &'a str)>,
        content_type: Option<&'a str>,
        body: &'a [u8],
    ) -> Result<Self, ValidationErrors> {
        let mut draft = Draft { as_headers: true, ..Draft::default() };
        for (name, value) in attributes {
            if !draft.add_size(name, value) {
                continue;
            }
            match header::decode(value) {
                Ok(value) => draft.set(name, value),
                Err(_) => draft.add_error(name, "is not UTF-8 once percent-decoded"),
            }
        }
        let content_type = Cow::Borrowed(content_type.unwrap_or(JSON));
        // In binary mode the header Content-Type holds this attribute (HTTP protocol binding, section 3.1.1).
        if draft.content_type.take().is_some_and(|sent| sent != content_type) {
            draft.add_error("datacontenttype", "differs from the Content-Type, which holds it in binary mode");
        }
        if !is_media_type(&content_type) {
            draft.errors.push("content-type", "must be a media type");
        }
        if body.is_empty() {
            draft.errors.push("", "is required: the event's data");
            return draft.finish(None, content_type);
        }
        draft.finish(Some(Data { bytes: Cow::Borrowed(body), origin: Origin::Body, parsed: None }), content_type)
    }
}

/// Where the data was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Member,
    Base64,
    Body,
}

impl Origin {
    /// The pointer to the data.
    fn pointer(self) -> &'static str {
        match self {
            Self::Member => "/data",
            Self::Base64 => "/data_base64",
            Self::Body => "",
        }
    }

    /// An error of the data as one of the event. No pointer leads into base64: there the detail names the field.
    fn locate(self, pointer: &str, detail: &str) -> (String, String) {
        match self {
            Self::Base64 if pointer.is_empty() => (self.pointer().to_owned(), format!("decoded, {detail}")),
            Self::Base64 => (self.pointer().to_owned(), format!("decoded, {pointer} {detail}")),
            Self::Member | Self::Body => (format!("{}{pointer}", self.pointer()), detail.to_owned()),
        }
    }
}

/// The data, before the type's checks.
struct Data<'a> {
    bytes: Cow<'a, [u8]>,
    origin: Origin,
    /// The bytes as JSON, where they were parsed as a part of the event.
    parsed: Option<Value<'a>>,
}

impl<'a> Data<'a> {
    /// JSON data is kept as its own text; other text is the content of a JSON string (JSON format, section 3.1.1).
    fn of_member(data: Value<'a>, content_type: &str) -> Result<Self, (&'static str, &'static str)> {
        let text = if is_json(content_type) { None } else { data.as_str() };
        let (bytes, parsed) = match text {
            Some(text) if text.is_empty() => return Err(("/data", "must not be empty")),
            Some(Cow::Borrowed(text)) => (Cow::Borrowed(text.as_bytes()), None),
            Some(Cow::Owned(text)) => (Cow::Owned(text.into_bytes()), None),
            None => (Cow::Borrowed(data.raw().as_bytes()), Some(data)),
        };
        Ok(Self { bytes, origin: Origin::Member, parsed })
    }

    fn of_base64(value: &Value<'a>) -> Result<Self, (&'static str, &'static str)> {
        let text = value.as_str().ok_or(("/data_base64", "must be a string"))?;
        let bytes = base64_bytes(&text).ok_or(("/data_base64", "is not base64 (RFC 4648, section 4)"))?;
        if bytes.is_empty() {
            return Err(("/data_base64", "must not be empty"));
        }
        Ok(Self { bytes: Cow::Owned(bytes), origin: Origin::Base64, parsed: None })
    }
}

fn base64_bytes(text: &str) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// Whether a media type is JSON: `application/json` or a `+json` suffix (RFC 6839).
pub fn is_json(media_type: &str) -> bool {
    if media_type == JSON {
        return true;
    }
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let end = essence.as_bytes().last_chunk::<5>();
    end.is_some_and(|end| end.eq_ignore_ascii_case(b"/json") || end.eq_ignore_ascii_case(b"+json"))
}

/// An event while its attributes are read.
#[derive(Default)]
struct Draft<'a> {
    id: Option<Cow<'a, str>>,
    source: Option<Cow<'a, str>>,
    event_type: Option<Cow<'a, str>>,
    spec_version: Option<Cow<'a, str>>,
    time: Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
    attributes: Vec<(String, String)>,
    /// Names of invalid attributes: they are not reported as missing as well.
    invalid: Vec<String>,
    errors: ValidationErrors,
    as_headers: bool,
    /// Size of the attributes so far, in bytes.
    size: usize,
}

impl<'a> Draft<'a> {
    /// Adds an attribute's size; attributes beyond the limit are not validated.
    fn add_size(&mut self, name: &str, value: &str) -> bool {
        self.size += name.len() + value.len();
        self.size <= ATTRIBUTES_LIMIT
    }

    /// Sets an attribute from its JSON value; null counts as not sent (JSON format, section 2.2).
    fn set_json(&mut self, name: &str, value: &Value<'a>) {
        match value.kind() {
            Kind::Null => {}
            Kind::String => self.set(name, value.as_str().unwrap_or_default()),
            Kind::Bool | Kind::Integer if !is_own(name) => self.set(name, Cow::Borrowed(value.raw())),
            _ if is_own(name) => self.add_error(name, "must be a string"),
            _ => self.add_error(name, "must be a string, an integer or a boolean"),
        }
    }

    fn set(&mut self, name: &str, value: Cow<'a, str>) {
        if value.is_empty() && is_own(name) {
            return self.add_error(name, "must not be empty");
        }
        if has_control(&value) {
            return self.add_error(name, "must not hold control characters");
        }
        match name {
            "id" if value.len() > ID_LIMIT => self.add_error(name, "must not be longer than 1,024 bytes"),
            "id" => match check_key(&value) {
                Ok(()) => self.id = Some(value),
                Err(error) => self.add_error(name, &error.to_string()),
            },
            "source" => self.source = Some(value),
            "type" => self.event_type = Some(value),
            "specversion" if value == SPEC_VERSION => self.spec_version = Some(value),
            "specversion" => self.add_error(name, "must be 1.0"),
            PARTITION_KEY if !value.is_empty() => match check_key(&value) {
                Ok(()) => self.add(name, value),
                Err(error) => self.add_error(name, &error.to_string()),
            },
            "time" => match value.parse::<UtcDateTime>() {
                Ok(_) => self.time = Some(value),
                Err(error) => self.add_error(name, &error.to_string()),
            },
            "datacontenttype" if is_media_type(&value) => self.content_type = Some(value),
            "datacontenttype" => self.add_error(name, "must be a media type"),
            _ if is_attribute_name(name) => self.add(name, value),
            _ => self.add_error(name, "is not an attribute name: lower-case letters and digits only"),
        }
    }

    fn add(&mut self, name: &str, value: Cow<'a, str>) {
        self.attributes.push((format!("{ATTRIBUTE_PREFIX}{name}"), value.into_owned()));
    }

    fn pointer(&self, name: &str) -> String {
        if self.as_headers { format!("{HTTP_HEADER_PREFIX}{name}") } else { pointer_to(name) }
    }

    fn add_error(&mut self, name: &str, detail: &str) {
        self.invalid.push(name.to_owned());
        self.errors.push(self.pointer(name), detail);
    }

    fn finish(
        mut self,
        data: Option<Data<'a>>,
        content_type: Cow<'a, str>,
    ) -> Result<CloudEvent<'a>, ValidationErrors> {
        if self.size > ATTRIBUTES_LIMIT {
            let detail = format!("has more than {ATTRIBUTES_LIMIT} bytes of attributes besides its data");
            return Err(ValidationErrors::one("", detail));
        }
        let sent = [&self.id, &self.source, &self.event_type, &self.spec_version];
        let missing: Vec<_> = REQUIRED
            .into_iter()
            .zip(sent)
            .filter(|(name, sent)| sent.is_none() && !self.invalid.iter().any(|invalid| invalid == name))
            .map(|(name, _)| name)
            .collect();
        for name in missing {
            self.errors.push(self.pointer(name), "is required");
        }
        let kind = EventType::of(self.event_type.as_deref().unwrap_or_default());
        let key = match &data {
            Some(data) => self.check_data(kind, data, &content_type),
            None => PartitionKey::EventId,
        };
        // Types with a shape have a key of their own, which keeps the records of one entity in order.
        let key = self.partition_key().filter(|_| !kind.is_shaped()).unwrap_or(key);
        let errors = std::mem::take(&mut self.errors);
        let Some(data) = data else { return Err(errors) };
        errors.or(CloudEvent {
            id: self.id.unwrap_or_default(),
            source: self.source.unwrap_or_default(),
            event_type: self.event_type.unwrap_or_default(),
            time: self.time,
            content_type,
            attributes: self.attributes,
            data: data.bytes,
            topic: kind.topic,
            key,
        })
    }

    /// The key from the event's `partitionkey` extension.
    fn partition_key(&self) -> Option<PartitionKey<'a>> {
        let is_key = |name: &str| name.strip_prefix(ATTRIBUTE_PREFIX) == Some(PARTITION_KEY);
        let (_, key) = self.attributes.iter().find(|(name, value)| is_key(name) && !value.is_empty())?;
        Some(PartitionKey::Entity(Cow::Owned(key.clone())))
    }

    /// Validates the data against the type's shape; returns the partition key.
    fn check_data(&mut self, kind: &EventType, data: &Data<'a>, content_type: &str) -> PartitionKey<'a> {
        if !is_json(content_type) {
            if kind.is_shaped() {
                let detail = format!("must be JSON: the topic {} has a shape", kind.topic);
                self.errors.push(data.origin.pointer(), detail);
            }
            return PartitionKey::EventId;
        }
        if let Some(value) = data.parsed {
            return self.check_json(kind, &Document::of(value), data.origin);
        }
        match Document::parse(&data.bytes) {
            Ok(document) => self.check_json(kind, &document, data.origin).into_owned(),
            Err(error) => {
                let detail = match data.origin {
                    Origin::Base64 if self.content_type.is_none() => {
                        format!("is not JSON once decoded: {error}; other data names its datacontenttype")
                    }
                    Origin::Base64 => format!("is not JSON once decoded: {error}"),
                    Origin::Member | Origin::Body => format!("is not JSON: {error}"),
                };
                self.errors.push(data.origin.pointer(), detail);
                PartitionKey::EventId
            }
        }
    }

    fn check_json<'d>(&mut self, kind: &EventType, document: &Document<'d>, origin: Origin) -> PartitionKey<'d> {
        // Data without a shape need not be an object; then it has no key field.
        if !kind.is_shaped() && document.kind() != Kind::Object {
            return PartitionKey::EventId;
        }
        kind.admit(document).unwrap_or_else(|errors| {
            for FieldError { pointer, detail } in errors.as_slice() {
                let (pointer, detail) = origin.locate(pointer, detail);
                self.errors.push(pointer, detail);
            }
            PartitionKey::EventId
        })
    }
}

/// Whether CloudEvents itself defines the attribute; all of these are strings.
fn is_own(name: &str) -> bool {
    matches!(name, "id" | "source" | "type" | "specversion" | "time" | "datacontenttype" | "dataschema" | "subject")
}

/// Whether this is a valid extension name (CloudEvents 1.0.2, "Naming Conventions"); `data` is not.
fn is_attribute_name(name: &str) -> bool {
    !name.is_empty() && name != "data" && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

fn is_media_type(text: &str) -> bool {
    if text == JSON {
        return true;
    }
    let essence = text.split(';').next().unwrap_or_default().trim();
    let token = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let named = essence.split_once('/').is_some_and(|(kind, subtype)| token(kind) && token(subtype));
    named && !has_control(text)
}

/// Whether the text has a control character. Fast path: nearly all attributes are visible ASCII, which has none.
fn has_control(text: &str) -> bool {
    !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && text.contains(char::is_control)
}

#[cfg(test)]
mod tests;
