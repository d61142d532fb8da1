//! Places of one kind that users share.
//!
//! A user may take one more as long as it has fewer than are left for everybody: alone it gets half of them, and of
//! however many users none finds that another one has left it nothing. What is kept for root and the daemon's own user
//! nobody else gets, so that an operator is served whatever the others do.

use std::collections::BTreeMap;

use super::id::Asker;

/// How many there are, and who has them.
#[derive(Debug)]
pub struct Shares {
    places: usize,
    kept: usize,
    most: usize,
    taken: usize,
    /// Nobody is in it without a place.
    users: BTreeMap<u32, usize>,
}

/// Why there is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoPlace {
    /// The user has its share, which is so many.
    OfUser(usize),
    /// There is none left.
    Left,
}

impl Shares {
    /// So many places, of which some are kept for superusers.
    #[must_use]
    pub const fn new(places: usize, kept: usize) -> Self {
        Self { places, kept, most: usize::MAX, taken: 0, users: BTreeMap::new() }
    }

    /// No user but a superuser gets more than this.
    #[must_use]
    pub fn at_most(mut self, most: usize) -> Self {
        self.most = most;
        self
    }

    /// Takes one.
    ///
    /// # Errors
    /// When there is none for this user.
    pub fn take(&mut self, asker: Asker) -> Result<(), NoPlace> {
        if asker.superuser {
            if self.taken >= self.places {
                return Err(NoPlace::Left);
            }
        } else {
            let left = (self.places - self.kept.min(self.places)).saturating_sub(self.taken);
            let mine = self.users.get(&asker.uid).copied().unwrap_or_default();
            if left == 0 {
                return Err(NoPlace::Left);
            }
            if mine >= left.min(self.most) {
                return Err(NoPlace::OfUser(mine));
            }
        }
        self.add(asker.uid);
        Ok(())
    }

    /// Counts one that is taken whether or not there is a place.
    pub fn add(&mut self, uid: u32) {
        self.taken += 1;
        *self.users.entry(uid).or_default() += 1;
    }

    /// Gives one back.
    pub fn give_back(&mut self, uid: u32) {
        let Some(mine) = self.users.get_mut(&uid) else { return debug_assert!(false, "{uid} has no place") };
        *mine -= 1;
        self.taken -= 1;
        if *mine == 0 {
            self.users.remove(&uid);
        }
    }

    /// How many are taken.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: Asker = Asker { uid: 0, superuser: true };

    fn user(uid: u32) -> Asker {
        Asker { uid, superuser: false }
    }

    fn take_all(shares: &mut Shares, asker: Asker) -> usize {
        std::iter::repeat_with(|| shares.take(asker)).take_while(Result::is_ok).count()
    }

    #[test]
    fn one_user_gets_half_and_leaves_the_other_half() {
        let mut shares = Shares::new(110, 10);
        assert_eq!(take_all(&mut shares, user(1)), 50);
        assert_eq!(shares.take(user(1)), Err(NoPlace::OfUser(50)));
        assert_eq!(take_all(&mut shares, user(2)), 25);
        assert_eq!(shares.take(user(3)), Ok(()));
    }

    #[test]
    fn however_many_users_there_are_what_is_kept_is_not_theirs() {
        let mut shares = Shares::new(1_000, 100);
        for uid in 1..=5_000 {
            take_all(&mut shares, user(uid));
        }
        assert_eq!((shares.taken(), shares.take(user(6_000))), (900, Err(NoPlace::Left)));
        assert_eq!(take_all(&mut shares, ROOT), 100);
        assert_eq!(shares.take(ROOT), Err(NoPlace::Left));
    }

    #[test]
    fn a_place_that_is_given_back_is_there_for_another_user() {
        let mut shares = Shares::new(2, 0);
        assert_eq!(take_all(&mut shares, user(1)), 1);
        shares.give_back(1);
        assert_eq!(take_all(&mut shares, user(2)), 1);
        assert_eq!(shares.users.len(), 1, "nobody is remembered who has none");
    }

    #[test]
    fn a_user_gets_no_more_than_the_most_and_a_superuser_does() {
        let mut shares = Shares::new(100, 10).at_most(3);
        assert_eq!(take_all(&mut shares, user(1)), 3);
        assert_eq!(shares.take(user(1)), Err(NoPlace::OfUser(3)));
        assert_eq!(take_all(&mut shares, ROOT), 97);
    }
}
