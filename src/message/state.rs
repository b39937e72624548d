//! What a message may become, and through what. Statuses never go backwards: what comes late changes nothing.

use entity::message::Status;

/// What happens to a message that is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumIter)]
pub enum Event {
    /// A worker takes it to hand it to the provider.
    Taken,
    /// The provider has it.
    Accepted,
    /// The provider could not take it now; nothing left.
    Postponed,
    /// It may have left, and nobody knows.
    Lost,
    /// The phone has it.
    Delivered,
    /// Somebody has read it.
    Read,
    /// It will not arrive.
    Failed,
}

/// The status after the event; `None` where the event changes nothing.
#[must_use]
pub const fn next(status: Status, event: Event) -> Option<Status> {
    match (status, event) {
        (Status::Queued, Event::Taken) => Some(Status::Sending),
        (Status::Sending, Event::Postponed) => Some(Status::Queued),
        (Status::Sending, Event::Lost) => Some(Status::Unknown),
        (Status::Sending | Status::Unknown, Event::Accepted) => Some(Status::Sent),
        (Status::Sent | Status::Unknown, Event::Delivered) => Some(Status::Delivered),
        (Status::Sent | Status::Delivered | Status::Unknown, Event::Read) => Some(Status::Read),
        (Status::Queued | Status::Sending | Status::Sent | Status::Delivered | Status::Unknown, Event::Failed) => {
            Some(Status::Failed)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    #[test]
    fn every_status_and_event() {
        use Status::{Delivered, Failed, Queued, Read, Received, Sending, Sent, Unknown};
        // Taken, Accepted, Postponed, Lost, Delivered, Read, Failed.
        let table = [
            (Queued, [Some(Sending), None, None, None, None, None, Some(Failed)]),
            (Sending, [None, Some(Sent), Some(Queued), Some(Unknown), None, None, Some(Failed)]),
            (Sent, [None, None, None, None, Some(Delivered), Some(Read), Some(Failed)]),
            (Delivered, [None, None, None, None, None, Some(Read), Some(Failed)]),
            (Read, [None; 7]),
            (Failed, [None; 7]),
            (Unknown, [None, Some(Sent), None, None, Some(Delivered), Some(Read), Some(Failed)]),
            (Received, [None; 7]),
        ];
        assert_eq!(table.len(), <Status as sea_orm::Iterable>::iter().count(), "a row for every status");
        for (status, row) in table {
            for (event, expected) in Event::iter().zip(row) {
                assert_eq!(next(status, event), expected, "{status} {event:?}");
            }
        }
    }
}
