//! Conflicts of ids in a batch: which of several payloads an id belongs to.
//!
//! An id belongs to the first payload stored under it; the same payload again is a repeat, any other a conflict. Rows
//! are inserted in rounds of one row an id: where a row cannot be stored, the next round tries the next payload of its
//! id.

use std::collections::{BTreeMap, HashMap};

use millrace_domain::Digest;

use crate::Refusal;

/// The result of a row that was not inserted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum InsertResult {
    /// The id is stored with this digest, by another writer or as this row before.
    Stored(Digest),
    /// The database cannot store it.
    Unstorable(String),
}

/// The results of a round by row index; rows without one were inserted.
pub(crate) type InsertResults = HashMap<usize, InsertResult>;

/// The id and payload digest of a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IdClaim<'a> {
    pub(crate) id: &'a str,
    pub(crate) digest: Digest,
}

/// The rows of a batch, and which of them are undecided.
#[derive(Debug)]
pub(crate) struct IdConflicts<'a> {
    rows: Vec<IdClaim<'a>>,
    /// Row indexes by id, then in the batch's order: writers that insert in the order of ids do not deadlock.
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

    /// Refuses rows before they are inserted.
    pub(crate) fn refuse(&mut self, refusal: impl Fn(usize, &IdClaim<'a>) -> Option<Refusal>) {
        let (rows, refused) = (&self.rows, &mut self.refused);
        self.open.retain(|&row| {
            let refusal = refusal(row, &rows[row]);
            let stays = refusal.is_none();
            refused.extend(refusal.map(|refusal| (row, refusal)));
            stays
        });
    }

    /// The undecided ids, each once.
    pub(crate) fn ids(&self) -> Vec<&'a str> {
        self.round().into_iter().map(|row| self.rows[row].id).collect()
    }

    /// Refuses rows whose ids have another payload in the other table.
    pub(crate) fn refuse_taken(&mut self, stored: &HashMap<String, Digest>) {
        let is_taken = |claim: &IdClaim<'_>| stored.get(claim.id).is_some_and(|digest| *digest != claim.digest);
        self.refuse(|_, claim| is_taken(claim).then_some(Refusal::IdempotencyConflict));
    }

    /// The rows to insert next: the first undecided one of each id, ordered by id. Empty when all are decided.
    pub(crate) fn round(&self) -> Vec<usize> {
        self.open.chunk_by(|&a, &b| self.rows[a].id == self.rows[b].id).map(|same_id| same_id[0]).collect()
    }

    /// Decides the rows of a round, and the rows of the same ids as far as the results allow.
    pub(crate) fn settle(&mut self, results: &InsertResults) {
        let mut left = Vec::new();
        for same_id in self.open.chunk_by(|&a, &b| self.rows[a].id == self.rows[b].id) {
            let tried = self.rows[same_id[0]].digest;
            for &row in same_id {
                let digest = self.rows[row].digest;
                let refusal = match results.get(&same_id[0]) {
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

/// Refuses text with a NUL, which PostgreSQL cannot store; in SQLite too, so that both store the same rows.
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
    fn a_round_has_the_first_row_of_each_id_ordered_by_id() {
        assert_eq!(claims(&[("b", 1), ("a", 1), ("b", 2), ("c", 1)]).round(), [1, 0, 3]);
    }

    #[test]
    fn an_id_belongs_to_its_first_payload() {
        let mut claims = claims(&[("a", 1), ("a", 1), ("a", 2)]);
        claims.settle(&InsertResults::new());
        assert!(claims.round().is_empty());
        assert_eq!(claims.into_refused(), BTreeMap::from([conflict(2)]));
    }

    #[test]
    fn an_id_belongs_to_its_stored_payload_before_the_batchs() {
        let mut claims = claims(&[("a", 1), ("a", 2), ("a", 3)]);
        claims.settle(&InsertResults::from([(0, InsertResult::Stored([2; 32]))]));
        assert!(claims.round().is_empty());
        assert_eq!(claims.into_refused(), BTreeMap::from([conflict(0), conflict(2)]));
    }

    #[test]
    fn an_unstorable_payload_leaves_its_id_to_the_next() {
        let mut claims = claims(&[("a", 1), ("a", 2), ("a", 1), ("a", 3), ("b", 1)]);
        claims.settle(&InsertResults::from([(0, InsertResult::Unstorable("odd".to_owned()))]));
        assert_eq!(claims.round(), [1]);
        claims.settle(&InsertResults::new());
        assert!(claims.round().is_empty());
        let odd = Refusal::Unstorable("odd".to_owned());
        assert_eq!(claims.into_refused(), BTreeMap::from([(0, odd.clone()), (2, odd), conflict(3)]));
    }

    #[test]
    fn rows_refused_beforehand_are_not_inserted() {
        let mut claims = claims(&[("a\0", 1), ("b", 1)]);
        claims.refuse(|row, _| nul_in(&[("id", Some(["a\0", "b"][row]))]));
        assert_eq!(claims.round(), [1]);
        let refused = claims.into_refused();
        assert_eq!(refused[&0].to_string(), "cannot be stored: id contains a NUL character");
    }
}
