//! What went through one channel in a period, as a sum and piece by piece.

use entity::{
    channel_traffic::{Model, Span},
    id::{AccountId, ChannelId},
    timestamp::Timestamp,
};
use strum::{Display, EnumString};

use crate::{
    app::App,
    channel::{
        named::{self, Named},
        traffic::{Counts, DAY, HOUR, counted_since, seconds_of, start_of, store},
    },
    error::{Error, Result},
};

/// Most whole pieces of an answer: a day of minutes.
const MOST_POINTS: i64 = 24 * 60;

/// How far back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display, EnumString)]
pub enum Period {
    /// An hour.
    #[strum(serialize = "1h")]
    Hour,
    /// A day.
    #[default]
    #[strum(serialize = "24h")]
    Day,
    /// Seven days.
    #[strum(serialize = "7d")]
    Week,
    /// Thirty days.
    #[strum(serialize = "30d")]
    Month,
}

impl Period {
    /// Reads a period; a day where nothing is said.
    ///
    /// # Errors
    /// `invalid_request` naming `period`.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let read = text.map(|text| text.parse().map_err(|_| Error::field("period", "must be 1h, 24h, 7d or 30d")));
        read.transpose().map(Option::unwrap_or_default)
    }

    const fn seconds(self) -> i64 {
        match self {
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
        }
    }

    /// By what its beginning is counted: minutes are not kept for longer than a day.
    const fn grain(self) -> Span {
        match self {
            Self::Hour | Self::Day => Span::Minute,
            Self::Week | Self::Month => Span::Hour,
        }
    }
}

/// How long each piece is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Display, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum Granularity {
    /// A minute.
    Minute,
    /// An hour.
    #[default]
    Hour,
    /// A day of UTC.
    Day,
}

impl Granularity {
    /// Reads a granularity; an hour where nothing is said.
    ///
    /// # Errors
    /// `invalid_request` naming `granularity`.
    pub fn parse(text: Option<&str>) -> Result<Self> {
        let read =
            text.map(|text| text.parse().map_err(|_| Error::field("granularity", "must be minute, hour or day")));
        read.transpose().map(Option::unwrap_or_default)
    }

    const fn span(self) -> Span {
        match self {
            Self::Minute => Span::Minute,
            Self::Hour => Span::Hour,
            Self::Day => Span::Day,
        }
    }
}

/// A period in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what each is")]
pub struct Summary {
    pub received: i64,
    pub sent: i64,
    pub started: i64,
    pub closed: i64,
    /// How long what came waited for an answer; absent where nothing was answered.
    pub response_seconds: Option<i64>,
    /// How old conversations were when they were closed; absent where none was.
    pub resolution_seconds: Option<i64>,
}

/// One piece of a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what each is")]
pub struct Point {
    pub start: Timestamp,
    pub received: i64,
    pub sent: i64,
    pub started: i64,
}

/// What went through a channel.
pub struct Stats {
    /// Through which.
    pub channel_id: ChannelId,
    /// In which period.
    pub period: Period,
    /// In sum.
    pub summary: Summary,
    /// Piece by piece, without gaps, the oldest first. The last one has not ended; of the first one only what lies in the
    /// period is counted.
    pub points: Vec<Point>,
}

/// What went through a channel in the period that ends now, whatever the pieces are: it begins with a minute, or with an
/// hour where it is a week or a month.
///
/// # Errors
/// `channel_not_found`; `invalid_request` naming `granularity` where there would be too many pieces.
pub async fn stats(
    app: &App,
    workspace_id: entity::id::WorkspaceId,
    named: &Named,
    period: Period,
    granularity: Granularity,
) -> Result<Stats> {
    let span = granularity.span();
    let length = seconds_of(span);
    let count = period.seconds() / length;
    if count > MOST_POINTS {
        let reason = format!("would make {count} pieces of {period}, more than {MOST_POINTS}");
        return Err(Error::field("granularity", reason));
    }
    let channel = named::find(app.db.reader(), workspace_id, named).await?;
    let now = app.clock.now();
    let start = start_of(period.grain(), now.plus_seconds(-period.seconds()));
    let rows = rows(app, channel.account_id, span, period.grain(), start).await?;
    let first = start_of(span, start);
    let starts = std::iter::successors(Some(first), |start| Some(start.plus_seconds(length)));
    let mut points: Vec<Point> = starts
        .take_while(|start| *start <= now)
        .map(|start| Point { start, received: 0, sent: 0, started: 0 })
        .collect();
    let (mut sum, mut answered) = (Summary::default(), Counts::default());
    for row in rows {
        let index = (row.start.0 - first.0) / (length * Timestamp::SECOND);
        if let Some(point) = usize::try_from(index).ok().and_then(|index| points.get_mut(index)) {
            point.received += row.received;
            point.sent += row.sent;
            point.started += row.started;
        }
        sum.received += row.received;
        sum.sent += row.sent;
        sum.started += row.started;
        sum.closed += row.closed;
        answered.responses += row.responses;
        answered.response_seconds += row.response_seconds;
        answered.resolution_seconds += row.resolution_seconds;
    }
    let average = |total: i64, count: i64| (count > 0).then(|| total / count);
    sum.response_seconds = average(answered.response_seconds, answered.responses);
    sum.resolution_seconds = average(answered.resolution_seconds, sum.closed);
    Ok(Stats { channel_id: channel.id, period, summary: sum, points })
}

/// Counted pieces, and the last minutes, which are not counted yet.
async fn rows(app: &App, id: AccountId, span: Span, grain: Span, start: Timestamp) -> Result<Vec<Model>> {
    let db = app.db.reader();
    let until = store::progress(db).await?.max(start);
    let mut rows = counted_since(db, &[id], span, grain, start).await?;
    for (at, counts) in store::minutes_since(db, id, until).await? {
        rows.push(Model {
            account_id: id,
            span,
            start: start_of(span, at),
            received: counts.received,
            sent: counts.sent,
            started: counts.started,
            closed: 0,
            responses: counts.responses,
            response_seconds: counts.response_seconds,
            resolution_seconds: 0,
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_and_granularities_are_words() {
        assert_eq!(Period::parse(None).expect("a day"), Period::Day);
        assert_eq!(Period::parse(Some("7d")).expect("a week").to_string(), "7d");
        assert!(Period::parse(Some("1y")).is_err());
        assert_eq!(Granularity::parse(None).expect("an hour"), Granularity::Hour);
        assert!(Granularity::parse(Some("second")).is_err());
    }

    #[test]
    fn stretches_begin_at_round_instants() {
        let at = Timestamp(1_789_030_983_123_456);
        assert_eq!(start_of(Span::Minute, at).0 % 60_000_000, 0);
        assert_eq!(start_of(Span::Hour, at).0 % 3_600_000_000, 0);
        assert_eq!(start_of(Span::Day, at).0 % 86_400_000_000, 0);
        assert!(start_of(Span::Minute, at) <= at && at.0 - start_of(Span::Minute, at).0 < 60_000_000);
    }
}
