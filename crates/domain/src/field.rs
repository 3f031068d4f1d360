//! Validation errors of an event, by field.

use std::fmt;

/// One error of an event, at a JSON pointer (RFC 6901); the empty pointer is the whole document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The JSON pointer, such as `/user_id`.
    pub pointer: String,
    /// The error, for a person to read.
    pub detail: String,
}

/// All errors of one event, so that a caller can correct them in one round trip.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ValidationErrors(Vec<FieldError>);

impl ValidationErrors {
    /// A single error.
    pub fn one(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.push(pointer, detail);
        errors
    }

    /// Adds an error.
    pub fn push(&mut self, pointer: impl Into<String>, detail: impl Into<String>) {
        self.0.push(FieldError { pointer: pointer.into(), detail: detail.into() });
    }

    /// The errors, in the order found.
    pub fn as_slice(&self) -> &[FieldError] {
        &self.0
    }

    /// `value` where there is no error, else the errors.
    ///
    /// # Errors
    /// The errors themselves, if any.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for ValidationErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            let at = if error.pointer.is_empty() { "the body" } else { &error.pointer };
            write!(f, "{separator}{at} {}", error.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for ValidationErrors {}

/// Escapes a member name as one JSON pointer token (RFC 6901, section 3), with its leading slash.
pub fn pointer_to(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}
