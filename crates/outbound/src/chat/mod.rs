//! A title and a text as the JSON that chats' webhooks take. Pure.
//!
//! Neither title nor text can mention people, or hide a link's target. What is longer than the chat allows is truncated, and
//! marked so.

mod slack;
mod teams;
mod truncate;

pub use self::slack::slack;
pub use self::teams::teams;
pub use self::truncate::truncate;
