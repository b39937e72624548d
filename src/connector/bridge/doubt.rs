//! Whether a session is believed that says that it works: not while its provider refuses messages because the session is
//! not ready.
//!
//! A single refusal only holds its repair up; each step takes another one since the step before. What is neither refused
//! nor taken for a while is believed again.

use entity::{connector_session::Model, timestamp::Timestamp};

use crate::connector::bridge::observe::REPAIR_PAUSES_SECONDS;

/// How long one refusal counts, in seconds: longer than any message waits for its next try.
const REFUSAL_SECONDS: i64 = 330;
/// When a session that was given up is believed again, in seconds.
const GIVEN_UP_SECONDS: i64 = 3600;

/// What is thought of a session that says that it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It is believed.
    Absent,
    /// It is in doubt, and nothing new is known.
    Held,
    /// It has refused a message since the last step of its repair.
    Confirmed,
}

impl Doubt {
    pub(super) fn of(session: &Model, now: Timestamp) -> Self {
        let Some(refused_at) = session.refused_at.filter(|_| session.linked_at.is_some()) else { return Self::Absent };
        let taken = usize::try_from(session.repairs).unwrap_or(usize::MAX);
        let pause = REPAIR_PAUSES_SECONDS[taken.saturating_sub(1).min(REPAIR_PAUSES_SECONDS.len() - 1)];
        let is_since = session.repair_at.is_none_or(|at| refused_at > at.plus_seconds(-pause));
        let given_up_at = session.repair_at.filter(|at| is_since && taken >= REPAIR_PAUSES_SECONDS.len() && *at <= now);
        let until = match given_up_at {
            Some(at) => at.plus_seconds(GIVEN_UP_SECONDS),
            None => refused_at.plus_seconds(REFUSAL_SECONDS),
        };
        match (until > now, is_since) {
            (false, _) => Self::Absent,
            (true, false) => Self::Held,
            (true, true) => Self::Confirmed,
        }
    }
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
    fn each_step_takes_a_refusal() {
        for (refused_at, repairs, repair_at, now, expected) in [
            (None, 0, None, 1000, Doubt::Absent),
            (None, 1, Some(1030), 1000, Doubt::Absent),
            (Some(1000), 0, None, 1000, Doubt::Confirmed),
            // The first pause is waited, and a message is tried again meanwhile, or not.
            (Some(1000), 0, Some(1030), 1030, Doubt::Held),
            (Some(1002), 0, Some(1030), 1030, Doubt::Confirmed),
            (Some(1000), 0, Some(1030), 1330, Doubt::Absent),
            (Some(1030), 2, Some(1120), 1120, Doubt::Held),
            (Some(1112), 2, Some(1120), 1120, Doubt::Confirmed),
            // After the last one it is not believed for an hour.
            (Some(1232), 3, Some(1240), 1240, Doubt::Confirmed),
            (Some(1232), 3, Some(1240), 4839, Doubt::Confirmed),
            (Some(1232), 3, Some(1240), 4840, Doubt::Absent),
            (Some(1112), 3, Some(1240), 1442, Doubt::Absent),
        ] {
            let row = session(refused_at, repairs, repair_at);
            let now = Timestamp(0).plus_seconds(now);
            assert_eq!(Doubt::of(&row, now), expected, "{refused_at:?} {repairs} {repair_at:?} {now:?}");
        }
        let unlinked = Model { linked_at: None, ..session(Some(1000), 0, None) };
        assert_eq!(Doubt::of(&unlinked, Timestamp(0).plus_seconds(1000)), Doubt::Absent);
    }
}
