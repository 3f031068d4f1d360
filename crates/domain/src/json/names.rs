//! The member names of the objects being scanned, and the search for duplicates among them.

use std::borrow::Cow;
use std::collections::HashSet;

use super::error::{ErrorKind, Failure, quote};

/// Up to this many names of an object are compared one by one; more are hashed when the object ends.
const COMPARED: usize = 16;

/// A member's name, unescaped.
#[derive(Debug)]
struct Name<'a> {
    text: Cow<'a, str>,
    offset: usize,
}

/// The names of all objects that are open, outermost first: a stack, so that nesting costs no allocations.
#[derive(Debug, Default)]
pub(super) struct Names<'a>(Vec<Name<'a>>);

/// Where the names of one object begin in [`Names`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark(usize);

impl<'a> Names<'a> {
    /// Begins an object.
    pub(super) fn open(&self) -> Mark {
        Mark(self.0.len())
    }

    /// Adds a name, found at `offset`, to the innermost object.
    #[inline]
    pub(super) fn push(&mut self, object: Mark, text: Cow<'a, str>, offset: usize) -> Result<(), Failure> {
        let known = &self.0[object.0..];
        if known.len() < COMPARED && known.iter().any(|name| name.text == text) {
            return Err(duplicate(&text, offset));
        }
        self.0.push(Name { text, offset });
        Ok(())
    }

    /// Ends an object: its names are known to differ. They stay until [`Self::forget`].
    pub(super) fn close(&self, object: Mark) -> Result<(), Failure> {
        let names = &self.0[object.0..];
        if names.len() <= COMPARED {
            return Ok(());
        }
        // The standard library's hasher is keyed at random: senders cannot choose names that collide.
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

    /// The last name that was added and not dropped.
    #[inline]
    pub(super) fn last(&self) -> Option<&Cow<'a, str>> {
        self.0.last().map(|name| &name.text)
    }
}

#[cold]
fn duplicate(name: &str, offset: usize) -> Failure {
    Failure::new(offset, ErrorKind::DuplicateName(quote(name)))
}
