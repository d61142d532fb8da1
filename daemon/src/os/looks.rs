//! Many things to look at, of which each may hang: files, users, groups. They are looked at side by side and within one
//! time for all of them, on threads that nobody joins (see [`super::detached`]).
//!
//! What would hang together shares a lane, such as the files of one folder: a lane is one thread, which takes one after
//! the other. What a hanging lane still has to do is given up with it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use super::detached::{self, Undone};

/// Lanes at a time: more hardly make it quicker, and threads that hang are left for others.
const LANES_AT_ONCE: usize = 16;

/// One thing to look at, and its name for the collector.
type Look<T> = (usize, Box<dyn FnOnce() -> T + Send>);

/// What is to be looked at.
pub(crate) struct Looks<T> {
    lanes: BTreeMap<String, Vec<Look<T>>>,
    count: usize,
}

impl<T: Send + 'static> Looks<T> {
    pub(crate) fn new() -> Self {
        Self { lanes: BTreeMap::new(), count: 0 }
    }

    /// One more, in a lane. They are numbered in the order in which they come.
    pub(crate) fn add(&mut self, lane: &str, look: impl FnOnce() -> T + Send + 'static) {
        self.lanes.entry(lane.to_owned()).or_default().push((self.count, Box::new(look)));
        self.count += 1;
    }

    /// Looks at all of them and hands over what was seen, by its number and as it comes. What has not come within
    /// `patience` does not come.
    pub(crate) async fn each(self, patience: Duration, mut seen: impl FnMut(usize, T)) {
        let (to_us, mut results) = unbounded_channel();
        let looking = look(self.lanes, patience, to_us);
        let taking = async {
            while let Some((number, result)) = results.recv().await {
                seen(number, result);
            }
        };
        let _ = tokio::time::timeout(patience, async { tokio::join!(looking, taking) }).await;
    }

    /// As [`Looks::each`], for a thread that may wait and has no runtime: all results, in their order.
    pub(crate) fn wait(self, patience: Duration) -> Vec<Result<T, Undone>> {
        let mut all: Vec<_> = (0..self.count).map(|_| Err(Undone::Hangs(patience))).collect();
        if all.is_empty() {
            return all;
        }
        match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(clock) => clock.block_on(self.each(patience, |number, result| all[number] = Ok(result))),
            Err(_) => all.fill_with(|| Err(Undone::Failed)),
        }
        all
    }
}

/// Bounded by the number of looks, which are as many as the configuration names.
type ToUs<T> = UnboundedSender<(usize, T)>;

async fn look<T: Send + 'static>(lanes: BTreeMap<String, Vec<Look<T>>>, patience: Duration, to_us: ToUs<T>) {
    let mut lanes = lanes.into_iter();
    let mut working = JoinSet::new();
    loop {
        while working.len() < LANES_AT_ONCE
            && let Some((lane, looks)) = lanes.next()
        {
            let to_us = to_us.clone();
            working.spawn(async move { detached::within(&lane, patience, move || one_by_one(looks, &to_us)).await });
        }
        if working.join_next().await.is_none() {
            return;
        }
    }
}

fn one_by_one<T>(looks: Vec<Look<T>>, to_us: &ToUs<T>) {
    for (number, look) in looks {
        if to_us.is_closed() || to_us.send((number, look())).is_err() {
            return; // they have been given up
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn all_are_looked_at_and_their_order_is_kept() {
        let mut looks = Looks::new();
        for number in 0..200 {
            looks.add(&format!("order {}", number % 50), move || number);
        }
        assert!(looks.wait(LONG).into_iter().eq((0..200).map(Ok)));
        assert_eq!(Looks::<()>::new().wait(LONG), []);
    }

    #[test]
    fn what_hangs_costs_its_own_lane_and_no_other() {
        let (release, released) = mpsc::channel::<()>();
        let mut looks = Looks::new();
        looks.add("hung lane", || 1);
        looks.add("hung lane", move || released.recv().map_or(0, |()| 2));
        looks.add("hung lane", || 3);
        looks.add("quick lane", || 4);
        let mut seen = Vec::new();
        let see = |number, value| {
            seen.push((number, value));
            if seen.len() == 2 {
                release.send(()).unwrap(); // all others were seen while it hung
            }
        };
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(looks.each(LONG, see));
        seen[..2].sort_unstable();
        assert_eq!(seen, [(0, 1), (3, 4), (1, 2), (2, 3)]);
    }

    #[test]
    fn what_hangs_is_given_up_with_the_rest_of_its_lane() {
        let (_release, released) = mpsc::channel::<()>();
        let mut looks = Looks::new();
        looks.add("given up", move || released.recv().map_or(0, |()| 1));
        looks.add("given up", || 2);
        let patience = Duration::from_millis(10);
        assert_eq!(looks.wait(patience), [Err(Undone::Hangs(patience)); 2]);
    }
}
