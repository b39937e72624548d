//! Who loses a seat in a downgrade and who gets it back. Pure: the rules without the database.

use entity::{id::UserId, user};

/// What the rules need to know of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The user.
    pub id: UserId,
    /// Owners keep their seat.
    pub role: user::Role,
    /// Whether an account is connected.
    pub is_connected: bool,
}

/// Chooses `count` users to suspend, in the order in which they are suspended: those without a connected channel
/// first, the newest first among equals, never an owner.
#[must_use]
pub fn to_suspend(holders: &[Holder], count: usize) -> Vec<UserId> {
    let mut candidates: Vec<&Holder> = holders.iter().filter(|holder| holder.role != user::Role::Owner).collect();
    candidates.sort_by_key(|holder| (holder.is_connected, std::cmp::Reverse(holder.id)));
    candidates.into_iter().take(count).map(|holder| holder.id).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(id: i64, role: user::Role, is_connected: bool) -> Holder {
        Holder { id: UserId(id), role, is_connected }
    }

    #[test]
    fn unconnected_first_then_the_newest_and_never_the_owner() {
        use user::Role::{Agent, Owner};
        let holders = [
            holder(1, Owner, false),
            holder(2, Agent, true),
            holder(3, Agent, false),
            holder(4, Agent, true),
            holder(5, Agent, false),
        ];
        let ids = |count| to_suspend(&holders, count).into_iter().map(|id| id.0).collect::<Vec<i64>>();
        assert_eq!(ids(0), [] as [i64; 0]);
        assert_eq!(ids(1), [5]);
        assert_eq!(ids(3), [5, 3, 4]);
        assert_eq!(ids(9), [5, 3, 4, 2]);
    }
}
