//! Pages: a bounded list and where to go on, by cursor or, where a contract has it so, by number.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};

use crate::error::{Error, Result};

/// Most items of one page.
pub const MAX_LIMIT: u64 = 200;
/// Items of a page whose size was not asked for.
pub const DEFAULT_LIMIT: u64 = 50;

/// How much of a list, from where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageRequest {
    /// Number of the last item of the page before; 0 for the first page.
    pub after: i64,
    /// Most items.
    pub limit: u64,
}

impl PageRequest {
    /// Reads a cursor and a limit of 1 to 200.
    ///
    /// # Errors
    /// `invalid_request` naming `cursor` or `limit`.
    pub fn parse(cursor: Option<&str>, limit: Option<i64>) -> Result<Self> {
        let after = match cursor {
            None => 0,
            Some(text) => decode(text).ok_or_else(|| Error::field("cursor", "is not one of ours"))?,
        };
        let limit = match limit {
            None => DEFAULT_LIMIT,
            Some(limit) => u64::try_from(limit)
                .ok()
                .filter(|limit| (1..=MAX_LIMIT).contains(limit))
                .ok_or_else(|| Error::field("limit", format!("must be 1 to {MAX_LIMIT}")))?,
        };
        Ok(Self { after, limit })
    }
}

/// A bounded list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where to go on; absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// Makes a page of rows that were read with one more than `request.limit`, so that the last page is known.
    #[must_use]
    pub fn of(mut rows: Vec<T>, request: PageRequest, number: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(request.limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = if more { rows.last().map(|last| encode(number(last))) } else { None };
        Self { items: rows, next_cursor }
    }
}

/// A page by its number, from 1, of a fixed size (`contracts/timelines.md` §3.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageNumber(u64);

impl PageNumber {
    /// Items of one page.
    pub const SIZE: u64 = 50;
    const MAX: u64 = 1_000_000;

    /// Reads a number of 1 to 1 000 000; 1 where absent.
    ///
    /// # Errors
    /// `invalid_request` naming `page`.
    pub fn parse(page: Option<i64>) -> Result<Self> {
        let number = u64::try_from(page.unwrap_or(1)).ok().filter(|number| (1..=Self::MAX).contains(number));
        number.map(Self).ok_or_else(|| Error::field("page", format!("must be 1 to {}", Self::MAX)))
    }

    /// How many items come before it.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.offset_in_pages_of(Self::SIZE)
    }

    /// How many items come before it in pages of another size.
    #[must_use]
    pub const fn offset_in_pages_of(self, size: u64) -> u64 {
        (self.0 - 1) * size
    }
}

/// A page of a list whose pages are numbered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NumberedPage<T> {
    /// The items.
    pub items: Vec<T>,
    /// Whether there is a page after it.
    pub has_more_pages: bool,
}

impl<T> NumberedPage<T> {
    /// Makes a page of rows that were read with one more than [`PageNumber::SIZE`], so that the last page is known.
    #[must_use]
    pub fn of(mut rows: Vec<T>) -> Self {
        let size = usize::try_from(PageNumber::SIZE).unwrap_or(usize::MAX);
        let has_more_pages = rows.len() > size;
        rows.truncate(size);
        Self { items: rows, has_more_pages }
    }
}

fn encode(number: i64) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(number.to_be_bytes())
}

fn decode(text: &str) -> Option<i64> {
    let bytes: [u8; 8] = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
    Some(i64::from_be_bytes(bytes)).filter(|number| *number >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_round_trip_and_strangers_are_refused() {
        let page = Page::of(vec![3, 5, 8], PageRequest { after: 0, limit: 2 }, |n| *n);
        assert_eq!(page.items, [3, 5]);
        let next = PageRequest::parse(page.next_cursor.as_deref(), Some(2)).expect("a cursor");
        assert_eq!(next, PageRequest { after: 5, limit: 2 });
        assert_eq!(Page::of(vec![8], next, |n| *n).next_cursor, None);
        for bad in ["", "x", "AAAA", "________"] {
            assert!(PageRequest::parse(Some(bad), None).is_err(), "{bad}");
        }
        for bad in [0, -1, 201] {
            assert!(PageRequest::parse(None, Some(bad)).is_err(), "{bad}");
        }
    }

    #[test]
    fn numbered_pages_begin_at_one_and_know_the_last() {
        assert_eq!(PageNumber::parse(None).expect("a page").offset(), 0);
        assert_eq!(PageNumber::parse(Some(3)).expect("a page").offset(), 100);
        for bad in [0, -1, 1_000_001, i64::MAX, i64::MIN] {
            assert!(PageNumber::parse(Some(bad)).is_err(), "{bad}");
        }
        assert_eq!(NumberedPage::of(vec![0; 50]), NumberedPage { items: vec![0; 50], has_more_pages: false });
        assert_eq!(NumberedPage::of(vec![0; 51]), NumberedPage { items: vec![0; 50], has_more_pages: true });
    }
}
