//! Which messages of a chat, in which order (`contracts/timelines.md` §3.6). Filters narrow one another down; an empty
//! value filters nothing.

use entity::{id::MessageId, message::Direction, timestamp::Timestamp};

use crate::{
    error::{Error, Result},
    message::read::parse_uid,
    timespan::TimeSpan,
};

/// A filter as the caller wrote it.
#[derive(Clone, Debug, Default)]
pub struct FilterText {
    /// Not before this time.
    pub after: Option<String>,
    /// Not after this time.
    pub before: Option<String>,
    /// Newer than the message with this uid.
    pub after_message: Option<String>,
    /// Older than the message with this uid.
    pub before_message: Option<String>,
    /// `asc` or `desc`, in any case.
    pub sorting_order: Option<String>,
}

/// Which messages come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortingOrder {
    /// The oldest.
    Ascending,
    /// The newest.
    #[default]
    Descending,
}

/// Which messages, in which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// They go this way.
    pub direction: Option<Direction>,
    /// Of this instant or later.
    pub from: Option<Timestamp>,
    /// Of this instant or earlier.
    pub until: Option<Timestamp>,
    /// Newer than this one.
    pub newer_than: Option<MessageId>,
    /// Older than this one.
    pub older_than: Option<MessageId>,
    /// Which come first.
    pub order: SortingOrder,
}

impl Filter {
    /// Reads what is written; the direction is left for the caller to set. Times without an offset are in `zone`.
    ///
    /// # Errors
    /// `invalid_request` naming the parameter; `message_not_found` for what is no uid.
    pub fn parse(text: &FilterText, zone: &str) -> Result<Self> {
        let span = |field, text| given(text).map(|text| TimeSpan::parse(field, text, zone)).transpose();
        let order = match given(&text.sorting_order).map(str::to_ascii_lowercase).as_deref() {
            None => SortingOrder::default(),
            Some("asc") => SortingOrder::Ascending,
            Some("desc") => SortingOrder::Descending,
            Some(_) => return Err(Error::field("sorting_order", "must be asc or desc")),
        };
        Ok(Self {
            direction: None,
            from: span("after", &text.after)?.map(|span| span.first),
            until: span("before", &text.before)?.map(|span| span.last),
            newer_than: given(&text.after_message).map(parse_uid).transpose()?,
            older_than: given(&text.before_message).map(parse_uid).transpose()?,
            order,
        })
    }
}

fn given(text: &Option<String>) -> Option<&str> {
    text.as_deref().filter(|text| !text.is_empty())
}
