//! Which of several payloads an id belongs to, decided over a batch in which ids may repeat.
//!
//! The first payload that the database keeps under an id has it; the same payload again is a repeat, any other a
//! conflict. A database is asked in rounds, each with one row an id: where the database cannot store a row, the next
//! payload under its id gets its turn.

use std::collections::{BTreeMap, HashMap};

use millrace_domain::Digest;

use crate::Refusal;

/// What became of a row that was not simply inserted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum InsertResult {
    /// The id is stored, with this digest: another writer's, or this very row from before.
    Stored(Digest),
    /// The database cannot hold it.
    Unstorable(String),
}

/// The fates of the rows of a round, by index; a row that is not named was inserted.
pub(crate) type Fates = HashMap<usize, InsertResult>;

/// What a row says it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdClaim<'a> {
    pub(crate) id: &'a str,
    pub(crate) digest: Digest,
}

/// The rows of a batch, and which of them are still to be decided.
#[derive(Debug)]
pub(crate) struct IdConflicts<'a> {
    rows: Vec<IdClaim<'a>>,
    /// Indexes, by id and then in the batch's order. Writers that insert ids in one order cannot lock each other out.
    open: Vec<usize>,
    refused: BTreeMap<usize, Refusal>,
}

impl<'a> IdConflicts<'a> {
    pub(crate) fn new(claims: impl IntoIterator<Item = IdClaim<'a>>) -> Self {
        let rows: Vec<_> = claims.into_iter().collect();
        let mut open: Vec<_> = (0..rows.len()).collect();
        open.sort_by_key(|&row| rows[row].id);
        Self { rows, open, refused: BTreeMap::new() }
    }

    /// Takes rows out before a database sees them.
    pub(crate) fn refuse(&mut self, refusal: impl Fn(usize, &IdClaim<'a>) -> Option<Refusal>) {
        let (rows, refused) = (&self.rows, &mut self.refused);
        self.open.retain(|&row| {
            let refusal = refusal(row, &rows[row]);
            let stays = refusal.is_none();
            refused.extend(refusal.map(|refusal| (row, refusal)));
            stays
        });
    }

    /// The ids, each once.
    pub(crate) fn ids(&self) -> Vec<&'a str> {
        self.round().into_iter().map(|row| self.rows[row].id).collect()
    }

    /// Takes rows out whose ids name another payload elsewhere.
    pub(crate) fn refuse_taken(&mut self, elsewhere: &HashMap<String, Digest>) {
        let is_taken = |claim: &IdClaim<'_>| elsewhere.get(claim.id).is_some_and(|digest| *digest != claim.digest);
        self.refuse(|_, claim| is_taken(claim).then_some(Refusal::IdempotencyConflict));
    }

    /// The rows to try next: the first open one of each id, ordered by id. Empty when all is decided.
    pub(crate) fn round(&self) -> Vec<usize> {
        self.open.chunk_by(|&a, &b| self.rows[a].id == self.rows[b].id).map(|same_id| same_id[0]).collect()
    }

    /// Decides the rows that were tried, and those of the same ids as far as that decides them.
    pub(crate) fn settle(&mut self, fates: &Fates) {
        let mut left = Vec::new();
        for same_id in self.open.chunk_by(|&a, &b| self.rows[a].id == self.rows[b].id) {
            let tried = self.rows[same_id[0]].digest;
            for &row in same_id {
                let digest = self.rows[row].digest;
                let refusal = match fates.get(&same_id[0]) {
                    None if digest == tried => continue,
                    Some(InsertResult::Stored(stored)) if digest == *stored => continue,
                    None | Some(InsertResult::Stored(_)) => Refusal::IdempotencyConflict,
                    Some(InsertResult::Unstorable(reason)) if digest == tried => Refusal::Unstorable(reason.clone()),
                    Some(InsertResult::Unstorable(_)) => {
                        left.push(row);
                        continue;
                    }
                };
                self.refused.insert(row, refusal);
            }
        }
        self.open = left;
    }

    /// The refused rows by index.
    pub(crate) fn into_refused(self) -> BTreeMap<usize, Refusal> {
        self.refused
    }
}

/// Refuses text that PostgreSQL has no place for, in SQLite too, so that both keep the same rows.
pub(crate) fn nul_in(fields: &[(&str, Option<&str>)]) -> Option<Refusal> {
    let (name, _) = fields.iter().find(|(_, text)| text.is_some_and(|text| text.contains('\0')))?;
    Some(Refusal::Unstorable(format!("{name} contains a NUL character")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims<'a>(of: &[(&'a str, u8)]) -> IdConflicts<'a> {
        IdConflicts::new(of.iter().map(|&(id, digest)| IdClaim { id, digest: [digest; 32] }))
    }

    fn conflict(row: usize) -> (usize, Refusal) {
        (row, Refusal::IdempotencyConflict)
    }

    #[test]
    fn a_round_tries_the_first_row_of_each_id_in_the_order_of_ids() {
        assert_eq!(claims(&[("b", 1), ("a", 1), ("b", 2), ("c", 1)]).round(), [1, 0, 3]);
    }

    #[test]
    fn the_first_payload_of_an_id_has_it() {
        let mut claims = claims(&[("a", 1), ("a", 1), ("a", 2)]);
        claims.settle(&Fates::new());
        assert!(claims.round().is_empty());
        assert_eq!(claims.into_refused(), BTreeMap::from([conflict(2)]));
    }

    #[test]
    fn a_stored_payload_has_the_id_before_any_of_the_batch() {
        let mut claims = claims(&[("a", 1), ("a", 2), ("a", 3)]);
        claims.settle(&Fates::from([(0, InsertResult::Stored([2; 32]))]));
        assert!(claims.round().is_empty());
        assert_eq!(claims.into_refused(), BTreeMap::from([conflict(0), conflict(2)]));
    }

    #[test]
    fn a_payload_that_cannot_be_stored_leaves_its_id_to_the_next() {
        let mut claims = claims(&[("a", 1), ("a", 2), ("a", 1), ("a", 3), ("b", 1)]);
        claims.settle(&Fates::from([(0, InsertResult::Unstorable("odd".to_owned()))]));
        assert_eq!(claims.round(), [1]);
        claims.settle(&Fates::new());
        assert!(claims.round().is_empty());
        let odd = Refusal::Unstorable("odd".to_owned());
        assert_eq!(claims.into_refused(), BTreeMap::from([(0, odd.clone()), (2, odd), conflict(3)]));
    }

    #[test]
    fn rows_refused_beforehand_are_not_tried() {
        let mut claims = claims(&[("a\0", 1), ("b", 1)]);
        claims.refuse(|row, _| nul_in(&[("id", Some(["a\0", "b"][row]))]));
        assert_eq!(claims.round(), [1]);
        let refused = claims.into_refused();
        assert_eq!(refused[&0].to_string(), "cannot be stored: id contains a NUL character");
    }
}
