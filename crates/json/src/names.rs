//! Duplicate member names in the objects being scanned.

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::{ErrorKind, Failure, quote};

/// Objects of up to this many members are searched linearly; larger ones are hashed when they end.
const LINEAR_SEARCH_LIMIT: usize = 16;

/// A member's name, unescaped.
#[derive(Debug)]
struct Name<'a> {
    text: Cow<'a, str>,
    offset: usize,
}

/// The names of all open objects, outermost first: one stack, so that nesting costs no allocations.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(Vec<Name<'a>>);

/// The index of an object's first name in [`Names`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl<'a> Names<'a> {
    /// Starts an object.
    pub(super) fn open(&self) -> Mark {
        Mark(self.0.len())
    }

    /// Adds a name, found at `offset`, to the innermost object.
    #[inline]
    pub(super) fn push(&mut self, object: Mark, text: Cow<'a, str>, offset: usize) -> Result<(), Failure> {
        let known = &self.0[object.0..];
        if known.len() < LINEAR_SEARCH_LIMIT && known.iter().any(|name| name.text == text) {
            return Err(duplicate(&text, offset));
        }
        self.0.push(Name { text, offset });
        Ok(())
    }

    /// Ends an object: reports a duplicate name. The names are kept until [`Self::forget`].
    pub(super) fn close(&self, object: Mark) -> Result<(), Failure> {
        let names = &self.0[object.0..];
        if names.len() <= LINEAR_SEARCH_LIMIT {
            return Ok(());
        }
        // The standard library's hasher has a random key: senders cannot choose colliding names.
        let mut seen = HashSet::with_capacity(names.len());
        match names.iter().find(|name| !seen.insert(name.text.as_ref())) {
            Some(name) => Err(duplicate(&name.text, name.offset)),
            None => Ok(()),
        }
    }

    /// Drops the names of an object that has ended.
    pub(super) fn forget(&mut self, object: Mark) {
        self.0.truncate(object.0);
    }

    /// The last name.
    #[inline]
    pub(super) fn last(&self) -> Option<&Cow<'a, str>> {
        self.0.last().map(|name| &name.text)
    }
}

#[cold]
fn duplicate(name: &str, offset: usize) -> Failure {
    Failure::new(offset, ErrorKind::DuplicateName(quote(name)))
}
