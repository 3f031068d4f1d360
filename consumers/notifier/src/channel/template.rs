//! Text with placeholders for fields of the event: `{user_id}`, `{id}`, `{type}`.

use thiserror::Error;

use crate::event::Event;

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    UserId,
    Id,
    Type,
}

/// An unknown placeholder.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("unknown placeholder {0}, expected {{user_id}}, {{id}} or {{type}}")]
pub(crate) struct TemplateError(String);

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`] where a brace begins anything but a placeholder.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, tail)) = rest.split_once('{') {
            let unknown = || TemplateError(format!("{{{tail}"));
            let (name, after) = tail.split_once('}').ok_or_else(unknown)?;
            parts.push(Part::Text(before.to_owned()));
            parts.push(match name {
                "user_id" => Part::UserId,
                "id" => Part::Id,
                "type" => Part::Type,
                _ => return Err(TemplateError(format!("{{{name}}}"))),
            });
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        parts.retain(|part| *part != Part::Text(String::new()));
        Ok(Self(parts))
    }

    /// Whether it is `{user_id}` and nothing else.
    pub(crate) fn is_user_id(&self) -> bool {
        self.0 == [Part::UserId]
    }

    /// Fills in the fields of this event.
    pub(crate) fn fill(&self, event: &Event<'_>) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.as_str(),
                Part::UserId => event.user_id,
                Part::Id => event.id,
                Part::Type => event.kind,
            })
            .collect()
    }

    /// The values of the placeholders for this event.
    pub(crate) fn values<'a>(&'a self, event: &'a Event<'_>) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::UserId => Some(event.user_id),
            Part::Id => Some(event.id),
            Part::Type => Some(event.kind),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::tests::EXAMPLE;

    #[test]
    fn placeholders_are_filled_in_and_unknown_ones_named() {
        let fill = |text: &str| Template::parse(text).map(|template| template.fill(&EXAMPLE));
        assert_eq!(fill("for {user_id}: {type}").unwrap(), "for 12345: millrace.notification.requested");
        assert_eq!(fill("plain").unwrap(), "plain");
        assert_eq!(fill("{user_id}{user_id}").unwrap(), "1234512345");
        assert!(fill("{name}").unwrap_err().to_string().starts_with("unknown placeholder {name}"));
        assert!(fill("open {user_id").unwrap_err().to_string().starts_with("unknown placeholder {user_id"));
    }
}
