//! Whether a session is believed that says that it works: not once its provider has refused a message because the session
//! is not ready.
//!
//! Each step of its repair uses a refusal up, so the next one takes another. A state in which messages are refused
//! explains one, and a message that is taken makes it forgotten.

use entity::{connector_session::Model, timestamp::Timestamp};

use crate::connector::bridge::observe::REPAIR_PAUSES_SECONDS;

/// When a session that was given up is believed again, in seconds.
const GIVEN_UP_SECONDS: i64 = 3600;

/// Whether a session that says that it works is in doubt.
pub(super) fn is_doubted(session: &Model, now: Timestamp) -> bool {
    let is_refusing = session.linked_at.is_some() && session.refused_at.is_some();
    let was_last_step = usize::try_from(session.repairs).is_ok_and(|taken| taken >= REPAIR_PAUSES_SECONDS.len());
    let believed_at = session.repair_at.filter(|_| was_last_step).map(|at| at.plus_seconds(GIVEN_UP_SECONDS));
    is_refusing && believed_at.is_none_or(|at| at > now)
}

#[cfg(test)]
mod tests {
    use entity::{
        channel::ConnectorKind,
        id::{AttemptId, CredentialId},
    };
    use uuid::Uuid;

    use super::*;

    fn session(refused_at: Option<i64>, repairs: i32, repair_at: Option<i64>) -> Model {
        let at = |seconds: i64| Timestamp(0).plus_seconds(seconds);
        Model {
            id: AttemptId(Uuid::from_u128(1)),
            connector: ConnectorKind::Waha,
            credential_id: CredentialId(Uuid::from_u128(2)),
            external_id: None,
            callback_secret: Vec::new(),
            qr_payload: None,
            qr_seq: 1,
            qr_expires_at: None,
            checkpoint: None,
            linked_at: Some(at(0)),
            repairs,
            repair_at: repair_at.map(at),
            refused_at: refused_at.map(at),
            checked_at: None,
            created_at: at(0),
            ended_at: None,
        }
    }

    #[test]
    fn what_was_given_up_is_believed_again() {
        for (refused_at, repairs, repair_at, now, expected) in [
            (None, 0, None, 1000, false),
            (None, 3, Some(1240), 1240, false),
            (Some(1000), 0, None, 1000, true),
            (Some(1002), 0, Some(1030), 9999, true),
            (Some(1112), 2, Some(1120), 1120, true),
            (Some(1232), 3, Some(1240), 1239, true),
            (Some(1232), 3, Some(1240), 4839, true),
            (Some(1232), 3, Some(1240), 4840, false),
        ] {
            let row = session(refused_at, repairs, repair_at);
            let now = Timestamp(0).plus_seconds(now);
            assert_eq!(is_doubted(&row, now), expected, "{refused_at:?} {repairs} {repair_at:?} {now:?}");
        }
        let unlinked = Model { linked_at: None, ..session(Some(1000), 0, None) };
        assert!(!is_doubted(&unlinked, Timestamp(0).plus_seconds(1000)));
    }
}
