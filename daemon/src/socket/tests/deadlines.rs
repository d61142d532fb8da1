use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;

const HOUR: Duration = Duration::from_secs(3_600);
const LIMIT: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Alarms that ring, and a waker that counts.
fn ringing() -> (Arc<Alarms>, Arc<Count>, Waker) {
    let alarms = Arc::new(Alarms::new(Arc::new(crate::os::clock::Clock::new())).unwrap());
    let rung = Arc::clone(&alarms);
    tokio::spawn(async move { rung.ring().await });
    let count = Arc::<Count>::default();
    (alarms, Arc::clone(&count), count.into())
}

async fn slept(alarms: &Arc<Alarms>, span: Duration) {
    tokio::time::timeout(LIMIT, sleep(alarms, span)).await.expect("it wakes up");
}

#[tokio::test]
async fn a_task_that_waits_is_woken_at_the_moment_and_not_before() {
    let (alarms, _, _) = ringing();
    for span in [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(30)] {
        let before = alarms.clock.boot();
        slept(&alarms, span).await;
        assert!(alarms.clock.boot().since(before) >= span);
        assert!(alarms.lock().moments.is_empty(), "nothing is left of it");
    }
}

#[tokio::test]
async fn a_deadline_that_moves_on_costs_nothing_and_an_earlier_one_counts() {
    let (alarms, count, waker) = ringing();
    let now = alarms.clock.boot();
    let mut alarm = Alarm::new(&alarms);
    alarm.set(&waker, now, now + HOUR);
    let first = alarm.key;
    for later in [HOUR, 2 * HOUR, 3 * HOUR] {
        alarm.set(&waker, now, now + later);
        assert_eq!(alarm.key, first);
    }
    alarm.set(&waker, now, now + Duration::from_millis(20));
    assert_eq!(alarms.lock().moments.len(), 1, "in place of the other one");
    slept(&alarms, Duration::from_millis(40)).await;
    assert_eq!(count.0.load(Ordering::Relaxed), 1);

    // It has gone off: the next deadline is another alarm.
    let now = alarms.clock.boot();
    alarm.set(&waker, now, now + Duration::from_millis(20));
    slept(&alarms, Duration::from_millis(40)).await;
    assert_eq!(count.0.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn one_that_is_dropped_wakes_nobody_and_the_others_are_woken_all_the_same() {
    let (alarms, count, waker) = ringing();
    let now = alarms.clock.boot();
    let mut gone = Alarm::new(&alarms);
    gone.set(&waker, now, now + Duration::from_millis(10));
    drop(gone);
    assert!(alarms.lock().moments.is_empty());
    assert!(alarms.lock().set.is_some(), "the timer is left as it is");
    slept(&alarms, Duration::from_millis(40)).await;
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn the_timer_is_set_for_the_first_of_them_alone() {
    let (alarms, _, waker) = ringing();
    let now = alarms.clock.boot();
    let mut held = Vec::new();
    for (hours, first) in [(5, 5), (7, 5), (5, 5), (3, 3), (4, 3)] {
        let mut alarm = Alarm::new(&alarms);
        alarm.set(&waker, now, now + hours * HOUR);
        held.push(alarm);
        assert_eq!(alarms.lock().set, Some(now + first * HOUR));
    }
    drop(held);
    let mut next = Alarm::new(&alarms);
    next.set(&waker, now, now + 6 * HOUR);
    assert_eq!(alarms.lock().set, Some(now + 3 * HOUR), "it goes off for nobody and is set then");
}

#[tokio::test]
async fn all_of_one_moment_are_woken_and_those_after_it_stay() {
    let (alarms, count, waker) = ringing();
    let now = alarms.clock.boot();
    let moment = now + Duration::from_millis(20);
    let set = |at| {
        let mut alarm = Alarm::new(&alarms);
        alarm.set(&waker, now, at);
        alarm
    };
    let _due: Vec<Alarm> = (0..1_000).map(|_| set(moment)).collect();
    let _later: Vec<Alarm> = (0..10).map(|_| set(now + HOUR)).collect();
    slept(&alarms, Duration::from_millis(40)).await;
    assert_eq!(count.0.load(Ordering::Relaxed), 1_000);
    assert_eq!(alarms.lock().moments.len(), 10);
}
