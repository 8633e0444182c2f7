//! In what a key and its copy differ, and what makes them the same.
//!
//! The key wins, except that a copy that is revoked stays revoked: somebody may have found out there
//! that it leaked.

use simple_security::{KeyChange, KeyRecord, Revocation, StoredKey, Timestamp, Usage};

/// The change that makes the copy of a key the same; `None` where it is.
pub(super) fn change(from: &KeyRecord, to: &KeyRecord) -> Option<KeyChange> {
    let mut change = KeyChange::between(to, from);
    if let (Some(at), None) = (from.revoked_at, to.revoked_at) {
        change.revocation = Revocation::Set(at);
    }
    (change != KeyChange::default()).then_some(change)
}

/// How many uses the copy of a key lacks, and the last one of the key.
pub(super) fn uses(from: Usage, to: Usage) -> Option<(u64, Timestamp)> {
    // Who was never used has nothing to add.
    let last = from.last_used_at?;
    let more = from.total.saturating_sub(to.total);
    (more > 0 || to.last_used_at < Some(last)).then_some((more, last))
}

/// What differs and stays so, however often the key is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lasting {
    OtherKey,
    Revoked,
    RevokedAtAnotherTime,
    Used,
}

/// The first thing that stays different; `None` where copying again makes both the same.
pub(super) fn lasting(from: &StoredKey, to: &StoredKey) -> Option<Lasting> {
    if from.digest != to.digest {
        return Some(Lasting::OtherKey);
    }
    match (from.record.revoked_at, to.record.revoked_at) {
        (None, Some(_)) => return Some(Lasting::Revoked),
        (Some(one), Some(other)) if one != other => return Some(Lasting::RevokedAtAnotherTime),
        _ => {}
    }
    let used_more =
        to.usage.total > from.usage.total || to.usage.last_used_at > from.usage.last_used_at;
    // Uses without a last one cannot be added.
    let cannot_be_added = from.usage.last_used_at.is_none() && from.usage.total != to.usage.total;
    (used_more || cannot_be_added).then_some(Lasting::Used)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use simple_security::{KeyDigest, KeyName, Owner};

    use super::*;

    fn keys() -> impl Strategy<Value = StoredKey> {
        let time = || (0..3i64).prop_map(Timestamp::from_seconds);
        let once = || proptest::option::of(time());
        let fields = ("[ab]", time(), any::<bool>(), once());
        (fields, 0..3u64, once(), any::<bool>()).prop_map(
            |((name, expires_at, never_expires, revoked_at), total, last_used_at, other)| {
                let id = "0123456789a".parse().expect("an id");
                let mut record = KeyRecord::new(id, Timestamp::MIN, expires_at);
                record.name = KeyName::new(&name).expect("a name");
                record.never_expires = never_expires;
                record.revoked_at = revoked_at;
                let mut key = StoredKey::new(KeyDigest::of(&[other.into()]), record);
                key.usage = Usage::new(total, last_used_at);
                key
            },
        )
    }

    #[test]
    fn another_owner_is_a_difference() {
        let id = "0123456789a".parse().expect("an id");
        let owned = |owner: &str| {
            let owner = Owner::new(owner).expect("an owner");
            KeyRecord::new(id, Timestamp::MIN, Timestamp::MAX).with_owner(owner)
        };
        for (from, to) in [("acme", ""), ("", "acme"), ("acme", "globex")] {
            let mut copy = owned(to);
            change(&owned(from), &copy).expect("they differ").apply(&mut copy);
            assert_eq!(copy, owned(from));
        }
        assert_eq!(change(&owned("acme"), &owned("acme")), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// A copy is the same afterwards, or it is told why it is not.
        #[test]
        fn what_can_be_made_the_same_is_made_the_same(from in keys(), to in keys()) {
            let mut after = to.clone();
            if let Some(change) = change(&from.record, &to.record) {
                change.apply(&mut after.record);
                prop_assert!(after.record.revoked_at.is_some() || to.record.revoked_at.is_none());
                prop_assert!(after.record.revoked_at.is_some() || from.record.revoked_at.is_none());
            }
            if let Some((more, last)) = uses(from.usage, to.usage) {
                after.usage.total += more;
                after.usage.last_used_at = after.usage.last_used_at.max(Some(last));
            }
            prop_assert_eq!(after == from, lasting(&from, &to).is_none());
            prop_assert!(super::change(&from.record, &after.record).is_none());
            prop_assert_eq!(uses(from.usage, after.usage), None);
        }
    }
}
